"""How does money move? Payment intents, charges and payment methods, as far as sessions and refunds need them.

https://docs.stripe.com/api/payment_intents, https://docs.stripe.com/api/charges
"""

from fake_stripe import params as p
from fake_stripe.account import Call, Cause
from fake_stripe.cards import TOKENS, Card, card_of
from fake_stripe.errors import StripeError
from fake_stripe.events import changed, emit
from fake_stripe.paging import page
from fake_stripe.store import Json

LIST_INTENTS = p.listing(created=p.CREATED, customer=p.Text(), customer_account=p.Text())
LIST_CHARGES = p.listing(
    created=p.CREATED, customer=p.Text(), payment_intent=p.Text(), transfer_group=p.Text()
)
AMOUNT = p.Integer(least=1, most=99_999_999)
UPDATE_INTENT = p.body(
    description=p.Text(longest=1000, unset=True), metadata=p.Metadata(), receipt_email=p.email()
)
UPDATE_CHARGE = p.body(description=p.Text(longest=40000), metadata=p.Metadata(), receipt_email=p.email())
CREATE_CHARGE = p.body(
    required=["amount", "currency", "source"],
    amount=AMOUNT,
    currency=p.Currency(),
    description=p.Text(longest=40000),
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
    description=p.Text(longest=1000),
    metadata=p.Metadata(),
    payment_method=p.Text(),
    payment_method_types=p.ListOf(p.Text()),
    receipt_email=p.email(),
    return_url=p.url(),
)
CONFIRM_INTENT = p.body(payment_method=p.Text(), return_url=p.url())
NOBODY: Json = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}


def new_intent(call: Call, *, amount: int, currency: str, **fields: object) -> Json:
    """Keep a payment intent that waits for a payment method, and say that it was made."""
    id = call.new_id("payment_intent")
    intent = {
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{id}_{call.new_id('client_secret')}",
        "confirmation_method": "automatic",
        "created": call.now,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": call.livemode,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        **fields,
    }
    call.account.save(intent)
    emit(call, "payment_intent.created", intent)
    return intent


def new_method(call: Call, kind: str, card: Card | None, billing: Json) -> Json:
    """Keep a payment method: a test card, or a bank account for payments that settle later."""
    method: Json = {
        "id": call.new_id("payment_method"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": billing,
        "created": call.now,
        "customer": None,
        "livemode": call.livemode,
        "metadata": {},
        "type": kind,
    }
    if card is not None:
        details = _card_details(card)
        method["card"] = details | {"display_brand": card.brand, "generated_from": None, "networks": None}
        for name in ("network", "network_transaction_id", "three_d_secure", "installments", "mandate"):
            method["card"].pop(name, None)
    else:
        method[kind] = _bank_details(kind)
    return call.account.save(method)


def _card_details(card: Card) -> Json:
    passed = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
    return {
        "brand": card.brand,
        "checks": passed,
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"fake{card.last4}{card.brand}",
        "funding": "credit",
        "installments": None,
        "last4": card.last4,
        "mandate": None,
        "network": card.brand,
        "network_transaction_id": None,
        "three_d_secure": None,
        "wallet": None,
    }


def _bank_details(kind: str) -> Json:
    if kind == "sepa_debit":
        bank: Json = {"bank_code": "37040044", "branch_code": "", "country": "DE", "last4": "3000"}
        return bank | {"fingerprint": "fakesepa3000"}
    bank = {"account_holder_type": "individual", "account_type": "checking", "bank_name": "TEST BANK"}
    return bank | {"fingerprint": "fakebank6789", "last4": "6789", "routing_number": "110000000"}


def new_charge(call: Call, intent: Json, method: Json, card: Card | None, *, status: str) -> Json:
    """Keep a charge of an intent: status "succeeded", "pending" or "failed". Emits nothing."""
    paid = status == "succeeded"
    id = call.new_id("charge")
    charge = {
        "id": id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if status != "failed" else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "FAKE STRIPE",
        "captured": status != "failed",
        "created": call.now,
        "currency": intent["currency"],
        "customer": None,
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": call.livemode,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(status),
        "paid": paid or status == "pending",
        "payment_intent": intent["id"] or None,
        "payment_method": method["id"],
        "payment_method_details": _method_details(method, card, intent["amount"]),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"{call.account.base_url}/receipts/{id}" if paid else None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }
    return call.account.save(charge)


def _outcome(status: str) -> Json:
    declined = status == "failed"
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if declined else "approved_by_network",
        "reason": "generic_decline" if declined else None,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": "The bank declined." if declined else "Payment complete.",
        "type": "issuer_declined" if declined else "authorized",
    }


def _method_details(method: Json, card: Card | None, amount: int) -> Json:
    kind = method["type"]
    if card is not None:
        return {"card": _card_details(card) | {"amount_authorized": amount}, "type": "card"}
    return {kind: _bank_details(kind), "type": kind}


def succeed(call: Call, intent: Json, method: Json, card: Card | None) -> Json:
    """The intent is paid at once: a charge, and both say so. Returns the intent."""
    charge = new_charge(call, intent, method, card, status="succeeded")
    intent = _paid(call, intent, charge, method["id"])
    emit(call, "charge.succeeded", charge)
    emit(call, "payment_intent.succeeded", intent)
    return intent


def _paid(call: Call, intent: Json, charge: Json, method_id: str) -> Json:
    return call.account.change(
        intent,
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        last_payment_error=None,
        next_action=None,
        payment_method=method_id,
    )


