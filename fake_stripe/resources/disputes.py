"""Disputes: a customer's bank takes a payment back, or asks about it. https://docs.stripe.com/api/disputes/object"""

from fake_stripe import params as p
from fake_stripe.account import Call, Cause
from fake_stripe.cards import Card
from fake_stripe.currencies import check_amount
from fake_stripe.errors import StripeError
from fake_stripe.events import changed, emit
from fake_stripe.paging import page
from fake_stripe.store import Json

REASONS = ("fraudulent", "product_not_received", "product_unacceptable", "duplicate", "general")
TIME_TO_ANSWER = 9 * 24 * 3600
# What the shop can submit as evidence.
EVIDENCE = (
    *("access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure"),
    *("cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name"),
    *("customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_id"),
    *("duplicate_charge_explanation", "product_description", "receipt", "refund_policy", "service_date"),
    *("refund_policy_disclosure", "refund_refusal_explanation", "service_documentation", "shipping_address"),
    *("shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number"),
    *("uncategorized_file", "uncategorized_text"),
)

UPDATE = p.body(
    evidence=p.NotSupported("evidence in disputes"),
    metadata=p.Metadata(),
    submit=p.NotSupported("evidence in disputes"),
)
LIST = p.listing(created=p.CREATED, charge=p.Text(), payment_intent=p.Text())


def list_all(call: Call) -> Json:
    """GET /v1/disputes"""
    wanted = {name: call.params[name] for name in ("charge", "payment_intent") if name in call.params}
    return page(call, "dispute", "/v1/disputes", lambda row: all(row[n] == v for n, v in wanted.items()))


def retrieve(call: Call) -> Json:
    """GET /v1/disputes/{id}"""
    return call.find("dispute")


def update(call: Call) -> Json:
    """POST /v1/disputes/{id}: the metadata."""
    dispute = call.find("dispute")
    if "metadata" not in call.params:
        return dispute
    metadata = p.merge_metadata(dispute["metadata"], call.params["metadata"])
    new = call.account.change(dispute, metadata=metadata)
    changed(call, "charge.dispute.updated", dispute, new)
    return new


def concede(call: Call) -> Json:
    """POST /v1/disputes/{id}/close: the shop accepts it."""
    return close(call, call.find("dispute"), won=False)


def open_(
    call: Call, charge: Json, *, amount: int | None = None, reason: str = "fraudulent", inquiry: bool = False
) -> Json:
    """Dispute a captured charge, or a part of it; returns the dispute. An inquiry takes no money yet."""
    if reason not in REASONS:
        raise ValueError(f"reason must be one of {', '.join(REASONS)}, not {reason!r}")
    if not charge["captured"] or charge["disputed"]:
        raise StripeError(f"Charge {charge['id']} cannot be disputed.", param="charge")
    amount = charge["amount"] if amount is None else amount
    check_amount(amount, charge["currency"], "amount")
    dispute = {
        "id": call.new_id("dispute"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": call.now + TIME_TO_ANSWER,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": charge["livemode"],
        "metadata": p.merge_metadata({}, None),
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    call.account.save(dispute)
    call.account.change(charge, disputed=True)
    emit(call, "charge.dispute.created", dispute)
    if not inquiry:
        emit(call, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def open_by_card(call: Call, intent: Json, card: Card | None) -> None:
    """Dispute a payment with a test card for disputes, which Stripe does at once."""
    if card and card.disputes:
        charge = call.account.find("charge", intent["latest_charge"], call.livemode)
        by_the_bank = Call(call.account, Cause(), call.livemode)
        open_(by_the_bank, charge, reason=card.disputes, inquiry=card.inquires)


def close(call: Call, dispute: Json, *, won: bool) -> Json:
    """Let the bank decide; returns the dispute. An inquiry is closed without a decision."""
    if dispute["status"] not in ("needs_response", "warning_needs_response", "under_review"):
        raise StripeError(f"This dispute is already {dispute['status']}.")
    is_inquiry = dispute["status"].startswith("warning")
    status = "warning_closed" if is_inquiry else "won" if won else "lost"
    dispute = call.account.change(dispute, status=status)
    emit(call, "charge.dispute.closed", dispute)
    if status == "won":
        emit(call, "charge.dispute.funds_reinstated", dispute)
    return dispute
