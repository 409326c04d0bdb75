"""The views of the dashboard. Each finds its rows, runs at most one action, and answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from fake_stripe import deliveries
from fake_stripe.account import NO_REQUEST, Call
from fake_stripe.backend import Backend
from fake_stripe.courier import valid_secrets
from fake_stripe.customers import Refused as NotPossible
from fake_stripe.errors import StripeError
from fake_stripe.pages import event_pages, fault_pages, money_pages, product_draft, product_pages
from fake_stripe.pages.amounts import minor
from fake_stripe.pages.html import Markup, escape, join
from fake_stripe.pages.parts import dashboard_page
from fake_stripe.pages.product_draft import Draft
from fake_stripe.pages.web import Answer, Refused, Request, redirect
from fake_stripe.resources import products as product_rules
from fake_stripe.resources import webhook_endpoints

Json = Mapping[str, Any]
Act = TypeVar("Act")
ROWS = 50
CHECK = "Not saved. Please correct the marked field."
MESSAGES = {
    "saved": "Saved.",
    "unchanged": "No changes.",
    "refunded": "Refunded. The shop is notified by a webhook.",
    "failed": "The refund has failed.",
    "expired": "The checkout has expired.",
    "settled": "The debit succeeded.",
    "bounced": "The debit failed.",
    "sent": "Event resent.",
    "switched": "Endpoint updated.",
    "rolled": "Secret rolled. The old one stays valid for 24 hours.",
    "added": "Fault added.",
    "removed": "Fault removed.",
    "cleared": "All faults removed.",
    "forwarded": "Clock moved.",
    "limited": "Limits saved.",
}


def home(backend: Backend, request: Request) -> Answer:
    """`/`"""
    return redirect("/dashboard")


def overview(backend: Backend, request: Request) -> Answer:
    """`/dashboard`: counts and recent events."""
    counts = [
        ("/dashboard/products", len(backend.rows("product")), "products"),
        ("/dashboard/payments", len(backend.rows("checkout.session")), "checkouts"),
        ("/dashboard/payments", len(backend.rows("payment_intent")), "payments"),
        ("/dashboard/events", len(backend.rows("event")), "events"),
        ("/dashboard/webhooks", len(backend.rows("webhook_endpoint")), "webhook endpoints"),
        ("/dashboard/faults", len(backend.faults.listed()), "active faults"),
    ]
    tiles = join(
        Markup(f'<li><a class="sheet fact" href="{path}"><strong>{count:,}</strong> {escape(words)}</a></li>')
        for path, count, words in counts
    )
    lately = event_pages.event_list(_newest(backend, "event", 8), "", None, search=False)
    content = join([Markup(f'<ul class="facts">{tiles}</ul>'), Markup("<h2>Recent events</h2>"), lately])
    return _page(backend, request, "/dashboard", "Overview", content)


def products(backend: Backend, request: Request) -> Answer:
    """`/dashboard/products`"""
    content = product_pages.product_list(_newest(backend, "product", 500), backend.rows("price"))
    return _page(backend, request, "/dashboard/products", "Products", content)


def product(backend: Backend, request: Request) -> Answer:
    """`/dashboard/products/<id>`: show a product, or save its form."""
    row = _get_or_404(backend, "product", request.args["product"])
    if request.method == "POST":
        return _save_product(backend, request, row)
    return _product(backend, request, row, product_draft.of_product(row))


def _product(backend: Backend, request: Request, row: Json, draft: Draft, problem: str = "") -> Answer:
    prices = [price for price in _newest(backend, "price", None) if price["product"] == row["id"]]
    content = product_pages.product_page(row, prices, draft)
    return _page(backend, request, "/dashboard/products", row["name"], content, problem)


def _save_product(backend: Backend, request: Request, row: Json) -> Answer:
    draft = product_draft.of_form(request)
    sent = draft.changes(everything=bool(request.value("all_keys")))
    if not sent:
        return _redirect_back(request, "unchanged")
    try:
        backend.dashboard.edit_product(row["id"], **product_rules.UPDATE.read_all(sent))
    except StripeError as error:
        return _product(backend, request, row, draft, error.message)
    return _redirect_back(request, "saved")


def payments(backend: Backend, request: Request) -> Answer:
    """`/dashboard/payments`"""
    rows = _newest(backend, "checkout.session", ROWS), _newest(backend, "payment_intent", ROWS)
    return _page(backend, request, "/dashboard/payments", "Payments", money_pages.payment_list(*rows))


def checkout(backend: Backend, request: Request) -> Answer:
    """`/dashboard/checkouts/<id>`: show a session, expire it, or settle its debit."""
    session = _get_or_404(backend, "checkout.session", request.args["session"])
    acts: dict[str, tuple[Callable[[], object], str]] = {
        "expire": (lambda: backend.customers.expire(session["id"]), "expired"),
        "settle": (lambda: backend.customers.settle_delayed(session["id"], succeeded=True), "settled"),
        "bounce": (lambda: backend.customers.settle_delayed(session["id"], succeeded=False), "bounced"),
    }
    problem = ""
    if request.method == "POST":
        act, word = _pick(acts, request)
        problem = _error_of(act)
        if not problem:
            return _redirect_back(request, word)
        session = _get_or_404(backend, "checkout.session", session["id"])
    content = money_pages.checkout_page(session, backend.lines(session["id"]))
    return _page(backend, request, "/dashboard/payments", "Checkout", content, problem)


def payment(backend: Backend, request: Request) -> Answer:
    """`/dashboard/payments/<id>`: show a payment, refund it, or let a refund fail."""
    intent = _get_or_404(backend, "payment_intent", request.args["intent"])
    errors: dict[str, str] = {}
    problem = ""
    if request.method == "POST":
        if request.value("do") == "fail_refund":
            problem = _error_of(lambda: backend.dashboard.fail_refund(request.value("refund")))
        else:
            errors = _refund(backend, request, intent)
        if not problem and not errors:
            return _redirect_back(request, "failed" if request.value("do") == "fail_refund" else "refunded")
        problem = problem or CHECK
    content = money_pages.payment_page(intent, *_money_of(backend, intent), request.sent, errors)
    return _page(backend, request, "/dashboard/payments", "Payment", content, problem)


def _money_of(backend: Backend, intent: Json) -> tuple[Json | None, list[Json]]:
    charge = backend.account.store.get("charge", intent["latest_charge"] or "")
    refunds = [row for row in _newest(backend, "refund", None) if row["payment_intent"] == intent["id"]]
    return charge, refunds


def _refund(backend: Backend, request: Request, intent: Json) -> dict[str, str]:
    """Refund as the form says; returns the errors by field."""
    amount = minor(request.value("amount"), intent["currency"])
    if not amount:
        return {"amount": "Enter an amount, such as 12.50."}
    if request.value("reason") not in dict(money_pages.REASONS):
        return {"reason": "Please choose an option from the list."}
    key = request.value("note_key")
    try:
        backend.dashboard.refund(
            payment_intent=intent["id"],
            amount=amount,
            reason=request.value("reason") or None,
            metadata={key: request.value("note_value")} if key else None,
        )
    except StripeError as error:
        return {"amount": error.message}
    return {}


def events(backend: Backend, request: Request) -> Answer:
    """`/dashboard/events?type=&before=`: the newest events, filtered by type and paginated."""
    wanted = request.query.get("type", "")
    with backend.account.store.lock:
        rows = list(itertools.islice(_events(backend, wanted, request.query.get("before")), ROWS + 1))
    more = urlencode({"type": wanted, "before": rows[ROWS - 1]["id"]}) if len(rows) > ROWS else None
    content = event_pages.event_list(rows[:ROWS], wanted, f"/dashboard/events?{more}" if more else None)
    return _page(backend, request, "/dashboard/events", "Events", content)


def _events(backend: Backend, wanted: str, before: str | None) -> Iterator[Json]:
    table = backend.account.store.table("event")
    place = table.place(before) if before in table.rows else None
    for event in table.newest_first(place):
        if not wanted or fnmatchcase(event["type"], wanted):
            yield event


def event(backend: Backend, request: Request) -> Answer:
    """`/dashboard/events/<id>`: show an event, or resend it."""
    row = _get_or_404(backend, "event", request.args["event"])
    problem = ""
    if request.method == "POST":
        endpoint = _get_or_404(backend, "webhook_endpoint", request.value("endpoint"))
        problem = _error_of(lambda: backend.dashboard.resend(row["id"], endpoint["id"]))
        if not problem:
            return _redirect_back(request, "sent")
    content = event_pages.event_page(
        row, deliveries.of_event(backend.account, row["id"]), backend.rows("webhook_endpoint")
    )
    return _page(backend, request, "/dashboard/events", row["type"], content, problem)


def webhooks(backend: Backend, request: Request) -> Answer:
    """`/dashboard/webhooks`: show the endpoints, disable or enable one, or roll its secret."""
    if request.method == "POST":
        endpoint = _get_or_404(backend, "webhook_endpoint", request.value("endpoint"))
        if request.value("do") == "roll":
            backend.dashboard.roll_secret(endpoint["id"])
            return _redirect_back(request, "rolled")
        _switch(backend, endpoint, on=request.value("do") == "enable")
        return _redirect_back(request, "switched")
    rows = _newest(backend, "webhook_endpoint", None)
    secrets = {row["id"]: valid_secrets(backend.account, row["id"]) for row in rows}
    return _page(
        backend, request, "/dashboard/webhooks", "Webhooks", event_pages.endpoint_list(rows, secrets)
    )


def _switch(backend: Backend, endpoint: Json, *, on: bool) -> None:
    call = Call(backend.account, NO_REQUEST, backend.livemode, {"disabled": not on}, {"id": endpoint["id"]})
    with backend.account.store.transaction():
        webhook_endpoints.update(call)


def faults(backend: Backend, request: Request) -> Answer:
    """`/dashboard/faults`: show and change faults, the clock and limits."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        acts: dict[str, tuple[Callable[[], dict[str, str]], str]] = {
            "add": (lambda: _add_fault(backend, request), "added"),
            "remove": (lambda: _remove_fault(backend, request), "removed"),
            "clear": (lambda: _clear_faults(backend), "cleared"),
            "forward": (lambda: _forward(backend, request), "forwarded"),
            "limits": (lambda: _set_limits(backend, request), "limited"),
        }
        act, word = _pick(acts, request)
        errors = act()
        if not errors:
            return _redirect_back(request, word)
    limits = fault_pages.Limits(backend.api.limits.enforced, backend.api.locks.patience)
    content = fault_pages.fault_page(backend.faults.listed(), limits, request.sent, errors)
    return _page(backend, request, "/dashboard/faults", "Faults and clock", content, CHECK if errors else "")


