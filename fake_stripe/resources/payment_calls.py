"""The calls on payment intents, charges and payment methods, as far as sessions and refunds need them.

https://docs.stripe.com/api/payment_intents
"""

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.cards import TOKENS, Card, card_of
from fake_stripe.currencies import MAX_AMOUNT, check_amount, check_charge
from fake_stripe.errors import StripeError
from fake_stripe.events import changed, emit
from fake_stripe.paging import page
from fake_stripe.resources import payment_objects as objects
from fake_stripe.resources import payments
from fake_stripe.store import Json

LIST_INTENTS = p.listing(created=p.CREATED, customer=p.Text(), customer_account=p.Text())
LIST_CHARGES = p.listing(
    created=p.CREATED, customer=p.Text(), payment_intent=p.Text(), transfer_group=p.Text()
)
AMOUNT = p.Integer(minimum=1, maximum=MAX_AMOUNT)
UPDATE_INTENT = p.body(
    description=p.Text(max_length=1000, unset=True), metadata=p.Metadata(), receipt_email=p.email()
)
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
CREATE_INTENT = p.body(
    required=["amount", "currency"],
    amount=AMOUNT,
    automatic_payment_methods=METHODS,
    confirm=p.Boolean(),
    currency=p.Currency(),
    description=p.Text(max_length=1000),
    metadata=p.Metadata(),
    payment_method=p.Text(),
    payment_method_types=p.ListOf(p.Text()),
    receipt_email=p.email(),
    return_url=p.url(),
)
CONFIRM_INTENT = p.body(payment_method=p.Text(), return_url=p.url())


def retrieve_intent(call: Call) -> Json:
    """GET /v1/payment_intents/{id}"""
    return call.find("payment_intent")


def update_intent(call: Call) -> Json:
    """POST /v1/payment_intents/{id}"""
    return _update(call, call.find("payment_intent"))


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
    check_amount(params["amount"], params["currency"], "amount")
    check_charge(params["amount"], params["currency"], "amount")
    fields: Json = {
        n: params[n] for n in ("description", "receipt_email", "payment_method_types") if n in params
    }
    if "automatic_payment_methods" in params:
        fields["automatic_payment_methods"] = params["automatic_payment_methods"]
    metadata = p.merge_metadata({}, params.get("metadata"))
    intent = objects.new_intent(
        call, amount=params["amount"], currency=params["currency"], metadata=metadata, **fields
    )
    return _confirm(call, intent) if params.get("confirm") else intent


def confirm_intent(call: Call) -> Json:
    """POST /v1/payment_intents/{id}/confirm"""
    intent = call.find("payment_intent")
    if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
        message = f"This PaymentIntent's status is {intent['status']}, so it cannot be confirmed."
        raise StripeError(message, code="payment_intent_unexpected_state")
    return _confirm(call, intent)


def _confirm(call: Call, intent: Json) -> Json:
    card = _card_from_token(call.params.get("payment_method", ""), "payment_method")
    method = objects.new_method(call, "card", card, objects.NO_BILLING_DETAILS)
    if card.refused:
        raise payments.card_error(payments.decline(call, intent, method, card))
    return payments.ask(call, intent, method) if card.asks else payments.succeed(call, intent, method, card)


def _card_from_token(token: str, param: str) -> Card:
    if token not in TOKENS:
        message = f"No such {'PaymentMethod' if param == 'payment_method' else 'token'}: '{token}'"
        raise StripeError(message, code="resource_missing", param=param)
    return card_of(TOKENS[token])


def create_charge(call: Call) -> Json:
    """POST /v1/charges with a test token: a charge without a Checkout Session or payment intent."""
    params = call.params
    check_amount(params["amount"], params["currency"], "amount")
    check_charge(params["amount"], params["currency"], "amount")
    card = _card_from_token(params["source"], "source")
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


def retrieve_method(call: Call) -> Json:
    """GET /v1/payment_methods/{id}"""
    return call.find("payment_method")
