/* What does the cart do where scripts run? It opens at the edge of the page instead of on one of its own.
 *
 * Forms and links work without this file. With it, htmx sends them, and the answer's HX-Trigger says how many
 * pieces there are now, and whether something was refused.
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

  function show(units) {
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
    // What fails is told by htmx's events, below.
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

  document.body.addEventListener("cart-changed", (event) => show(event.detail.units));

  // The page behind may still offer what was just refused.
  document.body.addEventListener("cart-refused", () => {
    held = null;
    document.body.dispatchEvent(new CustomEvent("stock-changed"));
  });

  // A form beside the drawer was sent, or the link followed, and the answer stands in the drawer now.
  document.body.addEventListener("htmx:afterSwap", (event) => {
    const asked = event.detail.requestConfig?.elt;
    if (event.detail.target === body && (asked === link || asked instanceof HTMLFormElement)) open();
  });

  /* ---- What was typed is taken by the shop before anything else is done ----
   *
   * One change of the cart is under way at a time: the forms' hx-sync drops what comes meanwhile. So what was typed
   * into other lines is put back after each answer, which sends it in its turn; and a form that was sent too early,
   * to pay or to remove a line, waits for all of them.
   */

  let typed = [];
  let held = null;

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
      held = { does, line: lineOf(event.target) };
      if (!busy) goOn();
    },
    true,
  );

  function goOn() {
    const [form] = unsent();
    if (form) {
      window.htmx.trigger(form, "submit");
      return;
    }
    const { does, line } = held;
    held = null;
    const again = [...document.querySelectorAll(`[data-does=${does}]`)].find((one) => lineOf(one) === line);
    again?.requestSubmit();
  }

  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, formData } = event.detail.requestConfig;
    typed = unsent()
      .flatMap(fields)
      .filter((field) => isTyped(field) && !(field.form === elt && formData.get(field.name) === field.value))
      .map((field) => ({ line: lineOf(field), name: field.name, value: field.value }));
  });

  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (!event.detail.target.hasAttribute("data-cart")) return;
    for (const { line, name, value } of typed) {
      const form = [...document.querySelectorAll("[data-does=change]")].find((one) => lineOf(one) === line);
      const field = form?.elements.namedItem(name);
      if (!field) continue;
      field.value = value;
      // An empty field is one that somebody is about to type into.
      if (value) field.dispatchEvent(new Event("change", { bubbles: true }));
    }
    typed = [];
  });

  document.body.addEventListener("htmx:afterSettle", (event) => {
    const cart = event.detail.target;
    if (!(cart instanceof HTMLElement) || !cart.hasAttribute("data-cart")) return;
    if (held) goOn();
    // What had the focus may be gone with its line: stay near, instead of starting at the top of the page again.
    if (document.activeElement && document.activeElement !== document.body && document.activeElement !== drawer) return;
    (cart === body ? document.getElementById("cart-drawer-title") : cart).focus();
  });

  // No answer, or an error page: say so where the customer is looking, and leave the cart as it was.
  for (const trouble of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.body.addEventListener(trouble, (event) => {
      const asked = event.detail.elt;
      held = null;
      // The page that the link leads to says what is wrong, or is well again.
      if (asked === link) window.location.assign(link.href);
      if (!(asked instanceof HTMLFormElement)) return;
      const region = body.contains(asked) || !page ? status : document.getElementById("cart-status");
      const words = document.createElement("p");
      words.className = "notice notice--error";
      words.textContent = drawer.dataset.trouble;
      region.replaceChildren(words);
      if (region === status) open();
    });
  }

  drawer.addEventListener("click", (event) => {
    if (event.target === drawer) drawer.close();
  });

  // Back from Stripe, the browser may show a page as it was left, or as it has kept it.
  window.addEventListener("pageshow", (event) => {
    const [arrival] = performance.getEntriesByType("navigation");
    if (page && event.persisted) window.location.reload();
    else if (!page && (event.persisted || arrival?.type === "back_forward")) fetchCart(document.body);
  });
})();