def _add_fault(backend: Backend, request: Request) -> dict[str, str]:
    given, errors = fault_pages.options(request.sent)
    if not errors:
        try:
            backend.faults.add(request.value("kind"), **given)
        except ValueError as error:
            return {"kind": str(error)}
    return errors


def _forward(backend: Backend, request: Request) -> dict[str, str]:
    if request.value("seconds_on") not in dict(fault_pages.SKIPS):
        return {"seconds_on": "Please choose an option from the list."}
    backend.clock.forward(int(request.value("seconds_on")))
    return {}


def _set_limits(backend: Backend, request: Request) -> dict[str, str]:
    given, errors = fault_pages.limits(request.sent)
    if not errors:
        backend.api.limits.enforced, backend.api.locks.patience = given.enforced, given.patience
    return errors


def _remove_fault(backend: Backend, request: Request) -> dict[str, str]:
    backend.faults.remove(request.value("rule"))
    return {}


def _clear_faults(backend: Backend) -> dict[str, str]:
    backend.faults.clear()
    return {}


def _pick(acts: Mapping[str, Act], request: Request) -> Act:
    if request.value("do") not in acts:
        raise Refused(HTTPStatus.BAD_REQUEST, "Unknown action. Nothing was changed.")
    return acts[request.value("do")]


def _error_of(act: Callable[[], object]) -> str:
    """Run the action; returns the error message, or an empty text."""
    try:
        act()
    except StripeError as error:
        return error.message
    except NotPossible as error:
        return error.message
    return ""


def _get_or_404(backend: Backend, kind: str, id: str) -> Json:
    row = backend.account.store.get(kind, id)
    if row is None:
        raise Refused(HTTPStatus.NOT_FOUND, f"There is no {kind.replace('_', ' ')} with the id {id[:80]}.")
    return row


def _newest(backend: Backend, kind: str, limit: int | None) -> list[Json]:
    with backend.account.store.lock:
        return list(itertools.islice(backend.account.store.table(kind).newest_first(), limit))


def _redirect_back(request: Request, word: str) -> Answer:
    """Redirect to the page of the form, with the message of what was done."""
    return redirect(f"{quote(request.path)}?{urlencode({'done': word})}")


def _page(
    backend: Backend, request: Request, tab: str, headline: str, content: Markup, problem: str = ""
) -> Answer:
    message = "" if request.method == "POST" else MESSAGES.get(request.query.get("done", ""), "")
    body = dashboard_page(tab, headline, content, now=backend.clock.now(), message=message, problem=problem)
    return Answer(body, HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK)
