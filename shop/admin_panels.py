"""Panel of the admin about a missing setting."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from config.stripe_client import is_configured


def webhook_panel(request: HttpRequest) -> dict[str, str] | None:
    # Without the secret no webhook event can be verified, so a shop that sells would miss every payment.
    if not is_configured() or settings.STRIPE_WEBHOOK_SECRETS:
        return None
    return {
        "level": "error",
        "title": _("STRIPE_WEBHOOK_SECRET is not set"),
        "text": _(
            "The shop sells, but rejects Stripe’s events about payments and edits, so stock is not counted. "
            "The signing secret is shown in the Stripe Dashboard, at the webhook endpoint."
        ),
        "url": "",
    }
