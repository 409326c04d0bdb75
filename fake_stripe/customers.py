"""What a customer does on the payment page: pay, authenticate, or let the session expire."""

from collections.abc import Mapping
from typing import Any

from fake_stripe.account import NO_REQUEST, Account, Call
from fake_stripe.cards import Card, card_of
from fake_stripe.errors import StripeError
from fake_stripe.events import emit
from fake_stripe.params import is_email, merge_metadata
from fake_stripe.resources import (
    disputes,
    line_items,
    payment_methods,
    payment_objects,
    payments,
    session_object,
    sessions,
    taxes,
)
from fake_stripe.resources.payment_methods import Method
from fake_stripe.store import Json

ADDRESS = {
    "city": "London",
    "country": "GB",
    "line1": "12 St James's Square",
    "line2": None,
    "postal_code": "SW1Y 4JH",
    "state": None,
}
DELAYED = ("us_bank_account", "sepa_debit")


class Refused(Exception):
    """The payment was refused and the session stays as it was. `field` names the input to correct."""

    def __init__(self, message: str, *, field: str = "card", code: str | None = None) -> None:
        super().__init__(message)
        self.message, self.field, self.code = message, field, code


class CardDeclined(Refused):
    """The card was declined. The session stays open for another card."""

    def __init__(self, message: str, code: str, decline_code: str | None) -> None:
        super().__init__(message, code=code)
        self.decline_code = decline_code


class AuthenticationNeeded(Refused):
    """The bank requires authentication: call `pay` again with `authenticated` True or False."""

    def __init__(self) -> None:
        super().__init__("Your bank requires authentication.", code="authentication_required")


class SessionEnded(Refused):
    """The session is complete or has expired."""

    def __init__(self, status: str) -> None:
        super().__init__(f"This checkout session is {status}.", field="session", code=status)
        self.status = status


