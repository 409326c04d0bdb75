"""The dashboard's pages of checkouts, payments and refunds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fake_stripe.pages.amounts import plain, shown
from fake_stripe.pages.forms import select, text_field
from fake_stripe.pages.html import NOTHING, Markup, escape, fill, join
from fake_stripe.pages.parts import badge, brief, button, code, facts, link, moment, note, sheet, short, table

Json = Mapping[str, Any]
REASONS = (
    ("", "No reason"),
    ("requested_by_customer", "Requested by the customer"),
    ("duplicate", "Duplicate"),
    ("fraudulent", "Fraudulent"),
)


def payment_list(sessions: Iterable[Json], intents: Iterable[Json]) -> Markup:
    checkouts = table(
        "Checkout Sessions",
        ("Checkout", "Buyer", "Total", "State", "Payment", "Created"),
        [_session_row(session) for session in sessions],
        empty="No checkouts yet.",
    )
    payments = table(
        "Payments",
        ("Payment", "Amount", "State", "Created"),
        [_intent_row(intent) for intent in intents],
        empty="No payments yet.",
    )
    return join([sheet("Checkouts", checkouts), sheet("Payments", payments)])


def _session_row(session: Json) -> Sequence[object]:
    details = session["customer_details"] or {}
    return (
        link(f"/dashboard/checkouts/{session['id']}", short(session["id"])),
        details.get("email"),
        shown(session["amount_total"], session["currency"]),
        badge(session["status"]),
        badge(session["payment_status"]),
        brief(session["created"]),
    )


def _intent_row(intent: Json) -> Sequence[object]:
    return (
        link(f"/dashboard/payments/{intent['id']}", short(intent["id"])),
        shown(intent["amount"], intent["currency"]),
        badge(intent["status"]),
        brief(intent["created"]),
    )


def checkout_page(session: Json, lines: Iterable[Json]) -> Markup:
    details = facts(
        [
            ("Id", code(session["id"])),
            ("State", badge(session["status"])),
            ("Payment", badge(session["payment_status"])),
            ("Created", moment(session["created"])),
            ("Expires", moment(session["expires_at"])),
            ("Reference", code(session["client_reference_id"] or "")),
            ("Payment intent", _intent_link(session["payment_intent"])),
            *_buyer(session),
        ]
    )
    rows = [
        (line["description"], line["quantity"], shown(line["amount_total"], line["currency"]), _pairs(line))
        for line in lines
    ]
    bought = table("Lines", ("Item", "Quantity", "Amount", "Metadata"), rows, empty="Nothing.")
    total = Markup(
        f"<p><strong>Total {escape(shown(session['amount_total'], session['currency']))}</strong></p>"
    )
    left = Markup(f'<div class="stack">{sheet("Lines", bought, total)}{_session_acts(session)}</div>')
    right = Markup(
        f'<div class="stack">{sheet("Details", details)}{sheet("Metadata", facts(_metadata(session)))}</div>'
    )
    return Markup(f'<div class="two">{left}{right}</div>')


def _intent_link(id: str | None) -> Markup:
    return link(f"/dashboard/payments/{id}", id) if id else NOTHING


def _buyer(session: Json) -> Iterable[tuple[str, object]]:
    details = session["customer_details"] or {}
    yield "Email", details.get("email")
    yield "Name", details.get("name")
    yield "Phone", details.get("phone")
    sent_to = (session["collected_information"] or {}).get("shipping_details") or {}
    if sent_to:
        address = sent_to["address"]
        names = ("line1", "line2", "postal_code", "city", "state", "country")
        yield "Ships to", ", ".join(filter(None, [sent_to["name"], *(address.get(name) for name in names)]))
    for custom in session["custom_fields"]:
        yield custom["label"]["custom"], custom[custom["type"]]["value"]


def _pairs(row: Json) -> Markup:
    return code(", ".join(f"{key}: {value}" for key, value in (row["metadata"] or {}).items()))


def _metadata(row: Json) -> Iterable[tuple[str, object]]:
    return [(key, code(value)) for key, value in (row["metadata"] or {}).items()] or [("None", "")]


def _session_acts(session: Json) -> Markup:
    path = f"/dashboard/checkouts/{session['id']}"
    if session["status"] == "open":
        acts = [
            button(path, "Expire now", {"do": "expire"}, look="button-bad"),
            Markup(f'<a class="button button-small" href="{escape(session["url"])}">Open payment page</a>')
            if session["url"]
            else NOTHING,
        ]
    elif session["status"] == "complete" and session["payment_status"] == "unpaid":
        acts = [
            button(path, "Let the debit succeed", {"do": "settle"}),
            button(path, "Let the debit fail", {"do": "bounce"}, look="button-bad"),
        ]
    else:
        return NOTHING
    return sheet("Actions", Markup(f'<div class="row">{join(acts)}</div>'))


def payment_page(
    intent: Json,
    charge: Json | None,
    refunds: Iterable[Json],
    filled: Mapping[str, str],
    errors: Mapping[str, str],
) -> Markup:
    refunds = list(refunds)
    error = intent["last_payment_error"] or {}
    details = facts(
        [
            ("Id", code(intent["id"])),
            ("State", badge(intent["status"])),
            ("Created", moment(intent["created"])),
            ("Charge", code(charge["id"] if charge else "")),
            ("Refunded", shown(charge["amount_refunded"] if charge else 0, intent["currency"])),
        ]
    )
    rows = [_refund_row(intent, refund) for refund in refunds]
    names = ("Refund", "Amount", "State", "Reason", "Created", "")
    given = sheet("Refunds", table("Refunds", names, rows, empty="No refunds yet."))
    parts = [note(error.get("message"), "bad"), given, _refund_form(intent, charge, filled, errors)]
    right = Markup(
        f'<div class="stack">{sheet("Details", details)}{sheet("Metadata", facts(_metadata(intent)))}</div>'
    )
    return Markup(f'<div class="two"><div class="stack">{join(parts)}</div>{right}</div>')


def _refund_row(intent: Json, refund: Json) -> Sequence[object]:
    path = f"/dashboard/payments/{intent['id']}"
    sent = {"do": "fail_refund", "refund": refund["id"]}
    failing = button(path, "Let it fail", sent, about=f"refund {refund['id']}", look="button-bad")
    return (
        short(refund["id"]),
        shown(refund["amount"], refund["currency"]),
        badge(refund["status"]),
        (refund["reason"] or "").replace("_", " "),
        brief(refund["created"]),
        failing if refund["status"] == "succeeded" else NOTHING,
    )


def _refund_form(
    intent: Json, charge: Json | None, filled: Mapping[str, str], errors: Mapping[str, str]
) -> Markup:
    left = charge["amount"] - charge["amount_refunded"] if charge and charge["status"] == "succeeded" else 0
    if not left:
        return NOTHING
    fields = [
        text_field(
            "amount",
            f"Amount in {intent['currency'].upper()}",
            filled.get("amount", plain(left, intent["currency"])),
            errors=errors,
            hint=f"At most {shown(left, intent['currency'])}.",
            inputmode="decimal",
            autocomplete="off",
            width="half",
        ),
        select("reason", "Reason", REASONS, filled.get("reason", ""), errors=errors, width="half"),
        text_field(
            "note_key",
            "Metadata key",
            filled.get("note_key", ""),
            optional=True,
            width="half",
            autocomplete="off",
        ),
        text_field(
            "note_value",
            "Metadata value",
            filled.get("note_value", ""),
            optional=True,
            width="half",
            autocomplete="off",
        ),
    ]
    form = fill("refund_form", action=f"/dashboard/payments/{intent['id']}", fields=join(fields))
    return sheet("Refund", form)
