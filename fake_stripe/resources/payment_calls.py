"""The calls on payment intents and charges, as far as sessions, refunds and the triggers of the CLI need them.

https://docs.stripe.com/api/payment_intents
"""

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.currencies import MAX_AMOUNT, check_amount, check_charge
from fake_stripe.errors import StripeError
from fake_stripe.events import changed, emit
from fake_stripe.paging import page
from fake_stripe.resources import disputes, payment_methods, payments, session_params
from fake_stripe.resources import payment_objects as objects
from fake_stripe.resources.session_object import EUROS_ONLY, full_address
from fake_stripe.store import Json

LIST_INTENTS = p.listing(created=p.CREATED, customer=p.Text(), customer_account=p.Text())
LIST_CHARGES = p.listing(
    created=p.CREATED, customer=p.Text(), payment_intent=p.Text(), transfer_group=p.Text()
)
AMOUNT = p.Integer(minimum=1, maximum=MAX_AMOUNT)
UPDATE_CHARGE = p.body(description=p.Text(max_length=40000), metadata=p.Metadata(), receipt_email=p.email())
CREATE_CHARGE = p.body(
    required=["amount", "currency", "source"],
    amount=AMOUNT,
    currency=p.Currency(),
    description=p.Text(max_length=40000),
    metadata=p.Metadata(),
    receipt_email=p.email(),
    source=p.Text(),
)
METHODS = p.Shape(
    {"enabled": p.Boolean(), "allow_redirects": p.one_of("always", "never")}, required=("enabled",)
)
SHIPPING = p.Shape(
    {
        "address": session_params.ADDRESS,
        "carrier": p.Text(),
        "name": p.Text(),
        "phone": p.Text(),
        "tracking_number": p.Text(),
    },
    required=("address", "name"),
    unset=True,
)
ACCEPTANCE = p.Shape(
    {
        "accepted_at": p.Integer(minimum=0),
        "offline": p.Shape({}),
        "online": p.Shape({"ip_address": p.Text(), "user_agent": p.Text()}),
        "type": p.one_of("offline", "online"),
    },
    required=("type",),
)
# What can be given at creation, and changed until the payment.
DETAILS: dict[str, p.Kind] = {
    "description": p.Text(max_length=1000, unset=True),
    "metadata": p.Metadata(),
    "payment_method": p.Text(),
    "receipt_email": p.email(),
    "setup_future_usage": p.one_of("off_session", "on_session", unset=True),
    "shipping": SHIPPING,
    "statement_descriptor": p.Text(max_length=22),
    "statement_descriptor_suffix": p.Text(max_length=22),
    "transfer_group": p.Text(),
}
CAPTURE_METHOD = p.one_of("automatic", "automatic_async", "manual")
MANDATE = p.Shape({"customer_acceptance": ACCEPTANCE}, required=("customer_acceptance",))
# Parameters that Stripe accepts and the fake refuses with a message.
NOT_SUPPORTED = {
    "amount_details": p.NotSupported("amount details"),
    "application_fee_amount": p.NotSupported("Connect"),
    "confirmation_token": p.NotSupported("confirmation tokens"),
    "customer": p.NotSupported("customers"),
    "customer_account": p.NotSupported("customers"),
    "hooks": p.NotSupported("hooks"),
    "mandate": p.NotSupported("mandates of customers"),
    "on_behalf_of": p.NotSupported("Connect"),
    "payment_details": p.NotSupported("payment details"),
    "payment_method_configuration": p.NotSupported("payment method configurations"),
    "payment_method_data": p.NotSupported("payment methods inside of other calls"),
    "payment_method_options": p.NotSupported("options of payment methods"),
    "radar_options": p.NotSupported("Radar"),
    "transfer_data": p.NotSupported("Connect"),
}
CREATE_INTENT = p.body(
    {**NOT_SUPPORTED, **DETAILS},
    required=["amount", "currency"],
    amount=AMOUNT,
    automatic_payment_methods=METHODS,
    capture_method=CAPTURE_METHOD,
    confirm=p.Boolean(),
    confirmation_method=p.one_of("automatic", "manual"),
    currency=p.Currency(),
    error_on_requires_action=p.NotSupported("error_on_requires_action"),
    excluded_payment_method_types=session_params.METHODS,
    mandate_data=MANDATE,
    off_session=p.Boolean(),
    payment_method_types=p.ListOf(p.Text()),
    return_url=p.url(),
    use_stripe_sdk=p.Boolean(),
)
UPDATE_INTENT = p.body(
    {**NOT_SUPPORTED, **DETAILS},
    amount=AMOUNT,
    capture_method=CAPTURE_METHOD,
    currency=p.NotSupported("a change of the currency"),
    excluded_payment_method_types=session_params.METHODS,
    payment_method_types=p.ListOf(p.Text()),
)
CONFIRM_INTENT = p.body(
    {**NOT_SUPPORTED, **DETAILS},
    amount_to_confirm=p.NotSupported("amount_to_confirm"),
    capture_method=CAPTURE_METHOD,
    client_secret=p.Text(),
    error_on_requires_action=p.NotSupported("error_on_requires_action"),
    excluded_payment_method_types=session_params.METHODS,
    mandate_data=MANDATE,
    off_session=p.Boolean(),
    payment_method_types=p.ListOf(p.Text()),
    return_url=p.url(),
    use_stripe_sdk=p.Boolean(),
)
CAPTURE_INTENT = p.body(
    {name: NOT_SUPPORTED[name] for name in ("amount_details", "hooks", "payment_details", "transfer_data")},
    amount_to_capture=AMOUNT,
    application_fee_amount=p.NotSupported("Connect"),
    final_capture=p.NotSupported("captures in parts"),
    metadata=p.Metadata(),
    statement_descriptor=p.Text(max_length=22),
    statement_descriptor_suffix=p.Text(max_length=22),
)
CANCEL_INTENT = p.body(
    cancellation_reason=p.one_of("abandoned", "duplicate", "fraudulent", "requested_by_customer")
)
# Copied to the intent as they are.
PLAIN = (
    *("capture_method", "confirmation_method", "description", "excluded_payment_method_types"),
    *("payment_method_types", "receipt_email", "setup_future_usage", "statement_descriptor"),
    *("statement_descriptor_suffix", "transfer_group"),
)
UNCONFIRMED = ("requires_payment_method", "requires_confirmation")
CANCELABLE = (*UNCONFIRMED, "requires_action", "requires_capture", "processing")