class Customers:
    def __init__(self, account: Account) -> None:
        self._account = account

    def pay(
        self,
        session_id: str,
        *,
        card: str = "4242424242424242",
        email: str = "ada@example.com",
        name: str = "Ada Lovelace",
        phone: str | None = None,
        address: Mapping[str, Any] | None = None,
        billing_address: Mapping[str, Any] | None = None,
        shipping_rate: str | None = None,
        custom_fields: Mapping[str, str] | None = None,
        delayed: bool = False,
        authenticated: bool | None = None,
        method: Method | None = None,
        quantities: Mapping[int, int] | None = None,
        added: Mapping[str, int] | None = None,
        local_currency: str | None = None,
        presented: tuple[str, int] | None = None,
    ) -> Json:
        """Fill in the payment page and submit it; returns the completed session.

        address: where the parcel goes, in a session that asks for it.
        billing_address: the card's, where it differs from `address`.
        delayed: pay by bank debit. The session completes unpaid, and `settle_delayed` decides the payment.
        shipping_rate: the id of one of the session's options; the first by default.
        authenticated: the answer to the bank's question, for cards that require authentication.
        method: a payment method of the API, instead of `card` and `delayed`.
        quantities: new quantities of lines with `adjustable_quantity`, by the line's index.
        added: quantities by price of what the customer adds on the page, where the owner has switched on cross-sells:
            https://docs.stripe.com/payments/checkout/cross-sells
        local_currency: charge the prices' amounts in this currency of their `currency_options`, as Stripe does by the
            customer's place unless the session was opened with a currency.
            https://docs.stripe.com/payments/currencies/localize-prices/manual-currency-prices
        presented: currency and total that the customer sees and pays, where Adaptive Pricing converts the amount.
            https://docs.stripe.com/payments/currencies/localize-prices/adaptive-pricing

        Raises Refused or a subclass and leaves the session open. A failed attempt creates its events.
        """
        account = self._account
        account.tick()
        refusal: Refused | None = None
        with account.store.transaction():
            session = self._open_session(session_id)
            call = self._call(session)
            # Fill in the page. What is on it decides the total.
            session = _change_lines(call, session, quantities or {}, added or {})
            session = _in_currency(call, session, local_currency, presented)
            session = _fill_in(call, session, email, name, phone, address, shipping_rate, custom_fields)
            if billing_address is not None:
                billing = session_object.full_address(dict(billing_address))
                details = {**session["customer_details"], "address": billing}
                session = {**session, "customer_details": details}
            session = taxes.apply(call, session)
            if session["amount_total"] == 0:
                return _complete(call, session, "no_payment_required")
            # Submit it.
            method = _method_for(call, session, method, card, delayed=delayed)
            intent, refusal = _try(call, session, method, authenticated)
            session = {**session, **_paid_by(call, session, intent)}
            if refusal is None and intent["status"] == "succeeded":
                session = _complete(call, session, "paid")
                disputes.open_by_card(call, intent, method.card)
                return session
            if refusal is None:
                return _complete(call, session, "unpaid")
            # The failed attempt stays with the session, whose page takes another one.
            account.change(self._open_session(session_id), payment_intent=session["payment_intent"])
        raise refusal

    def _open_session(self, session_id: str) -> Json:
        session = self._account.store.get("checkout.session", session_id)
        if session is None:
            raise StripeError(
                f"No such checkout.session: '{session_id}'", status=404, code="resource_missing"
            )
        if session["status"] != "open":
            raise SessionEnded(session["status"])
        return session

    def _call(self, session: Json) -> Call:
        call = Call(self._account, NO_REQUEST, session["livemode"])
        call.cause = payments.page_cause(call)
        return call

    def expire(self, session_id: str) -> Json:
        with self._account.store.transaction():
            session = self._open_session(session_id)
            return sessions.end(Call(self._account, NO_REQUEST, session["livemode"]), session)

    def settle_delayed(self, session_id: str, *, succeeded: bool = True) -> Json:
        """Let the bank debit of a completed, unpaid session succeed or fail; returns the session."""
        with self._account.store.transaction():
            session = self._account.store.get("checkout.session", session_id)
            if session is None or session["status"] != "complete" or session["payment_status"] != "unpaid":
                raise StripeError(f"The session {session_id} is not waiting for a delayed payment.")
            call = Call(self._account, NO_REQUEST, session["livemode"])
            intent = self._account.find("payment_intent", session["payment_intent"], session["livemode"])
            if intent["status"] != "processing":
                raise StripeError(f"The payment of session {session_id} has already been settled.")
            payments.settle(call, intent, succeeded=succeeded)
            outcome = "succeeded" if succeeded else "failed"
            if succeeded:
                session = self._account.change(session, payment_status="paid")
            emit(call, f"checkout.session.async_payment_{outcome}", session)
            return session


def _method_for(call: Call, session: Json, given: Method | None, number: str, *, delayed: bool) -> Method:
    # `given` by its id in the API, or a card or bank account that is typed on the page.
    accepted = session["payment_method_types"]
    kind = "card" if not delayed else next((each for each in DELAYED if each in accepted), DELAYED[0])
    if (given.row["type"] if given else kind) not in accepted:
        raise Refused("This checkout does not accept that payment method.", field="method")
    if given is None:
        return _new_method(call, session, kind, number)
    payment_methods.use_up(call, given)
    return given


def _new_method(call: Call, session: Json, kind: str, number: str) -> Method:
    billing = {**_billing(session["customer_details"]), "tax_id": None}
    card = _card(number) if kind == "card" else None
    return Method(payment_objects.new_method(call, kind, card, billing), card)


def _card(number: str) -> Card:
    try:
        return card_of(number)
    except ValueError as error:
        raise Refused(str(error), code="incorrect_number") from None


def _change_lines(call: Call, session: Json, quantities: Mapping[int, int], added: Mapping[str, int]) -> Json:
    """Change quantities and add lines; returns the session with the new totals, which a declined card keeps."""
    if not quantities and not added:
        return session
    items = (call.account.store.get("session_lines", session["id"]) or {"lines": []})["lines"]
    items = [_with_quantity(item, quantities.get(index)) for index, item in enumerate(items)]
    if added:
        asked = [{"price": price, "quantity": quantity} for price, quantity in added.items()]
        items += line_items.make(call, asked, session["currency"])[0]
    line_items.keep(call, session["id"], items)
    options = session["shipping_options"]
    return call.account.change(session, **line_items.totals(items, options[0] if options else None))


