/* What is nicer with JavaScript? The chosen size in the bar, stock that is looked up again, the size guide as a
 * dialog, addresses without empty wishes. Every page works without it. */

const byId = (id) => document.getElementById(id);

/* ---- The chosen size and its price ---- */

function tellChoice() {
  const form = byId("buy");
  const chosen = form?.querySelector("input[name=item]:checked")?.closest(".choice");
  if (!chosen) return;
  for (const place of document.querySelectorAll("[data-chosen-price]")) place.textContent = chosen.dataset.price;
  for (const place of document.querySelectorAll("[data-chosen-size]")) place.textContent = chosen.dataset.size;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("#buy input[name=item]")) tellChoice();
});

/* ---- Stock of a page that was left open ---- */

const LOOK_AGAIN_AFTER = 5000;
let lookedAt = Date.now();

async function lookAtStock() {
  const choices = byId("choices");
  if (!choices || document.visibilityState !== "visible" || Date.now() - lookedAt < LOOK_AGAIN_AFTER) return;
  lookedAt = Date.now();
  const answer = await fetch(choices.dataset.stockUrl, { credentials: "same-origin", cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  putChoices(choices, page.getElementById("choices"));
}

function putChoices(old, fresh) {
  if (!fresh || fresh.innerHTML.trim() === old.dataset.asGiven) return;
  const chosen = old.querySelector("input[name=item]:checked")?.value;
  const focused = old.contains(document.activeElement) ? document.activeElement.value : null;
  old.dataset.asGiven = fresh.innerHTML.trim();
  old.replaceChildren(...fresh.childNodes);
  const again = [...old.querySelectorAll("input[name=item][type=radio]")];
  const same = again.find((input) => input.value === chosen && !input.disabled);
  if (same) same.checked = true;
  again.find((input) => input.value === focused)?.focus();
  byId("stock-said").textContent = chosen && !same && again.length ? old.dataset.gone : old.dataset.changed;
  tellChoice();
}

const choices = byId("choices");
if (choices) choices.dataset.asGiven = choices.innerHTML.trim();
document.addEventListener("visibilitychange", lookAtStock);
window.addEventListener("pageshow", (event) => {
  /* Back from the cart or from the payment: the browser shows the page as it was. */
  tellChoice();
  if (event.persisted) lookedAt = 0;
  lookAtStock();
});

/* ---- The size guide as a dialog ---- */

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    event.preventDefault();
    byId(opener.dataset.opens)?.showModal();
  }
  const closer = event.target.closest("[data-closes]");
  /* A click on the backdrop is a click on the dialog itself. */
  if (closer) closer.closest("dialog").close();
  else if (event.target.matches("dialog[open]")) event.target.close();
});

/* ---- Addresses that name only what is wished for ---- */

document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.closest("#filters")) return;
  for (const [name, value] of [...event.detail.formData.entries()]) {
    if (value === "") event.detail.formData.delete(name);
  }
});
