"""Which settings and products has the owner to mend? Panels for the admin's first page."""

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.stripe_client import is_configured
from shop.models import Product

NAMED = 5


def webhook_panel(request: HttpRequest) -> dict[str, str] | None:
    """A shop that sells and hears nothing: no message of Stripe's can be believed without the secret."""
    if not is_configured() or settings.STRIPE_WEBHOOK_SECRETS:
        return None
    return {
        "level": "error",
        "title": _("STRIPE_WEBHOOK_SECRET is not set"),
        "text": _(
            "The shop sells, but refuses what Stripe tells it of payments and edits, so nothing is counted. "
            "The secret stands at Stripe, beside the webhook endpoint."
        ),
        "url": "",
    }


def products_panel(request: HttpRequest) -> dict[str, str] | None:
    """Products on show whose data at Stripe has something wrong with it."""
    rows = Product.objects.on_show().exclude(problems=[]).values_list("name", "problems")
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