def _in_currency(
    call: Call, session: Json, local_currency: str | None, presented: tuple[str, int] | None
) -> Json:
    if local_currency:
        session = _localize(call, session, local_currency)
    if presented:
        details = {"presentment_amount": presented[1], "presentment_currency": presented[0]}
        session = {**session, "presentment_details": details}
    return session


def _localize(call: Call, session: Json, currency: str) -> Json:
    kept = call.account.store.get("session_lines", session["id"]) or {"lines": []}
    if kept.get("currency_is_given"):
        raise Refused("This checkout has a fixed currency.", field="currency")
    asked = [{"price": item["price"], "quantity": item["quantity"]} for item in kept["lines"]]
    localized = line_items.make(call, asked, currency)[0]
    amounts = ("amount_subtotal", "amount_total", "currency")
    items = [
        {**item, **{name: new[name] for name in amounts}}
        for item, new in zip(kept["lines"], localized, strict=True)
    ]
    line_items.keep(call, session["id"], items)
    totals = line_items.totals(items, None)
    return call.account.change(session, currency=currency, shipping_options=[], **totals)


def _with_quantity(item: Json, quantity: int | None) -> Json:
    if quantity is None:
        return item
    limits = item["adjustable_quantity"]
    if limits is None or not max(limits["minimum"], 1) <= quantity <= limits["maximum"]:
        raise Refused(f"The quantity cannot be {quantity}.", field="quantity")
    total = item["amount_subtotal"] // item["quantity"] * quantity
    return {**item, "quantity": quantity, "amount_subtotal": total, "amount_total": total}


def _fill_in(
    call: Call,
    session: Json,
    email: str,
    name: str,
    phone: str | None,
    address: Mapping[str, Any] | None,
    shipping_rate: str | None,
    custom_fields: Mapping[str, str] | None,
) -> Json:
    """Check the customer's input and return the session with it; nothing is stored yet."""
    email = session["customer_email"] or email.strip()
    if not is_email(email):
        raise Refused("Please enter an email address.", field="email")
    if not name.strip():
        raise Refused("Please enter your name.", field="name")
    wants_phone = session["phone_number_collection"]["enabled"]
    phone = (phone or ("+442079460018" if phone is None else "")) if wants_phone else None
    if wants_phone and not phone:
        raise Refused("Please enter a phone number.", field="phone")
    buyer_address = _address(session, address)
    details = session_object.customer_details(email=email, name=name, phone=phone, address=buyer_address)
    session = {**session, "customer_details": details}
    if session["shipping_address_collection"]:
        details = {"address": buyer_address, "name": name}
        collected = {"business_name": None, "individual_name": None, "shipping_details": details}
        session["collected_information"] = collected
    session["custom_fields"] = [_filled(field, custom_fields or {}) for field in session["custom_fields"]]
    return {**session, **_shipping(call, session, shipping_rate)}


def _address(session: Json, given: Mapping[str, Any] | None) -> Json:
    wanted = session["shipping_address_collection"]
    allowed = wanted["allowed_countries"] if wanted else None
    if given is None:
        country = "GB" if allowed is None or "GB" in allowed else allowed[0]
        if allowed is None and session["billing_address_collection"] != "required":
            return {**dict.fromkeys(ADDRESS), "country": country, "postal_code": ADDRESS["postal_code"]}
        return {**ADDRESS, "country": country}
    address = session_object.full_address({key: value or None for key, value in given.items()})
    if allowed is not None and not (address["line1"] and address["country"]):
        raise Refused("Please enter a shipping address.", field="line1")
    if allowed is not None and address["country"] not in allowed:
        raise Refused(f"The shop does not ship to {address['country']}.", field="country")
    return address


