"""Template tag that links to an object in Stripe's Dashboard."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from config.stripe_dashboard import dashboard_url

register = template.Library()


@register.simple_tag
def stripe_link(page: str, object_id: str, name: str) -> SafeString:
    """{% stripe_link "products" product.pk product.name %}. `name`: of the object, for readers of screens."""
    return format_html(
        '<a class="stripe-link" href="{}" rel="noopener">Stripe<span class="visually-hidden">: {}</span></a>',
        dashboard_url(page, object_id),
        _("%(name)s in the Dashboard") % {"name": name},
    )
