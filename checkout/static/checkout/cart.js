/* The cart drawer: open the cart at the edge of the page instead of on a page of its own.
 *
 * Forms and links work without this script. With it, htmx sends them, and the HX-Trigger header of the response has the
 * number of units in the cart and whether a change was rejected.
 */

(() => {
  "use strict";

  const drawer = document.getElementById("cart-drawer");
  if (!drawer || !window.htmx || !drawer.showModal) return;

  const body = document.getElementById("cart-drawer-body");
  const status = document.getElementById("cart-drawer-status");
  const link = document.getElementById("cart-link");
  const page = document.getElementById("cart");

  function open() {
    if (!drawer.open) drawer.showModal();
    body.querySelector("[data-added]")?.scrollIntoView({ block: "nearest" });
  }

  function enhance(form) {
    if (form.hasAttribute("hx-post")) return;
    form.setAttribute("hx-post", form.getAttribute("action"));
    form.setAttribute("hx-target", "#cart-drawer-body");
    form.setAttribute("hx-swap", "innerHTML");
    form.setAttribute("hx-sync", "this:drop");
    window.htmx.process(form);
  }

  function showCount(units) {
    let count = document.getElementById("cart-count");
    if (!units) {
      if (count) count.remove();
      return;
    }
    if (!count) {
      count = document.createElement("span");
      count.className = "tool__count";
      count.id = "cart-count";
      link.append(" ", count);
    }
    count.textContent = units;
  }

  function fetchCart(source) {
    // Failures are handled in the listeners of htmx's events, below.
    window.htmx.ajax("GET", drawer.dataset.cartUrl, { source, target: body, swap: "innerHTML" }).catch(() => {});
  }

  document.querySelectorAll(`form[action="${drawer.dataset.addUrl}"]`).forEach(enhance);

  if (link && !page) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      status.textContent = "";
      fetchCart(link);
    });
  }

  document.body.addEventListener("cart-changed", (event) => showCount(event.detail.units));

  // The page behind the drawer may still offer what was just rejected.
  document.body.addEventListener("cart-refused", () => {
    postponed = null;
    document.body.dispatchEvent(new CustomEvent("stock-changed"));
  });

  // The response to a form beside the drawer, or to the cart link, is in the drawer now.
  document.body.addEventListener("htmx:afterSwap", (event) => {
    const source = event.detail.requestConfig?.elt;
    if (event.detail.target === body && (source === link || source instanceof HTMLFormElement)) open();
  });

  /* ---- Send what was typed before paying or removing a line ----
   *
   * Only one change of the cart is sent at a time: the forms' hx-sync drops others meanwhile. Text that was typed into
   * other lines is restored after each response, which sends it in turn. A form that was submitted too early, to pay or
   * to remove a line, is postponed until all of them are sent.
   */

  let typed = [];
  let postponed = null;

  const fields = (form) => [...form.querySelectorAll("select, .quantity")];
  const lineOf = (element) => element.closest("[data-line]")?.dataset.line;
  const isTyped = (field) =>
    field instanceof HTMLSelectElement ? !field.selectedOptions[0]?.defaultSelected : field.value !== field.defaultValue;
  const unsent = () => [...document.querySelectorAll("[data-does=change]")].filter((form) => fields(form).some(isTyped));

  document.addEventListener(
    "submit",
    (event) => {
      const { does } = event.target.dataset;
      if (does !== "pay" && does !== "remove") return;
      const busy = document.querySelector("[data-cart] .htmx-request");
      if (!busy && !(does === "pay" && unsent().length)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      postponed = { does, line: lineOf(event.target) };
      if (!busy) resume();
    },
    true,
  );

  function resume() {
    if (!postponed) return;
    const [form] = unsent();
    if (form) {
      window.htmx.trigger(form, "submit");
      return;
    }
    const { does, line } = postponed;
    postponed = null;
    [...document.querySelectorAll(`[data-does=${does}]`)].find((each) => lineOf(each) === line)?.requestSubmit();
  }

  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, formData } = event.detail.requestConfig;
    typed = unsent()
      .flatMap(fields)
      .filter((field) => isTyped(field) && !(field.form === elt && formData.get(field.name) === field.value))
      .map((field) => ({ line: lineOf(field), name: field.name, value: field.value }));
  });

  document.body.addEventListener("htmx:afterSettle", (event) => {
    const cart = event.detail.target;
    if (!(cart instanceof HTMLElement) || !cart.hasAttribute("data-cart")) return;
    for (const { line, name, value } of typed) {
      const form = [...document.querySelectorAll("[data-does=change]")].find((each) => lineOf(each) === line);
      const field = form?.elements.namedItem(name);
      if (!field) continue;
      field.value = value;
      // An empty field is still being typed into.
      if (value) field.dispatchEvent(new Event("change", { bubbles: true }));
    }
    typed = [];
    // htmx would drop a request that is sent before this one has ended.
    if (postponed) queueMicrotask(resume);
    // The focused element may be gone with its line. Keep the focus near it instead of at the top of the page.
    if (document.activeElement && document.activeElement !== document.body && document.activeElement !== drawer) return;
    (cart === body ? document.getElementById("cart-drawer-title") : cart).focus();
  });

  // No response, or an error page: show a message near the form, and leave the cart as it was.
  for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.body.addEventListener(failure, (event) => {
      const source = event.detail.elt;
      postponed = null;
      // The cart page shows the error itself, if it has not passed.
      if (source === link) window.location.assign(link.href);
      if (!(source instanceof HTMLFormElement)) return;
      const region = body.contains(source) || !page ? status : document.getElementById("cart-status");
      const message = document.createElement("p");
      message.className = "notice notice--error";
      message.textContent = drawer.dataset.error;
      region.replaceChildren(message);
      if (region === status) open();
    });
  }

  drawer.addEventListener("click", (event) => {
    if (event.target === drawer) drawer.close();
  });

  // After going back from Stripe, the browser may show a page from its back/forward cache or its HTTP cache.
  window.addEventListener("pageshow", (event) => {
    const [navigation] = performance.getEntriesByType("navigation");
    if (page && event.persisted) window.location.reload();
    else if (!page && (event.persisted || navigation?.type === "back_forward")) fetchCart(document.body);
  });
})();
