"""Transitions of a payment: success, decline, authentication, delayed settlement.

https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from fake_stripe.account import Call, Cause
from fake_stripe.cards import Card
from fake_stripe.errors import StripeError
from fake_stripe.events import difference, emit
from fake_stripe.resources.payment_objects import new_charge
from fake_stripe.store import Json


def succeed(call: Call, intent: Json, method: Json, card: Card | None) -> Json:
    """Create a charge and mark the intent as succeeded; returns the intent."""
    charge = new_charge(call, intent, method, card, status="succeeded")
    intent = _paid(call, intent, charge, method["id"])
    emit(call, "charge.succeeded", charge)
    emit(call, "payment_intent.succeeded", intent)
    return intent


def authorize(call: Call, intent: Json, method: Json, card: Card) -> Json:
    """Reserve the amount on the card, to be captured later; returns the intent."""
    charge = new_charge(call, intent, method, card, status="succeeded")
    charge = call.account.change(charge, amount_captured=0, captured=False)
    intent = call.account.change(
        intent,
        status="requires_capture",
        amount_capturable=intent["amount"],
        latest_charge=charge["id"],
        last_payment_error=None,
        next_action=None,
        payment_method=method["id"],
    )
    emit(call, "charge.succeeded", charge)
    emit(call, "payment_intent.amount_capturable_updated", intent)
    return intent


def capture(call: Call, intent: Json, amount: int) -> Json:
    """Capture an authorized amount or a part of it. The rest is released; returns the intent."""
    charge = call.account.find("charge", intent["latest_charge"], call.livemode)
    captured = call.account.change(charge, amount_captured=amount, captured=True)
    intent = call.account.change(intent, status="succeeded", amount_capturable=0, amount_received=amount)
    emit(call, "charge.captured", captured, previous=difference(charge, captured))
    emit(call, "payment_intent.succeeded", intent)
    return intent


def cancel(call: Call, intent: Json, reason: str | None) -> Json:
    """Cancel an intent that has not succeeded, and release what was authorized; returns the intent."""
    if intent["status"] == "requires_capture":
        charge = call.account.find("charge", intent["latest_charge"], call.livemode)
        released = call.account.change(charge, amount_refunded=charge["amount"], refunded=True)
        emit(call, "charge.refunded", released, previous=difference(charge, released))
    intent = call.account.change(
        intent,
        status="canceled",
        amount_capturable=0,
        canceled_at=call.now,
        cancellation_reason=reason,
        next_action=None,
    )
    emit(call, "payment_intent.canceled", intent)
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
    """Create a failed charge. The intent waits for another payment method; returns the intent."""
    code, decline_code, message = card.refused or ("card_declined", None, "Your card was declined.")
    charge = new_charge(call, intent, method, card, status="failed")
    charge = call.account.change(charge, failure_code=code, failure_message=message)
    return _failed(
        call, intent, charge, method, payment_error(code, decline_code, message, charge["id"], method)
    )


def fail_authentication(call: Call, intent: Json, method: Json) -> Json:
    """Record a failed authentication, which creates no charge; returns the intent."""
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
    """Make the intent wait for authentication by the bank; returns the intent."""
    action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    intent = call.account.change(
        intent, status="requires_action", next_action=action, payment_method=method["id"]
    )
    emit(call, "payment_intent.requires_action", intent)
    return intent


def payment_error(
    code: str, decline_code: str | None, message: str, charge: str | None, method: Json
) -> Json:
    """A `last_payment_error`, which is also the error of the 402 answer."""
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
    """Start a bank debit, which succeeds or fails later; returns the intent."""
    charge = new_charge(call, intent, method, None, status="pending")
    intent = call.account.change(
        intent, status="processing", latest_charge=charge["id"], payment_method=method["id"]
    )
    emit(call, "charge.pending", charge)
    emit(call, "payment_intent.processing", intent)
    return intent


def settle(call: Call, intent: Json, *, succeeded: bool) -> Json:
    """Let the bank debit of a processing intent succeed or fail; returns the intent."""
    charge = call.account.find("charge", intent["latest_charge"], call.livemode)
    method = call.account.find("payment_method", intent["payment_method"], call.livemode)
    if succeeded:
        charge = call.account.change(charge, status="succeeded", paid=True)
        intent = _paid(call, intent, charge, method["id"])
        emit(call, "charge.succeeded", charge)
        emit(call, "payment_intent.succeeded", intent)
        return intent
    code, message = "payment_intent_payment_attempt_failed", "The bank returned the debit."
    charge = call.account.change(
        charge, status="failed", paid=False, failure_code="insufficient_funds", failure_message=message
    )
    return _failed(call, intent, charge, method, payment_error(code, None, message, charge["id"], method))


def card_error(intent: Json) -> StripeError:
    """The 402 for a declined card, from the intent's last error."""
    error = intent["last_payment_error"]
    extra = {name: error[name] for name in ("charge", "decline_code") if name in error}
    return StripeError(
        error["message"],
        status=402,
        type="card_error",
        code=error["code"],
        takes_effect=True,
        extra={**extra, "payment_intent": intent},
    )


def page_cause(call: Call) -> Cause:
    """The cause of a payment on the hosted page: a request of Stripe's own, with its own idempotency key."""
    return Cause(call.account.ids.new("request"), call.account.ids.uuid())
