/* Arrow keys move between the fields of the stock grid; units on their way to Stripe disappear once they are there. */

const table = document.querySelector(".stock-grid");
const POLL_MS = 3000;

function fieldAt(row, column) {
  return table.tBodies[0].rows[row]?.cells[column]?.querySelector("input:not([type=hidden])");
}

table?.addEventListener("keydown", (event) => {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  const field = event.target;
  if (!steps || field.tagName !== "INPUT" || event.altKey || event.ctrlKey || event.metaKey) return;
  // Left and right move the caret while there is text to move it in.
  if (steps[1] && field.value) return;
  const cell = field.closest("td");
  let row = cell.parentElement.sectionRowIndex + steps[0];
  let column = cell.cellIndex + steps[1];
  while (table.tBodies[0].rows[row] && column > 0 && column < table.rows[0].cells.length) {
    const next = fieldAt(row, column);
    if (next) {
      event.preventDefault();
      next.focus();
      next.select();
      return;
    }
    row += steps[0];
    column += steps[1];
  }
});

async function refreshPending() {
  const waiting = [...document.querySelectorAll("[data-pending]")];
  if (!waiting.length) return;
  if (!document.hidden) {
    const ids = waiting.map((mark) => mark.dataset.pending).join(",");
    const answer = await fetch(`state/?ids=${ids}`, { credentials: "same-origin" }).catch(() => null);
    const state = answer?.ok ? await answer.json() : {};
    for (const mark of waiting) {
      if (state[mark.dataset.pending]?.pending === 0) mark.remove();
    }
  }
  setTimeout(refreshPending, POLL_MS);
}

setTimeout(refreshPending, POLL_MS);