def retrieve_intent(call: Call) -> Json:
    """GET /v1/payment_intents/{id}"""
    return call.find("payment_intent")


def update_intent(call: Call) -> Json:
    """POST /v1/payment_intents/{id}: the amount and the payment method until the payment, the rest at any time."""
    intent = call.find("payment_intent")
    params = call.params
    for name in ("amount", "capture_method", "payment_method", "payment_method_types"):
        if name in params and intent["status"] not in (*UNCONFIRMED, "requires_action"):
            message = (
                f"This PaymentIntent's {name} cannot be updated, because its status is {intent['status']}."
            )
            raise StripeError(message, code="payment_intent_unexpected_state", param=name)
    fields = _fields(params)
    if "amount" in params:
        _check_amount(params["amount"], intent["currency"])
        fields["amount"] = params["amount"]
    if "metadata" in params:
        fields["metadata"] = p.merge_metadata(intent["metadata"], params["metadata"])
    return _attach(call, call.account.change(intent, **fields))


def list_intents(call: Call) -> Json:
    """GET /v1/payment_intents"""
    _no_customers(call)
    return page(call, "payment_intent", "/v1/payment_intents")


def retrieve_charge(call: Call) -> Json:
    """GET /v1/charges/{id}"""
    return call.find("charge")


def update_charge(call: Call) -> Json:
    """POST /v1/charges/{id}"""
    charge = call.find("charge")
    new = _update(call, charge)
    changed(call, "charge.updated", charge, new)
    return new


def list_charges(call: Call) -> Json:
    """GET /v1/charges"""
    _no_customers(call)
    wanted = {n: call.params[n] for n in ("payment_intent", "transfer_group") if n in call.params}
    return page(call, "charge", "/v1/charges", lambda row: all(row[n] == v for n, v in wanted.items()))


def _no_customers(call: Call) -> None:
    for name in ("customer", "customer_account"):
        if name in call.params:
            id = call.params[name]
            raise StripeError(f"No such customer: '{id}'", code="resource_missing", param=name)


def _update(call: Call, row: Json) -> Json:
    fields: Json = {n: call.params[n] for n in ("description", "receipt_email") if n in call.params}
    if "metadata" in call.params:
        fields["metadata"] = p.merge_metadata(row["metadata"], call.params["metadata"])
    return call.account.change(row, **fields)


def create_intent(call: Call) -> Json:
    """POST /v1/payment_intents; paid at once with `confirm` and a test payment method."""
    params = call.params
    _check_amount(params["amount"], params["currency"])
    fields = _fields(params)
    if "automatic_payment_methods" in params:
        fields["automatic_payment_methods"] = params["automatic_payment_methods"]
    metadata = p.merge_metadata({}, params.get("metadata"))
    intent = objects.new_intent(
        call, amount=params["amount"], currency=params["currency"], metadata=metadata, **fields
    )
    intent = _attach(call, intent)
    return _confirm(call, intent) if params.get("confirm") else intent


def _check_amount(amount: int, currency: str) -> None:
    check_amount(amount, currency, "amount")
    check_charge(amount, currency, "amount")


def _fields(params: Json) -> Json:
    fields: Json = {name: params[name] for name in PLAIN if name in params}
    if "shipping" in params:
        given = params["shipping"]
        names = ("carrier", "phone", "tracking_number")
        fields["shipping"] = given and {
            **{name: given.get(name) for name in names},
            "address": full_address(given["address"]),
            "name": given["name"],
        }
    return fields


