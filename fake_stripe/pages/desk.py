"""What happens at the dashboard? Each view finds its rows, does at most one act, and answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

from fake_stripe import deliveries
from fake_stripe.account import BY_ITSELF, Call
from fake_stripe.courier import valid_secrets
from fake_stripe.errors import StripeError
from fake_stripe.pages import event_pages, money_pages, product_draft, product_pages, trouble_pages
from fake_stripe.pages.amounts import minor
from fake_stripe.pages.html import Markup, escape, join
from fake_stripe.pages.parts import desk_page
from fake_stripe.pages.product_draft import Draft
from fake_stripe.pages.web import Answer, Refused, Request, redirect
from fake_stripe.people import Refused as NotPossible
from fake_stripe.resources import products as product_rules
from fake_stripe.resources import webhook_endpoints

if TYPE_CHECKING:
    from fake_stripe.fake import FakeStripe

Json = Mapping[str, Any]
Act = TypeVar("Act")
ROWS = 50
CHECK = "Nothing was done yet. Please look at the marked field."
SAID = {
    "saved": "Saved.",
    "unchanged": "Nothing was changed.",
    "refunded": "Refunded. The shop will hear of it.",
    "failed": "The refund came back.",
    "expired": "The checkout has expired.",
    "settled": "The debit came through.",
    "bounced": "The debit came back.",
    "sent": "On its way again.",
    "switched": "Switched.",
    "rolled": "There is a new secret. The old one stays valid for 24 hours.",
    "added": "In force from now on.",
    "removed": "Removed.",
    "cleared": "Everything works again.",
    "forwarded": "Time has passed.",
    "limited": "Set.",
}


def home(fake: FakeStripe, request: Request) -> Answer:
    """`/`"""
    return redirect("/dashboard")


def overview(fake: FakeStripe, request: Request) -> Answer:
    """`/dashboard`: how much there is of everything."""
    counts = [
        ("/dashboard/products", len(fake.products), "products"),
        ("/dashboard/payments", len(fake.sessions), "checkouts"),
        ("/dashboard/payments", len(fake.payment_intents), "payments"),
        ("/dashboard/events", len(fake.events), "events"),
        ("/dashboard/webhooks", len(fake.webhook_endpoints), "webhook endpoints"),
        ("/dashboard/trouble", len(fake.faults.listed()), "faults in force"),
    ]
    tiles = join(
        Markup(f'<li><a class="sheet fact" href="{path}"><strong>{count:,}</strong> {escape(words)}</a></li>')
        for path, count, words in counts
    )
    lately = event_pages.event_list(_newest(fake, "event", 8), "", None, search=False)
    content = join([Markup(f'<ul class="facts">{tiles}</ul>'), Markup("<h2>Lately</h2>"), lately])
    return _page(fake, request, "/dashboard", "What there is", content)


def products(fake: FakeStripe, request: Request) -> Answer:
    """`/dashboard/products`"""
    content = product_pages.product_list(_newest(fake, "product", 500), fake.prices)
    return _page(fake, request, "/dashboard/products", "Products", content)


def product(fake: FakeStripe, request: Request) -> Answer:
    """`/dashboard/products/<id>`: look, or save the form."""
    found = _found(fake, "product", request.args["product"])
    if request.method == "POST":
        return _save_product(fake, request, found)
    return _product(fake, request, found, product_draft.of_product(found))


def _product(fake: FakeStripe, request: Request, found: Json, draft: Draft, problem: str = "") -> Answer:
    prices = [row for row in _newest(fake, "price", None) if row["product"] == found["id"]]
    content = product_pages.product_page(found, prices, draft)
    return _page(fake, request, "/dashboard/products", found["name"], content, problem)


def _save_product(fake: FakeStripe, request: Request, found: Json) -> Answer:
    draft = product_draft.of_form(request)
    sent = draft.changes(everything=bool(request.value("all_keys")))
    if not sent:
        return _done(request, "unchanged")
    try:
        fake.dashboard.edit_product(found["id"], **product_rules.UPDATE.read_all(sent))
    except StripeError as error:
        return _product(fake, request, found, draft, error.message)
    return _done(request, "saved")


def payments(fake: FakeStripe, request: Request) -> Answer:
    """`/dashboard/payments`"""
    rows = _newest(fake, "checkout.session", ROWS), _newest(fake, "payment_intent", ROWS)
    return _page(fake, request, "/dashboard/payments", "Payments", money_pages.payment_list(*rows))


def checkout(fake: FakeStripe, request: Request) -> Answer:
    """`/dashboard/checkouts/<id>`: look, expire it, or settle its debit."""
    session = _found(fake, "checkout.session", request.args["session"])
    acts: dict[str, tuple[Callable[[], object], str]] = {
        "expire": (lambda: fake.expire(session["id"]), "expired"),
        "settle": (lambda: fake.settle_delayed(session["id"], succeeded=True), "settled"),
        "bounce": (lambda: fake.settle_delayed(session["id"], succeeded=False), "bounced"),
    }
    problem = ""
    if request.method == "POST":
        act, word = _chosen(acts, request)
        problem = _tried(act)
        if not problem:
            return _done(request, word)
        session = _found(fake, "checkout.session", session["id"])
    content = money_pages.checkout_page(session, fake.lines(session["id"]))
    return _page(fake, request, "/dashboard/payments", "Checkout", content, problem)


def payment(fake: FakeStripe, request: Request) -> Answer:
    """`/dashboard/payments/<id>`: look, refund, or let a refund fail."""
    intent = _found(fake, "payment_intent", request.args["intent"])
    errors: dict[str, str] = {}
    problem = ""
    if request.method == "POST":
        if request.value("do") == "fail_refund":
            problem = _tried(lambda: fake.dashboard.fail_refund(request.value("refund")))
        else:
            errors = _refund(fake, request, intent)
        if not problem and not errors:
            return _done(request, "failed" if request.value("do") == "fail_refund" else "refunded")
        problem = problem or CHECK
    content = money_pages.payment_page(intent, *_money_of(fake, intent), request.sent, errors)
    return _page(fake, request, "/dashboard/payments", "Payment", content, problem)


def _money_of(fake: FakeStripe, intent: Json) -> tuple[Json | None, list[Json]]:
    charge = fake.account.store.get("charge", intent["latest_charge"] or "")
    refunds = [row for row in _newest(fake, "refund", None) if row["payment_intent"] == intent["id"]]
    return charge, refunds


def _refund(fake: FakeStripe, request: Request, intent: Json) -> dict[str, str]:
    """Refund what the form says; what is wrong with it, by field, if it is not done."""
    amount = minor(request.value("amount"), intent["currency"])
    if not amount:
        return {"amount": "An amount, such as 12.50."}
    if request.value("reason") not in dict(money_pages.REASONS):
        return {"reason": "Please choose one of the list."}
    key = request.value("note_key")
    try:
        fake.refund(
            payment_intent=intent["id"],
            amount=amount,
            reason=request.value("reason") or None,
            metadata={key: request.value("note_value")} if key else None,
        )
    except StripeError as error:
        return {"amount": error.message}
    return {}


def events(fake: FakeStripe, request: Request) -> Answer:
    """`/dashboard/events?type=&before=`: the newest, by type, a page at a time."""
    wanted = request.query.get("type", "")
    with fake.account.store.lock:
        rows = list(itertools.islice(_events(fake, wanted, request.query.get("before")), ROWS + 1))
    more = urlencode({"type": wanted, "before": rows[ROWS - 1]["id"]}) if len(rows) > ROWS else None
    content = event_pages.event_list(rows[:ROWS], wanted, f"/dashboard/events?{more}" if more else None)
    return _page(fake, request, "/dashboard/events", "Events", content)


def _events(fake: FakeStripe, wanted: str, before: str | None) -> Iterator[Json]:
    table = fake.account.store.table("event")
    place = table.place(before) if before in table.rows else None
    for event in table.newest_first(place):
        if not wanted or fnmatchcase(event["type"], wanted):
            yield event


def event(fake: FakeStripe, request: Request) -> Answer:
    """`/dashboard/events/<id>`: look, or send it again."""
    found = _found(fake, "event", request.args["event"])
    problem = ""
    if request.method == "POST":
        endpoint = _found(fake, "webhook_endpoint", request.value("endpoint"))
        problem = _tried(lambda: fake.dashboard.resend(found["id"], endpoint["id"]))
        if not problem:
            return _done(request, "sent")
    content = event_pages.event_page(
        found, deliveries.of_event(fake.account, found["id"]), fake.webhook_endpoints
    )
    return _page(fake, request, "/dashboard/events", found["type"], content, problem)


def webhooks(fake: FakeStripe, request: Request) -> Answer:
    """`/dashboard/webhooks`: look, switch one off or on, roll a secret."""
    if request.method == "POST":
        endpoint = _found(fake, "webhook_endpoint", request.value("endpoint"))
        if request.value("do") == "roll":
            fake.dashboard.roll_secret(endpoint["id"])
            return _done(request, "rolled")
        _switch(fake, endpoint, on=request.value("do") == "enable")
        return _done(request, "switched")
    rows = _newest(fake, "webhook_endpoint", None)
    secrets = {row["id"]: valid_secrets(fake.account, row["id"]) for row in rows}
    return _page(fake, request, "/dashboard/webhooks", "Webhooks", event_pages.endpoint_list(rows, secrets))


def _switch(fake: FakeStripe, endpoint: Json, *, on: bool) -> None:
    call = Call(fake.account, BY_ITSELF, fake.livemode, {"disabled": not on}, {"id": endpoint["id"]})
    with fake.account.store.transaction():
        webhook_endpoints.update(call)


def trouble(fake: FakeStripe, request: Request) -> Answer:
    """`/dashboard/trouble`: faults in force, a new one, time that passes, limits."""
    errors: dict[str, str] = {}
    if request.method == "POST":
        acts: dict[str, tuple[Callable[[], dict[str, str]], str]] = {
            "add": (lambda: _add_fault(fake, request), "added"),
            "remove": (lambda: _remove_fault(fake, request), "removed"),
            "clear": (lambda: _clear_faults(fake), "cleared"),
            "forward": (lambda: _forward(fake, request), "forwarded"),
            "limits": (lambda: _set_limits(fake, request), "limited"),
        }
        act, word = _chosen(acts, request)
        errors = act()
        if not errors:
            return _done(request, word)
    limits = trouble_pages.Limits(fake.api.limits.enforced, fake.api.locks.patience)
    content = trouble_pages.trouble_page(fake.faults.listed(), limits, request.sent, errors)
    return _page(fake, request, "/dashboard/trouble", "Trouble and time", content, CHECK if errors else "")


def _add_fault(fake: FakeStripe, request: Request) -> dict[str, str]:
    given, errors = trouble_pages.options(request.sent)
    if not errors:
        try:
            fake.faults.add(request.value("kind"), **given)
        except ValueError as error:
            return {"kind": str(error)}
    return errors


def _forward(fake: FakeStripe, request: Request) -> dict[str, str]:
    if request.value("seconds_on") not in dict(trouble_pages.SKIPS):
        return {"seconds_on": "Please choose one of the list."}
    fake.forward(int(request.value("seconds_on")))
    return {}


def _set_limits(fake: FakeStripe, request: Request) -> dict[str, str]:
    given, errors = trouble_pages.limits(request.sent)
    if not errors:
        fake.api.limits.enforced, fake.api.locks.patience = given.enforced, given.patience
    return errors


def _remove_fault(fake: FakeStripe, request: Request) -> dict[str, str]:
    fake.faults.remove(request.value("rule"))
    return {}


def _clear_faults(fake: FakeStripe) -> dict[str, str]:
    fake.faults.clear()
    return {}


def _chosen(acts: Mapping[str, Act], request: Request) -> Act:
    if request.value("do") not in acts:
        raise Refused(HTTPStatus.BAD_REQUEST, "This button is not known here. Nothing was done.")
    return acts[request.value("do")]


def _tried(act: Callable[[], object]) -> str:
    """Do it; the sentence of why not, if it cannot be done."""
    try:
        act()
    except StripeError as error:
        return error.message
    except NotPossible as error:
        return error.message
    return ""


def _found(fake: FakeStripe, kind: str, id: str) -> Json:
    row = fake.account.store.get(kind, id)
    if row is None:
        raise Refused(HTTPStatus.NOT_FOUND, f"There is no {kind.replace('_', ' ')} called {id[:80]}.")
    return row


def _newest(fake: FakeStripe, kind: str, limit: int | None) -> list[Json]:
    with fake.account.store.lock:
        return list(itertools.islice(fake.account.store.table(kind).newest_first(), limit))


def _done(request: Request, word: str) -> Answer:
    """Go back to the page that the form stands on, with a sentence of what was done."""
    return redirect(f"{quote(request.path)}?{urlencode({'done': word})}")


def _page(
    fake: FakeStripe, request: Request, tab: str, headline: str, content: Markup, problem: str = ""
) -> Answer:
    said = "" if request.method == "POST" else SAID.get(request.query.get("done", ""), "")
    body = desk_page(tab, headline, content, now=fake.clock.now(), said=said, problem=problem)
    return Answer(body, HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK)
