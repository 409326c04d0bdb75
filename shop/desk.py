"""Which products has the owner to mend? A panel for the admin's first page."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shop.models import Product

NAMED = 5


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