def _attach(call: Call, intent: Json) -> Json:
    """The intent with the call's payment method, if it names one."""
    if "payment_method" not in call.params:
        return intent
    method = payment_methods.find(call, call.params["payment_method"])
    kind, types = method.row["type"], intent["payment_method_types"]
    if kind == EUROS_ONLY and intent["currency"] != "eur":
        message = (
            f"The payment method {kind} is for payments in eur only, and this is in {intent['currency']}."
        )
        raise StripeError(message, param="payment_method")
    if kind not in types and "payment_method_types" in call.params:
        message = f"The PaymentMethod is a {kind}, and this PaymentIntent takes {', '.join(types)}."
        raise StripeError(message, param="payment_method")
    return call.account.change(
        intent,
        payment_method=method.row["id"],
        payment_method_types=types if kind in types else [*types, kind],
        status="requires_confirmation",
    )


def confirm_intent(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/confirm"""
    intent = call.find("payment_intent")
    if intent["status"] not in UNCONFIRMED:
        message = f"This PaymentIntent's status is {intent['status']}, so it cannot be confirmed."
        raise StripeError(message, code="payment_intent_unexpected_state")
    fields = _fields(call.params)
    if "metadata" in call.params:
        fields["metadata"] = p.merge_metadata(intent["metadata"], call.params["metadata"])
    return _confirm(call, _attach(call, call.account.change(intent, **fields)))


def _confirm(call: Call, intent: Json) -> Json:
    if intent["payment_method"] is None:
        message = "This PaymentIntent has no payment method, so it cannot be confirmed."
        raise StripeError(message, code="payment_intent_unexpected_state", param="payment_method")
    method = payment_methods.find(call, intent["payment_method"])
    payment_methods.use_up(call, method)
    if method.card is None:
        intent = payments.start_processing(call, intent, method.row)
        settled = method.outcome in ("succeeds", "fails")
        return payments.settle(call, intent, succeeded=method.outcome == "succeeds") if settled else intent
    if method.card.refused:
        raise payments.card_error(payments.decline(call, intent, method.row, method.card))
    if method.card.asks:
        return payments.ask(call, intent, method.row)
    if intent["capture_method"] == "manual":
        return payments.authorize(call, intent, method.row, method.card)
    intent = payments.succeed(call, intent, method.row, method.card)
    disputes.open_by_card(call, intent, method.card)
    return intent


def capture_intent(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/capture"""
    intent = call.find("payment_intent")
    if intent["status"] != "requires_capture":
        message = f"This PaymentIntent's status is {intent['status']}, so it cannot be captured."
        raise StripeError(message, code="payment_intent_unexpected_state")
    capturable: int = intent["amount_capturable"]
    amount: int = call.params.get("amount_to_capture") or capturable
    if amount > capturable:
        message = f"Only {capturable} can be captured, not {amount}."
        raise StripeError(message, code="amount_too_large", param="amount_to_capture")
    fields = _fields(call.params)
    if "metadata" in call.params:
        fields["metadata"] = p.merge_metadata(intent["metadata"], call.params["metadata"])
    intent = payments.capture(call, call.account.change(intent, **fields), amount)
    if session := _session_of(call, intent):
        call.account.change(session, payment_status="paid")
    return intent


def _session_of(call: Call, intent: Json) -> Json | None:
    sessions = call.account.store.table("checkout.session").newest_first()
    return next((session for session in sessions if session["payment_intent"] == intent["id"]), None)


def cancel_intent(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/cancel; not for those of open sessions, which expire instead."""
    intent = call.find("payment_intent")
    session = _session_of(call, intent)
    if session and session["status"] == "open":
        message = "This PaymentIntent belongs to a Checkout Session. Expire the session instead."
        raise StripeError(message, code="payment_intent_unexpected_state")
    if intent["status"] not in CANCELABLE:
        message = f"This PaymentIntent's status is {intent['status']}, so it cannot be canceled."
        raise StripeError(message, code="payment_intent_unexpected_state")
    return payments.cancel(call, intent, call.params.get("cancellation_reason"))


def create_charge(call: Call) -> Json:
    """POST /v1/charges with a test token: a charge without a Checkout Session or payment intent."""
    params = call.params
    check_amount(params["amount"], params["currency"], "amount")
    check_charge(params["amount"], params["currency"], "amount")
    card = payment_methods.card_from_token(params["source"], "source")
    method = objects.new_method(call, "card", card, objects.NO_BILLING_DETAILS)
    intent_fields = {
        "id": "",
        "amount": params["amount"],
        "currency": params["currency"],
        "description": params.get("description"),
        "metadata": p.merge_metadata({}, params.get("metadata")),
        "receipt_email": params.get("receipt_email"),
        "shipping": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
    }
    charge = objects.new_charge(
        call, intent_fields, method, card, status="failed" if card.refused else "succeeded"
    )
    if card.refused:
        raise _declined(call, charge, card.refused)
    emit(call, "charge.succeeded", charge)
    return charge


def _declined(call: Call, charge: Json, refused: tuple[str, str | None, str]) -> StripeError:
    code, decline_code, message = refused
    charge = call.account.change(charge, failure_code=code, failure_message=message)
    emit(call, "charge.failed", charge)
    extra = {"charge": charge["id"]} | ({"decline_code": decline_code} if decline_code else {})
    return StripeError(
        message, status=402, type="card_error", code=code, param="source", takes_effect=True, extra=extra
    )
