/* What does the cart do where scripts run? It opens at the edge of the page instead of on one of its own.
 *
 * Forms and links work without this file. With it, htmx sends them, and the answer's HX-Trigger says how many
 * pieces there are now.
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

  document.querySelectorAll(`form[action="${drawer.dataset.addUrl}"]`).forEach(enhance);

  if (link && !page) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      status.textContent = "";
      window.htmx.ajax("GET", drawer.dataset.cartUrl, { target: body, swap: "innerHTML" }).then(open);
    });
  }

  document.body.addEventListener("cart-changed", (event) => show(event.detail.units));

  // A form beside the drawer was sent, and its answer stands in the drawer now.
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === body && event.detail.requestConfig.elt instanceof HTMLFormElement) open();
  });

  // What had the focus may be gone with its line: stay near, instead of starting at the top of the page again.
  document.body.addEventListener("htmx:afterSettle", (event) => {
    const cart = event.detail.target;
    if (!(cart instanceof HTMLElement) || !cart.hasAttribute("data-cart")) return;
    if (document.activeElement && document.activeElement !== document.body && document.activeElement !== drawer) return;
    (cart === body ? document.getElementById("cart-drawer-title") : cart).focus();
  });

  // No answer, or an error page: say so where the customer is looking, and leave the cart as it was.
  for (const trouble of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.body.addEventListener(trouble, (event) => {
      const form = event.detail.elt;
      if (!(form instanceof HTMLFormElement)) return;
      const region = body.contains(form) || !page ? status : document.getElementById("messages");
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

  // Back from Stripe, the browser may show a page as it was left.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    if (page) window.location.reload();
    else window.htmx.ajax("GET", drawer.dataset.cartUrl, { target: body, swap: "innerHTML" });
  });
})();
