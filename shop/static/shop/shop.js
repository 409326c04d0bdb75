/* Progressive enhancement: the chosen size in the sticky bar, updates of stock on open pages, live filters, and a
 * menu scrolled to the current category. Every page works without it. */

const byId = (id) => document.getElementById(id);

/* ---- The chosen size and its price ---- */

const asGiven = new WeakMap();

function tell(places, words) {
  for (const place of document.querySelectorAll(places)) {
    if (!asGiven.has(place)) asGiven.set(place, [...place.childNodes]);
    place.replaceChildren(...(words ? [words] : asGiven.get(place)));
  }
}

function tellChoice() {
  const chosen = document.querySelector("#choices input[type=radio]:checked")?.closest(".choice").dataset;
  tell("[data-chosen-price]", chosen?.price);
  tell("[data-chosen-size]", chosen?.size);
  if (chosen && byId("quantity")) byId("quantity").max = chosen.most;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("#choices input")) {
    byId("stock-said").textContent = "";
    tellChoice();
  }
});

/* ---- Stock updates on an open page ---- */

const LOOK_AGAIN_AFTER = 5000;
const PARTS = ["choices", "act", "bar"];
const said = byId("stock-said");
const shown = Object.fromEntries(PARTS.map((id) => [id, byId(id)?.outerHTML]));
let lookedAt = Date.now();

function lookNow() {
  lookedAt = 0;
  return lookAtStock();
}

async function lookAtStock() {
  if (!said || document.visibilityState !== "visible" || Date.now() - lookedAt < LOOK_AGAIN_AFTER) return;
  const asked = (lookedAt = Date.now());
  const answer = await fetch(said.dataset.stockUrl, { credentials: "same-origin", cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (asked === lookedAt) show(page);
}

function show(page) {
  const chosen = document.querySelector("#choices input[type=radio]:checked")?.value;
  const wanted = byId("quantity")?.value;
  const forSale = !byId("bar").hidden;
  const changed = PARTS.filter((id) => put(byId(id), page.getElementById(id)));
  if (!changed.length) return;
  const again = [...document.querySelectorAll("#choices input[type=radio]")].find((input) => input.value === chosen);
  const gone = chosen && (!again || again.disabled);
  if (again && !gone) again.checked = true;
  if (wanted && byId("quantity")) byId("quantity").value = wanted;
  const { changed: other, gone: choose, allGone } = said.dataset;
  said.textContent = forSale && byId("bar").hidden ? allGone : gone ? choose : other;
  tellChoice();
}

/* Replace a part of the page if it has changed, and keep the focus. */
function put(old, fresh) {
  if (!old || !fresh || fresh.outerHTML === shown[old.id]) return false;
  shown[old.id] = fresh.outerHTML;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  old.replaceWith(fresh);
  if (focused?.type === "radio") fresh.querySelector(`input[value="${CSS.escape(focused.value)}"]`)?.focus();
  else if (focused) fresh.querySelector(focused.localName)?.focus();
  return true;
}

document.addEventListener("visibilitychange", lookAtStock);
/* The cart refused a size, so the stock shown on this page is outdated. */
document.body.addEventListener("stock-changed", lookNow);
window.addEventListener("pageshow", (event) => {
  /* Restored from the back/forward cache, for example after the payment page. */
  tellChoice();
  if (event.persisted) lookNow();
});

/* ---- Live filters ---- */

const filters = byId("filters");
let typing = false;

/* Leave empty filters out of the URL. */
filters?.addEventListener("htmx:configRequest", (event) => {
  for (const [name, value] of [...event.detail.formData.entries()]) {
    if (value === "") event.detail.formData.delete(name);
  }
});

/* The back button undoes a filter or a whole search text: no history entry per letter or for an unchanged list. */
document.body.addEventListener("htmx:beforeHistoryUpdate", ({ detail }) => {
  const typed = detail.requestConfig.triggeringEvent?.type === "input";
  const same = detail.history.path === location.pathname + location.search;
  if (same || (typed && typing)) detail.history.type = "replace";
  typing = typed || (same && typing);
});

for (const trouble of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  filters?.addEventListener(trouble, (event) => {
    event.stopPropagation();
    byId("count").textContent = filters.dataset.trouble;
  });
}

/* ---- Scroll the menu to the current category ---- */

const here = document.querySelector(".nav [aria-current]");
if (here) {
  const menu = here.closest(".nav");
  menu.scrollLeft += Math.max(0, here.getBoundingClientRect().right + 16 - menu.getBoundingClientRect().right);
}
