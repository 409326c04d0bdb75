"""The table of all API routes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from fake_stripe import params as p
from fake_stripe import payment_pages, thin_events
from fake_stripe.account import Call
from fake_stripe.resources import (
    absent,
    catalog_imports,
    cli_calls,
    disputes,
    event_calls,
    line_items,
    payment_calls,
    payment_methods,
    prices,
    products,
    refunds,
    session_params,
    sessions,
    shipping_rates,
    versions,
    webhook_endpoints,
)
from fake_stripe.store import Json

NOTHING = p.body()
# Without `expand`, since a deleted object has nothing to expand.
BARE = p.Shape({})


@dataclass(frozen=True)
class Route:
    """One API call: method and path pattern, the resource for permissions, its function and its parameters."""

    method: str
    pattern: str
    resource: str
    answer: Callable[[Call], Json]
    shape: p.Shape = NOTHING
    # Translates the parameters of an API version to those of the shape.
    fit: Callable[[Json, str], Json] | None = None

    @property
    def access(self) -> str:
        """The permission a restricted key needs: "read" or "write"."""
        return "read" if self.method == "GET" else "write"


ROUTES = (
    Route("POST", "/v1/products", "products", products.create, products.CREATE),
    Route("GET", "/v1/products", "products", products.list_all, products.LIST),
    Route("GET", "/v1/products/{id}", "products", products.retrieve),
    Route("POST", "/v1/products/{id}", "products", products.update, products.UPDATE),
    Route("GET", "/v1/products/{id}/features", "products", products.list_features, products.LIST_FEATURES),
    Route("DELETE", "/v1/products/{id}", "products", products.delete, BARE),
    Route("POST", "/v1/prices", "prices", products.create_price, prices.CREATE),
    Route("GET", "/v1/prices", "prices", prices.list_all, prices.LIST),
    Route("GET", "/v1/prices/{id}", "prices", prices.retrieve),
    Route("POST", "/v1/prices/{id}", "prices", prices.update, prices.UPDATE),
    Route(
        "POST",
        "/v1/checkout/sessions",
        "checkout_sessions",
        sessions.create,
        session_params.CREATE,
        versions.fit_session,
    ),
    Route("GET", "/v1/checkout/sessions", "checkout_sessions", sessions.list_all, session_params.LIST),
    Route("GET", "/v1/checkout/sessions/{id}", "checkout_sessions", sessions.retrieve),
    Route("POST", "/v1/checkout/sessions/{id}", "checkout_sessions", sessions.update, session_params.UPDATE),
    Route("POST", "/v1/checkout/sessions/{id}/expire", "checkout_sessions", sessions.expire),
    Route(
        "GET",
        "/v1/checkout/sessions/{id}/line_items",
        "checkout_sessions",
        line_items.list_all,
        session_params.LINE_ITEMS,
    ),
    Route("POST", "/v1/shipping_rates", "shipping_rates", shipping_rates.create, shipping_rates.CREATE),
    Route("GET", "/v1/shipping_rates", "shipping_rates", shipping_rates.list_all, shipping_rates.LIST),
    Route("GET", "/v1/shipping_rates/{id}", "shipping_rates", shipping_rates.retrieve),
    Route("POST", "/v1/shipping_rates/{id}", "shipping_rates", shipping_rates.update, shipping_rates.UPDATE),
    Route(
        "POST",
        "/v1/payment_intents",
        "payment_intents",
        payment_calls.create_intent,
        payment_calls.CREATE_INTENT,
        versions.fit_methods,
    ),
    Route(
        "GET",
        "/v1/payment_intents",
        "payment_intents",
        payment_calls.list_intents,
        payment_calls.LIST_INTENTS,
    ),
    Route("GET", "/v1/payment_intents/{id}", "payment_intents", payment_calls.retrieve_intent),
    Route(
        "POST",
        "/v1/payment_intents/{id}",
        "payment_intents",
        payment_calls.update_intent,
        payment_calls.UPDATE_INTENT,
        versions.fit_methods,
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/confirm",
        "payment_intents",
        payment_calls.confirm_intent,
        payment_calls.CONFIRM_INTENT,
        versions.fit_methods,
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/capture",
        "payment_intents",
        payment_calls.capture_intent,
        payment_calls.CAPTURE_INTENT,
    ),
    Route(
        "POST",
        "/v1/payment_intents/{id}/cancel",
        "payment_intents",
        payment_calls.cancel_intent,
        payment_calls.CANCEL_INTENT,
    ),
    Route("POST", "/v1/payment_methods", "payment_methods", payment_methods.create, payment_methods.CREATE),
    Route("GET", "/v1/payment_methods/{id}", "payment_methods", payment_methods.retrieve),
    Route("POST", "/v1/charges", "charges", payment_calls.create_charge, payment_calls.CREATE_CHARGE),
    Route("GET", "/v1/charges", "charges", payment_calls.list_charges, payment_calls.LIST_CHARGES),
    Route("GET", "/v1/charges/{id}", "charges", payment_calls.retrieve_charge),
    Route("POST", "/v1/charges/{id}", "charges", payment_calls.update_charge, payment_calls.UPDATE_CHARGE),
    Route("GET", "/v1/charges/{id}/refunds", "charges", refunds.list_of_charge, refunds.LIST_OF_CHARGE),
    Route("POST", "/v1/refunds", "refunds", refunds.create, refunds.CREATE),
    Route("GET", "/v1/refunds", "refunds", refunds.list_all, refunds.LIST),
    Route("GET", "/v1/refunds/{id}", "refunds", refunds.retrieve),
    Route("POST", "/v1/refunds/{id}", "refunds", refunds.update, refunds.UPDATE),
    Route("GET", "/v1/disputes", "disputes", disputes.list_all, disputes.LIST),
    Route("GET", "/v1/disputes/{id}", "disputes", disputes.retrieve),
    Route("POST", "/v1/disputes/{id}", "disputes", disputes.update, disputes.UPDATE),
    Route("POST", "/v1/disputes/{id}/close", "disputes", disputes.concede),
    Route("GET", "/v1/events", "events", event_calls.list_all, event_calls.LIST),
    Route("GET", "/v1/events/{id}", "events", event_calls.retrieve),
    Route(
        "POST",
        "/v2/commerce/product_catalog/imports",
        "product_catalog_imports",
        catalog_imports.create,
        catalog_imports.CREATE,
    ),
    Route(
        "GET",
        "/v2/commerce/product_catalog/imports/{id}",
        "product_catalog_imports",
        catalog_imports.retrieve,
    ),
    Route("GET", "/v2/core/events/{id}", "events", thin_events.retrieve),
    Route(
        "POST",
        "/v1/webhook_endpoints",
        "webhook_endpoints",
        webhook_endpoints.create,
        webhook_endpoints.CREATE,
    ),
    Route(
        "GET",
        "/v1/webhook_endpoints",
        "webhook_endpoints",
        webhook_endpoints.list_all,
        webhook_endpoints.LIST,
    ),
    Route("GET", "/v1/webhook_endpoints/{id}", "webhook_endpoints", webhook_endpoints.retrieve),
    Route(
        "POST",
        "/v1/webhook_endpoints/{id}",
        "webhook_endpoints",
        webhook_endpoints.update,
        webhook_endpoints.UPDATE,
    ),
    Route("DELETE", "/v1/webhook_endpoints/{id}", "webhook_endpoints", webhook_endpoints.delete, BARE),
    Route("GET", "/v1/account", "account", cli_calls.retrieve_account),
    Route("GET", "/v1/accounts", "account", cli_calls.list_accounts, cli_calls.ACCOUNTS),
    Route("GET", "/v1/payment_pages/{id}", "checkout_sessions", payment_pages.retrieve),
    Route(
        "POST",
        "/v1/payment_pages/{id}/confirm",
        "checkout_sessions",
        payment_pages.confirm,
        payment_pages.CONFIRM,
    ),
    Route("POST", "/v1/events/{id}/retry", "events", cli_calls.retry_event, cli_calls.RETRY),
    Route("POST", "/v1/stripecli/sessions", "stripecli_sessions", cli_calls.open_session, cli_calls.OPEN),
    *(
        Route("GET", f"/v1/{name}", name.rpartition("/")[2], absent.listing_of(name), absent.shape_of(name))
        for name in absent.ABSENT
    ),
)


def _pattern(route: Route) -> re.Pattern[str]:
    return re.compile(re.escape(route.pattern).replace(r"\{id\}", r"([^/]+)") + r"\Z")


_PLAIN = {(r.method, r.pattern): r for r in ROUTES if "{" not in r.pattern}
_WITH_ID = [(r.method, _pattern(r), r) for r in ROUTES if "{" in r.pattern]


def decoded(path: str) -> str:
    """A path with percent-escapes decoded, except slashes inside an id, which `find` decodes."""
    return unquote(re.sub("%2f", "%252F", path, flags=re.IGNORECASE), errors="replace")


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a path and the id in it; None if there is no route."""
    plain = _PLAIN.get((method, path))
    if plain:
        return plain, {}
    if path.endswith("/search"):
        return None  # not an object with this id
    for wanted, pattern, route in _WITH_ID:
        if wanted == method:
            match = pattern.match(path)
            if match:
                return route, {"id": match[1].replace("%2F", "/")}
    return None
