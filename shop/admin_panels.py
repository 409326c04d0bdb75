"""Admin panels about settings and products that need attention."""

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.stripe_client import is_configured
from shop.models import Product

NAMED = 5


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


def products_panel(request: HttpRequest) -> dict[str, str] | None:
    rows = Product.objects.visible().exclude(problems=[]).values_list("name", "problems")
    number = len(rows)
    if not number:
        return None
    texts = [f"{name}: {problems[0]}" for name, problems in rows[:NAMED]]
    if number > NAMED:
        texts.append(_("And %(n)d more.") % {"n": number - NAMED})
    return {
        "level": "warning",
        "title": ngettext(
            "%(n)d product has a problem at Stripe", "%(n)d products have problems at Stripe", number
        )
        % {"n": number},
        "text": "\n".join(texts),
        "url": reverse("admin:shop_product_changelist"),
    }
