"""Where an order came from, and the events of Stripe that told about it, for the order's page in the admin."""

from __future__ import annotations

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from checkout.models import Order
from config.coerce import as_mapping, as_text
from inventory.models import StripeEvent

COMPLETED = "checkout.session.completed"


def events_of(order: Order) -> list[StripeEvent]:
    """Stored events about the order's session and payment, the oldest first, without their payloads."""
    ids = [text for text in (order.session_id, order.payment_intent_id) if text]
    return list(StripeEvent.objects.filter(object_id__in=ids).defer("payload").order_by("created_at", "pk"))


def origin_of(order: Order) -> SafeString | str:
    """The shop's own checkout, a payment link, or what the session of another program says about itself."""
    if not order.is_external:
        return _("This shop")
    event = StripeEvent.objects.filter(object_id=order.session_id or "", type=COMPLETED).first()
    session = as_mapping(as_mapping(event.payload.get("data")).get("object")) if event else {}
    link = as_text(session.get("payment_link"))
    if link:
        url = f"{settings.STRIPE_DASHBOARD}/payment-links/{link}"
        text = _("Payment link %(id)s") % {"id": link}
        return format_html('<a href="{}" rel="noopener">{}</a>', url, text)
    facts = [
        f"{name}={value}"
        for name in ("client_reference_id", "success_url")
        if (value := as_text(session.get(name)))
    ]
    facts += [f"{name}={value}" for name, value in as_mapping(session.get("metadata")).items()]
    if not facts:
        return _("Another program's checkout")
    return _("Another program's checkout: %(facts)s") % {"facts": ", ".join(facts)[:500]}
