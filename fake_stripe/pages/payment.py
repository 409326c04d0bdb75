"""The view of the hosted payment page.

A declined card leaves the session open. After the payment the buyer waits until the shop has answered
`checkout.session.completed`, at most ten seconds, and is redirected to the shop: https://docs.stripe.com/checkout/fulfillment
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fake_stripe.backend import Backend
from fake_stripe.customers import AuthenticationNeeded, CardDeclined, SessionEnded
from fake_stripe.customers import Refused as Declined
from fake_stripe.pages import entry
from fake_stripe.pages.entry import Entry
from fake_stripe.pages.html import Markup
from fake_stripe.pages.payment_form import Checkout, bank_page, ended_page, pay_page, sample_buyer
from fake_stripe.pages.web import Answer, Refused, Request, origin_of, redirect

Json = Mapping[str, Any]
WEBHOOK_TIMEOUT = 10.0
SESSION_ID_PLACEHOLDER = "{CHECKOUT_SESSION_ID}"


def answer(backend: Backend, request: Request) -> Answer:
    """`/c/pay/<session>`: show the page, or handle its form."""
    session = _session(backend, request.args["session"])
    if session["status"] != "open":
        return _ended(session)
    checkout = _checkout(backend, session)
    if request.method != "POST":
        return _shown(checkout, pay_page(checkout, entry.blank(session)))
    if request.value("fill"):
        return _fill_in(checkout, request)
    if request.value("act") == "total":
        return _shown(checkout, pay_page(checkout, Entry(request.sent)))
    return _pay(backend, checkout, request)


def _session(backend: Backend, session_id: str) -> Json:
    backend.account.tick()
    session = backend.account.store.get("checkout.session", session_id)
    if session is None or session["ui_mode"] != "hosted_page":
        raise Refused(HTTPStatus.NOT_FOUND, "Checkout not found. The link may be incomplete.")
    return session


def _checkout(backend: Backend, session: Json) -> Checkout:
    store = backend.account.store
    with store.lock:
        rates = [
            store.get("shipping_rate", option["shipping_rate"]) for option in session["shipping_options"]
        ]
        whole = [_with_product(backend, line) for line in backend.lines(session["id"])]
    return Checkout(session, tuple(whole), tuple(rate or {} for rate in rates), entry.methods(session))


def _with_product(backend: Backend, line: Json) -> Json:
    price = line["price"] or {}
    product = backend.account.store.get("product", price.get("product", ""))
    return {**line, "price": {**price, "product": product}}


def _shown(checkout: Checkout, body: Markup, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """The answer, with a policy that allows the products' images and the redirect to the shop."""
    pictures = [
        image for line in checkout.lines for image in (line["price"]["product"] or {}).get("images", ())
    ]
    images = {origin for url in pictures if (origin := origin_of(url))}
    shop = {origin for url in (checkout.session["success_url"],) if (origin := origin_of(url))}
    return Answer(body, status, posts_to=frozenset(shop), images_from=frozenset(images))


def _fill_in(checkout: Checkout, request: Request) -> Answer:
    """Fill in the chosen test card, and a sample buyer in the empty fields."""
    typed = {**entry.blank(checkout.session).values, **request.sent}
    filled = Entry(sample_buyer(checkout.session) | {name: value for name, value in typed.items() if value})
    filled.values |= {"card_number": request.value("fill"), "method": entry.CARD}
    return _shown(checkout, pay_page(checkout, filled))


def _pay(backend: Backend, checkout: Checkout, request: Request) -> Answer:
    filled = entry.read(checkout.session, request, backend.clock.now())
    if filled.errors:
        return _shown(checkout, pay_page(checkout, filled), HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        session = backend.customers.pay(checkout.session["id"], **_payment_options(checkout, filled))
    except AuthenticationNeeded:
        return _shown(checkout, bank_page(checkout, filled))
    except SessionEnded:
        return _ended(_session(backend, checkout.session["id"]))
    except Declined as refused:
        return _refused(backend, checkout, filled, refused)
    _wait_for_the_shop(backend, session)
    return _to_the_shop(session)


def _payment_options(checkout: Checkout, filled: Entry) -> dict[str, Any]:
    """The options of Customers.pay from the form."""
    details: dict[str, Any] = {name: filled[name] for name in ("email", "phone")}
    details |= {"card": filled["card_number"], "name": filled["card_name"]}
    details |= {"address": filled.address(checkout.session), "delayed": filled.method == entry.DEBIT}
    details["authenticated"] = {"yes": True, "no": False}.get(filled["authenticated"])
    keys = [custom["key"] for custom in checkout.session["custom_fields"]]
    details["custom_fields"] = {key: filled[f"custom_{key}"] for key in keys}
    options = checkout.session["shipping_options"]
    if options:
        details["shipping_rate"] = options[entry.chosen_shipping(checkout.session, filled)]["shipping_rate"]
    return details


def _refused(backend: Backend, checkout: Checkout, filled: Entry, refused: Declined) -> Answer:
    """Show the page again with the error next to its field. The security code must be entered again."""
    group, keys = entry.group(checkout.session), {one["key"] for one in checkout.session["custom_fields"]}
    inputs = {
        "card": "card_number",
        "name": "card_name",
        "line1": f"{group}_line1",
        "country": f"{group}_country",
    }
    inputs |= {key: f"custom_{key}" for key in keys}
    again = Entry(filled.values, {inputs.get(refused.field, refused.field): refused.message})
    again.values["card_code"] = ""
    status = (
        HTTPStatus.PAYMENT_REQUIRED if isinstance(refused, CardDeclined) else HTTPStatus.UNPROCESSABLE_ENTITY
    )
    return _shown(
        checkout, pay_page(_checkout(backend, _session(backend, checkout.session["id"])), again), status
    )


def _wait_for_the_shop(backend: Backend, session: Json) -> None:
    # Without delivery threads, as in most tests, the event is never sent.
    if not backend.courier.running:
        return
    event = _find_event(backend, lambda row: row["data"]["object"]["id"] == session["id"])
    if event is not None:
        backend.courier.wait_for(event["id"], WEBHOOK_TIMEOUT)


def _find_event(backend: Backend, fits: Callable[[Json], bool]) -> Json | None:
    with backend.account.store.lock:
        rows = backend.account.store.table("event").newest_first()
        return next((row for row in rows if row["type"] == "checkout.session.completed" and fits(row)), None)


def _to_the_shop(session: Json) -> Answer:
    url = str(session["success_url"]).replace(SESSION_ID_PLACEHOLDER, session["id"])
    origin = origin_of(url)
    return redirect(url, posts_to=[origin] if origin else [])


def _ended(session: Json) -> Answer:
    if session["status"] == "complete":
        shop = str(session["success_url"]).replace(SESSION_ID_PLACEHOLDER, session["id"])
        return Answer(
            ended_page(
                "This checkout is already complete", "You were not charged again.", shop, "Back to the shop"
            )
        )
    text = "You were not charged. Return to the shop to check out again."
    return Answer(
        ended_page("This checkout has expired", text, session["cancel_url"], "Back to the shop"),
        HTTPStatus.GONE,
    )
