/* Progressive enhancement: the chosen size in the sticky bar, updates of stock on open pages, live filters, and a
 * menu scrolled to the current category. Every page works without it. */

const byId = (id) => document.getElementById(id);

/* ---- The chosen size and its price ---- */

const originals = new WeakMap();

/* Show `text` in the selected elements, or what the page came with if there is none. */
function showText(selector, text) {
  for (const element of document.querySelectorAll(selector)) {
    if (!originals.has(element)) originals.set(element, [...element.childNodes]);
    element.replaceChildren(...(text ? [text] : originals.get(element)));
  }
}

function showChosenSize() {
  const chosen = document.querySelector("#size-picker input[type=radio]:checked")?.closest(".choice").dataset;
  showText("[data-chosen-price]", chosen?.price);
  showText("[data-chosen-size]", chosen?.size);
  if (chosen && byId("quantity")) byId("quantity").max = chosen.max;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("#size-picker input")) {
    byId("stock-status").textContent = "";
    showChosenSize();
    /* A shared link keeps the size. */
    const size = event.target.closest(".choice").querySelector(".choice__name").textContent;
    history.replaceState(history.state, "", `?size=${encodeURIComponent(size)}`);
  }
});

/* ---- Stock updates on an open page ---- */

const REFRESH_INTERVAL = 5000;
const STOCK_PARTS = ["size-picker", "add-to-cart", "sticky-bar"];
const stockStatus = byId("stock-status");
const shownHtml = Object.fromEntries(STOCK_PARTS.map((id) => [id, byId(id)?.outerHTML]));
let refreshedAt = Date.now();

function refreshStockNow() {
  refreshedAt = 0;
  return refreshStock();
}

async function refreshStock() {
  const isDue = Date.now() - refreshedAt >= REFRESH_INTERVAL;
  if (!stockStatus || document.visibilityState !== "visible" || !isDue) return;
  const requestedAt = (refreshedAt = Date.now());
  const options = { credentials: "same-origin", cache: "no-store" };
  const response = await fetch(stockStatus.dataset.stockUrl, options).catch(() => null);
  if (!response?.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  /* Only the response to the latest request is shown. */
  if (requestedAt === refreshedAt) showStock(page);
}

function showStock(page) {
  const chosen = document.querySelector("#size-picker input[type=radio]:checked")?.value;
  const quantity = byId("quantity")?.value;
  const wasForSale = !byId("sticky-bar").hidden;
  const changed = STOCK_PARTS.filter((id) => replacePart(byId(id), page.getElementById(id)));
  if (!changed.length) return;
  const sizes = [...document.querySelectorAll("#size-picker input[type=radio]")];
  const sameSize = sizes.find((input) => input.value === chosen);
  const isUnavailable = chosen && (!sameSize || sameSize.disabled);
  if (sameSize && !isUnavailable) sameSize.checked = true;
  if (quantity && byId("quantity")) byId("quantity").value = quantity;
  const messages = stockStatus.dataset;
  if (wasForSale && byId("sticky-bar").hidden) stockStatus.textContent = messages.productUnavailable;
  else stockStatus.textContent = isUnavailable ? messages.sizeUnavailable : messages.changed;
  showChosenSize();
}

/* Replace a part of the page if it has changed, and keep the focus. */
function replacePart(current, update) {
  if (!current || !update || update.outerHTML === shownHtml[current.id]) return false;
  shownHtml[current.id] = update.outerHTML;
  const focused = current.contains(document.activeElement) ? document.activeElement : null;
  current.replaceWith(update);
  if (focused?.type === "radio") update.querySelector(`input[value="${CSS.escape(focused.value)}"]`)?.focus();
  else if (focused) update.querySelector(focused.localName)?.focus();
  return true;
}

document.addEventListener("visibilitychange", refreshStock);
/* The cart refused a size, so the stock shown on this page is outdated. */
document.body.addEventListener("stock-changed", refreshStockNow);
window.addEventListener("pageshow", (event) => {
  /* Restored from the back/forward cache, for example after the payment page. */
  showChosenSize();
  if (event.persisted) refreshStockNow();
});

/* ---- Live filters ---- */

const filters = byId("filters");
let isTyping = false;

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
  if (same || (typed && isTyping)) detail.history.type = "replace";
  isTyping = typed || (same && isTyping);
});

for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  filters?.addEventListener(failure, (event) => {
    event.stopPropagation();
    byId("count").textContent = filters.dataset.error;
  });
}

/* ---- Scroll the menu to the current category ---- */

const current = document.querySelector(".nav [aria-current]");
if (current) {
  const menu = current.closest(".nav");
  const scroll = () => {
    menu.scrollLeft += Math.max(0, current.getBoundingClientRect().right + 16 - menu.getBoundingClientRect().right);
  };
  scroll();
  // The words become wider with the fonts.
  document.fonts.ready.then(scroll);
}
