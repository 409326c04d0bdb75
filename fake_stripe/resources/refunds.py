"""Refunds: https://docs.stripe.com/api/refunds"""

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.currencies import MAX_AMOUNT, check_amount
from fake_stripe.errors import StripeError
from fake_stripe.events import changed, difference, emit
from fake_stripe.expand import includable
from fake_stripe.paging import page, page_of
from fake_stripe.store import Json

CREATE = p.body(
    exclusive=["charge", "payment_intent"],
    amount=p.Integer(minimum=1, maximum=MAX_AMOUNT),
    charge=p.Text(),
    instructions_email=p.email(),
    metadata=p.Metadata(),
    payment_intent=p.Text(),
    reason=p.one_of("duplicate", "fraudulent", "requested_by_customer"),
    refund_application_fee=p.Boolean(),
    reverse_transfer=p.Boolean(),
)
UPDATE = p.body(metadata=p.Metadata())
LIST_OF_CHARGE = p.listing()
LIST = p.listing(created=p.CREATED, charge=p.Text(), payment_intent=p.Text())
# Reasons for a failed refund: https://docs.stripe.com/refunds#failed-refunds
FAILURES = ("lost_or_stolen_card", "expired_or_canceled_card", "unknown", "declined", "insufficient_funds")


def create(call: Call) -> Json:
    """POST /v1/refunds, of a charge or a payment intent: the unrefunded rest, or a part of it."""
    charge = _charge(call)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left <= 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise StripeError(message, code="charge_already_refunded")
    amount = call.params.get("amount", left)
    check_amount(amount, charge["currency"], "amount")
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        raise StripeError(message, param="amount")
    refund = call.account.save(_new(call, charge, amount))
    changed_charge = _count(call, charge, amount)
    emit(call, "refund.created", refund)
    emit(call, "charge.refunded", changed_charge, previous=difference(charge, changed_charge))
    return refund


def _charge(call: Call) -> Json:
    params = call.params
    if "charge" in params:
        charge = call.referred("charge", params["charge"], "charge")
    elif "payment_intent" in params:
        intent = call.referred("payment_intent", params["payment_intent"], "payment_intent")
        if intent["status"] != "succeeded" or not intent["latest_charge"]:
            message = f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            raise StripeError(message, param="payment_intent")
        charge = call.account.find("charge", intent["latest_charge"], call.livemode)
    else:
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise StripeError(message, code="parameter_missing")
    if charge["status"] != "succeeded":
        message = f"Charge {charge['id']} is {charge['status']}, so it cannot be refunded."
        raise StripeError(message, param="charge")
    return charge


def _new(call: Call, charge: Json, amount: int) -> Json:
    return {
        "id": call.new_id("refund"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "destination_details": _destination(charge),
        "metadata": p.merge_metadata({}, call.params.get("metadata")),
        "payment_intent": charge["payment_intent"],
        "reason": call.params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def _destination(charge: Json) -> Json:
    kind = charge["payment_method_details"]["type"]
    if kind != "card":
        return {"type": kind}
    pending = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
    return {"card": pending, "type": "card"}


def _count(call: Call, charge: Json, amount: int) -> Json:
    refunded = charge["amount_refunded"] + amount
    return call.account.change(
        charge, amount_refunded=refunded, refunded=refunded == charge["amount_captured"]
    )


def fail(call: Call, refund: Json, reason: str = "lost_or_stolen_card") -> Json:
    """Let a refund fail, perhaps weeks later, which returns the money to the shop. Returns the refund."""
    if reason not in FAILURES:
        raise ValueError(f"reason must be one of {', '.join(FAILURES)}, not {reason!r}")
    if refund["status"] in ("failed", "canceled"):
        raise StripeError(f"This refund is already {refund['status']}.", code="refund_already_failed")
    failed = call.account.change(refund, status="failed", failure_reason=reason)
    charge = call.account.find("charge", refund["charge"], call.livemode)
    new = _count(call, charge, -refund["amount"])
    previous = difference(refund, failed)
    emit(call, "refund.failed", failed)
    emit(call, "refund.updated", failed, previous=previous)
    emit(call, "charge.refund.updated", failed, previous=previous)
    emit(call, "charge.updated", new, previous=difference(charge, new))
    return failed


def retrieve(call: Call) -> Json:
    """GET /v1/refunds/{id}"""
    return call.find("refund")


def update(call: Call) -> Json:
    """POST /v1/refunds/{id}: metadata only."""
    refund = call.find("refund")
    if "metadata" not in call.params:
        return refund
    metadata = p.merge_metadata(refund["metadata"], call.params["metadata"])
    new = call.account.change(refund, metadata=metadata)
    changed(call, "refund.updated", refund, new)
    changed(call, "charge.refund.updated", refund, new)
    return new


def list_all(call: Call) -> Json:
    """GET /v1/refunds"""
    wanted = {name: call.params[name] for name in ("charge", "payment_intent") if name in call.params}
    return page(call, "refund", "/v1/refunds", lambda row: all(row[n] == v for n, v in wanted.items()))


def list_of_charge(call: Call) -> Json:
    """GET /v1/charges/{id}/refunds: all refunds, where the list inside a charge ends after ten."""
    return _of_charge(call, call.find("charge"))


@includable("charge", "refunds")
def _first_of_charge(call: Call, charge: Json) -> object:
    return _of_charge(Call(call.account, call.cause, call.livemode), charge)


def _of_charge(call: Call, charge: Json) -> Json:
    rows = [r for r in call.account.store.table("refund").newest_first() if r["charge"] == charge["id"]]
    return page_of(call, rows, f"/v1/charges/{charge['id']}/refunds", "refund")