def decline(call: Call, intent: Json, method: Json, card: Card) -> Json:
    """The card is refused: a failed charge, and the intent waits for another method. Returns the intent."""
    code, decline_code, message = card.refused or ("card_declined", None, "Your card was declined.")
    charge = new_charge(call, intent, method, card, status="failed")
    charge = call.account.change(charge, failure_code=code, failure_message=message)
    return _failed(
        call, intent, charge, method, payment_error(code, decline_code, message, charge["id"], method)
    )


def fail_authentication(call: Call, intent: Json, method: Json) -> Json:
    """The customer did not pass the bank's question. No charge is made. Returns the intent."""
    message = "We are unable to authenticate your payment method. Choose another one and try again."
    error = payment_error("payment_intent_authentication_failure", None, message, None, method)
    intent = call.account.change(
        intent,
        status="requires_payment_method",
        last_payment_error=error,
        next_action=None,
        payment_method=None,
    )
    emit(call, "payment_intent.payment_failed", intent)
    return intent


def ask(call: Call, intent: Json, method: Json) -> Json:
    """The bank wants to ask the customer first. Returns the intent, which waits for that."""
    action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    intent = call.account.change(
        intent, status="requires_action", next_action=action, payment_method=method["id"]
    )
    emit(call, "payment_intent.requires_action", intent)
    return intent


def payment_error(
    code: str, decline_code: str | None, message: str, charge: str | None, method: Json
) -> Json:
    """A `last_payment_error`, which is also what a card error's answer says."""
    error: Json = {
        "code": code,
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        "message": message,
        "payment_method": method,
        "type": "card_error",
    }
    if charge:
        error["charge"] = charge
    if decline_code:
        error["decline_code"] = decline_code
    return error


def _failed(call: Call, intent: Json, charge: Json, method: Json, error: Json) -> Json:
    intent = call.account.change(
        intent,
        status="requires_payment_method",
        latest_charge=charge["id"],
        last_payment_error=error,
        next_action=None,
        payment_method=None,
    )
    emit(call, "charge.failed", charge)
    emit(call, "payment_intent.payment_failed", intent)
    return intent


def start_processing(call: Call, intent: Json, method: Json) -> Json:
    """A bank debit is under way: days later it succeeds or fails. Returns the intent."""
    charge = new_charge(call, intent, method, None, status="pending")
    intent = call.account.change(
        intent, status="processing", latest_charge=charge["id"], payment_method=method["id"]
    )
    emit(call, "charge.pending", charge)
    emit(call, "payment_intent.processing", intent)
    return intent


def settle(call: Call, intent: Json, *, succeeded: bool) -> Json:
    """The bank debit of a processing intent has come through, or has come back. Returns the intent."""
    charge = call.account.find("charge", intent["latest_charge"], call.livemode)
    method = call.account.find("payment_method", intent["payment_method"], call.livemode)
    if succeeded:
        charge = call.account.change(charge, status="succeeded", paid=True)
        intent = _paid(call, intent, charge, method["id"])
        emit(call, "charge.succeeded", charge)
        emit(call, "payment_intent.succeeded", intent)
        return intent
    code, message = "payment_intent_payment_attempt_failed", "The bank sent the debit back."
    charge = call.account.change(
        charge, status="failed", paid=False, failure_code="insufficient_funds", failure_message=message
    )
    return _failed(call, intent, charge, method, payment_error(code, None, message, charge["id"], method))


def card_error(intent: Json) -> StripeError:
    """The 402 of a declined card, from the intent's last error."""
    error = intent["last_payment_error"]
    extra = {name: error[name] for name in ("charge", "decline_code") if name in error}
    return StripeError(
        error["message"],
        status=402,
        type="card_error",
        code=error["code"],
        extra={**extra, "payment_intent": intent} if intent["id"] else extra,
    )


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
    """POST /v1/payment_intents; with `confirm` and a test payment method it is paid at once."""
    params = call.params
    fields: Json = {
        n: params[n] for n in ("description", "receipt_email", "payment_method_types") if n in params
    }
    if "automatic_payment_methods" in params:
        fields["automatic_payment_methods"] = params["automatic_payment_methods"]
    metadata = p.merge_metadata({}, params.get("metadata"))
    intent = new_intent(
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
    method = new_method(call, "card", card, NOBODY)
    if card.refused:
        return decline(call, intent, method, card)
    return ask(call, intent, method) if card.asks else succeed(call, intent, method, card)


def _card_from_token(token: str, param: str) -> Card:
    if token not in TOKENS:
        message = f"No such {'PaymentMethod' if param == 'payment_method' else 'token'}: '{token}'"
        raise StripeError(message, code="resource_missing", param=param)
    return card_of(TOKENS[token])


def create_charge(call: Call) -> Json:
    """POST /v1/charges with a test token: a charge that no Checkout Session and no intent stands behind."""
    params = call.params
    card = _card_from_token(params["source"], "source")
    method = new_method(call, "card", card, NOBODY)
    standing_in = {
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
    charge = new_charge(call, standing_in, method, card, status="failed" if card.refused else "succeeded")
    emit(call, "charge.failed" if card.refused else "charge.succeeded", charge)
    return charge


def page_cause(call: Call) -> Cause:
    """Who acts when a customer presses "pay": a request of Stripe's own page, with a key of its own."""
    return Cause(call.account.ids.new("request"), call.account.ids.uuid())


def retrieve_method(call: Call) -> Json:
    """GET /v1/payment_methods/{id}"""
    return call.find("payment_method")
