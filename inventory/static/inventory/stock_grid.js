/* Arrow keys move between the fields of the stock grid; units on their way to Stripe disappear once they are there. */

const table = document.querySelector(".stock-grid");
const POLL_MS = 3000;

function fieldAt(row, column) {
  return table.tBodies[0].rows[row]?.cells[column]?.querySelector("input:not([type=hidden])");
}

function above(field, step) {
  const cell = field.closest("td");
  let row = cell.parentElement.sectionRowIndex + step;
  while (table.tBodies[0].rows[row] && !fieldAt(row, cell.cellIndex)) row += step;
  return fieldAt(row, cell.cellIndex);
}

function beside(field, step) {
  // Within a number the keys move the caret.
  const edge = step < 0 ? 0 : field.value.length;
  const isWhole = field.selectionEnd - field.selectionStart === field.value.length;
  if (!isWhole && (field.selectionStart !== edge || field.selectionEnd !== edge)) return null;
  const fields = [...table.querySelectorAll("input:not([type=hidden])")];
  return fields[fields.indexOf(field) + step];
}

table?.addEventListener("keydown", (event) => {
  const field = event.target;
  if (field.tagName !== "INPUT" || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const next = {
    ArrowUp: () => above(field, -1),
    ArrowDown: () => above(field, 1),
    ArrowLeft: () => beside(field, -1),
    ArrowRight: () => beside(field, 1),
  }[event.key]?.();
  if (next) {
    event.preventDefault();
    next.focus();
    next.select();
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
