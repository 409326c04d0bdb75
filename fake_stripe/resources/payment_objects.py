"""Build payment intents, charges and payment methods.

https://docs.stripe.com/api/payment_intents/object, https://docs.stripe.com/api/charges/object
"""

from fake_stripe.account import Call
from fake_stripe.cards import Card
from fake_stripe.events import emit
from fake_stripe.store import Json

NO_BILLING_DETAILS: Json = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}


# Always null, or null until the payment.
NULL_IN_INTENT = (
    *("application", "application_fee_amount", "automatic_payment_methods", "canceled_at", "customer"),
    *("cancellation_reason", "customer_account", "description", "excluded_payment_method_types"),
    *("last_payment_error", "latest_charge", "managed_payments", "next_action", "on_behalf_of", "processing"),
    *("payment_method", "payment_method_configuration_details", "receipt_email", "review", "shipping"),
    *("setup_future_usage", "statement_descriptor", "statement_descriptor_suffix"),
    *("transfer_data", "transfer_group"),
)
NULL_IN_CHARGE = (
    *("application", "application_fee", "application_fee_amount", "balance_transaction", "customer"),
    *("failure_balance_transaction", "failure_code", "failure_message", "on_behalf_of", "receipt_number"),
    *("receipt_url", "review", "source_transfer", "transfer_data", "transfer_group"),
)
# Copied from the intent to its charge.
COPIED_FROM_INTENT = (
    *("amount", "currency", "description", "metadata", "receipt_email", "shipping"),
    *("statement_descriptor", "statement_descriptor_suffix"),
)


def new_intent(call: Call, *, amount: int, currency: str, **fields: object) -> Json:
    """Store a payment intent that waits for a payment method, and emit its event."""
    id = call.new_id("payment_intent")
    intent = {
        **dict.fromkeys(NULL_IN_INTENT),
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "client_secret": f"{id}_{call.new_id('client_secret')}",
        "confirmation_method": "automatic",
        "created": call.now,
        "currency": currency,
        "livemode": call.livemode,
        "metadata": {},
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        **fields,
    }
    call.account.save(intent)
    emit(call, "payment_intent.created", intent)
    return intent


def new_method(call: Call, kind: str, card: Card | None, billing: Json) -> Json:
    """Store a payment method: a test card, or a bank account for delayed payments."""
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
    """Store a charge of an intent, without an event. status: "succeeded", "pending" or "failed"."""
    taken = status != "failed"
    charge = {
        **dict.fromkeys(NULL_IN_CHARGE),
        **{name: intent[name] for name in COPIED_FROM_INTENT},
        **{name: intent[name] for name in ("presentment_details",) if name in intent},
        "id": call.new_id("charge"),
        "object": "charge",
        "amount_captured": intent["amount"] if taken else 0,
        "amount_refunded": 0,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "FAKE STRIPE",
        "captured": taken,
        "created": call.now,
        "disputed": False,
        "fraud_details": {},
        "livemode": call.livemode,
        "outcome": _outcome(status),
        "paid": taken,
        "payment_intent": intent["id"] or None,
        "payment_method": method["id"],
        "payment_method_details": _method_details(method, card, intent["amount"]),
        "radar_options": {},
        "refunded": False,
        "status": status,
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