def _filled(field: Json, given: Mapping[str, str]) -> Json:
    kind, key = field["type"], field["key"]
    value = given.get(key) or field[kind]["default_value"]
    if not value and not field["optional"]:
        raise Refused(f"Please fill in {field['label']['custom']}.", field=key)
    if value:
        _check_custom(field, value)
    return {**field, kind: {**field[kind], "value": value or None}}


def _check_custom(field: Json, value: str) -> None:
    kind, label = field["type"], field["label"]["custom"]
    if kind == "dropdown":
        fits = value in [option["value"] for option in field[kind]["options"]]
    else:
        minimum, maximum = field[kind]["minimum_length"] or 0, field[kind]["maximum_length"] or 255
        fits = minimum <= len(value) <= maximum and (kind == "text" or value.isdecimal())
    if not fits:
        raise Refused(f"{value[:50]!r} is not a valid value for {label}.", field=field["key"])


def _shipping(call: Call, session: Json, chosen: str | None) -> Json:
    options = session["shipping_options"]
    if not options:
        return {}
    wanted = [o for o in options if chosen is None or o["shipping_rate"] == chosen]
    if not wanted:
        raise Refused("Please choose a shipping option.", field="shipping_rate")
    items = (call.account.store.get("session_lines", session["id"]) or {"lines": []})["lines"]
    return line_items.totals(items, wanted[0])


def _try(
    call: Call, session: Json, chosen: Method, authenticated: bool | None
) -> tuple[Json, Refused | None]:
    """One attempt to pay: returns the intent after it, and the refusal if it failed."""
    intent, method, card = _intent(call, session), chosen.row, chosen.card
    if card is None:
        return payments.start_processing(call, intent, method), None
    if card.refused:
        code, decline_code, message = card.refused
        return payments.decline(call, intent, method, card), CardDeclined(message, code, decline_code)
    if card.asks and authenticated is None:
        return payments.ask(call, intent, method), AuthenticationNeeded()
    if card.asks and not authenticated:
        intent = payments.fail_authentication(call, intent, method)
        error = intent["last_payment_error"]
        return intent, CardDeclined(error["message"], error["code"], None)
    if intent["capture_method"] == "manual":
        return payments.authorize(call, intent, method, card), None
    return payments.succeed(call, intent, method, card), None


def _billing(details: Json) -> Json:
    return {name: details[name] for name in ("address", "email", "name", "phone")}


def _intent(call: Call, session: Json) -> Json:
    """The session's payment intent: from an earlier attempt, or created from its `payment_intent_data`."""
    if session["payment_intent"]:
        intent = call.account.find("payment_intent", session["payment_intent"], session["livemode"])
        return call.account.change(intent, amount=session["amount_total"], shipping=_parcel(session))
    data = call.account.store.get("session_intent_data", session["id"]) or {}
    fields = {name: value for name, value in data.items() if name != "metadata"}
    if not fields.get("shipping"):
        fields["shipping"] = _parcel(session)
    if "presentment_details" in session:
        fields["presentment_details"] = session["presentment_details"]
    return payment_objects.new_intent(
        call,
        amount=session["amount_total"],
        currency=session["currency"],
        metadata=merge_metadata({}, data.get("metadata")),
        payment_method_types=session["payment_method_types"],
        **fields,
    )


def _paid_by(call: Call, session: Json, intent: Json) -> Json:
    """What a session names as its payment. A subscription's is that of its first invoice, which the session names."""
    if session["mode"] == "payment":
        return {"payment_intent": intent["id"]}
    return {name: call.new_id(name) for name in ("subscription", "invoice")}


def _parcel(session: Json) -> Json | None:
    details = (session["collected_information"] or {}).get("shipping_details")
    if not details:
        return None
    phone = session["customer_details"]["phone"]
    return {**details, "carrier": None, "phone": phone, "tracking_number": None}


def _complete(call: Call, session: Json, payment_status: str) -> Json:
    session = call.account.change(session, status="complete", payment_status=payment_status, url=None)
    emit(call, "checkout.session.completed", session, cause=NO_REQUEST)
    return session
