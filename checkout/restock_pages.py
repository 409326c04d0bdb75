"""Pages of “back in stock”: ask to be mailed, confirm the address, stop the mails."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from checkout.models import RestockSignup
from checkout.restock import links, signups
from config.client_address import client_network
from inventory.models import StockItem
from shop.availability import ProductAvailability, Variant, availability_of
from shop.models import Product

METHODS = ["GET", "HEAD", "POST"]


class SignupForm(forms.Form):
    """`size`: one of the product's sold-out sizes, or one that became available since the page was opened."""

    size = forms.ChoiceField(
        required=False,
        error_messages={"invalid_choice": gettext_lazy("Please choose a size.")},
    )
    email = forms.EmailField(
        max_length=254,
        error_messages={
            "required": gettext_lazy("Please enter your e-mail address."),
            "invalid": gettext_lazy("Please enter an e-mail address such as ada@example.com."),
        },
    )

    def __init__(self, *args: Any, availability: ProductAvailability, **options: Any) -> None:
        super().__init__(*args, **options)
        self.variants = {variant.size: variant for variant in availability.variants if variant.item_id}
        self.fields["size"].choices = [(size, size) for size in self.variants]  # type: ignore[attr-defined]

    def clean_size(self) -> Variant:
        variant = self.variants.get(self.cleaned_data["size"])
        if variant is None:
            raise forms.ValidationError(_("Please choose a size."))
        return variant

    def clean_email(self) -> str:
        return signups.normalized(self.cleaned_data["email"])


@require_http_methods(METHODS)
@never_cache
def restock(request: HttpRequest, product_id: str) -> HttpResponse:
    """Ask to be mailed when a size is back. The answer is the same whether the address is known or not."""
    # PostgreSQL rejects NUL, which no id contains.
    products = Product.objects.visible().prefetch_related("stock_items")
    product = products.filter(pk=product_id.replace("\0", "")).first()
    if product is None or not settings.RESTOCK_SIGNUPS:
        raise Http404(_("Product not found."))
    availability = availability_of(product)
    if request.method == "POST":
        form = SignupForm(request.POST, availability=availability)
        if form.is_valid():
            return _ask(request, product, form)
    else:
        form = SignupForm(initial={"size": request.GET.get("size", "")}, availability=availability)
    return _show_form(request, form, availability)


def _ask(request: HttpRequest, product: Product, form: SignupForm) -> HttpResponse:
    variant: Variant = form.cleaned_data["size"]
    if variant.buyable:
        messages.success(
            request, _("%(item)s is available again.") % {"item": f"{product.shown_name} {variant.size}"}
        )
        query = f"?{urlencode({'size': variant.size})}" if variant.size else ""
        return redirect(product.get_absolute_url() + query)
    item = StockItem.objects.select_related("product").get(pk=variant.item_id or 0)
    try:
        signups.ask(form.cleaned_data["email"], item, network=client_network(request), now=timezone.now())
    except signups.TooManySignups:
        form.add_error(None, _("Many sizes were asked for from your network. Please try again in an hour."))
        return _show_form(request, form, availability_of(product), status=429)
    return redirect(f"{reverse('restock', args=[product.pk])}?asked=1")


def _show_form(
    request: HttpRequest, form: SignupForm, availability: ProductAvailability, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "product": availability.product,
        "variants": [variant for variant in availability.variants if variant.sold_out],
        "chosen": form["size"].value(),
        "asked": "asked" in request.GET and request.method != "POST",
        "days": settings.RESTOCK_CONFIRM_DAYS,
    }
    return render(request, "checkout/restock/ask.html", context, status=status)


@require_http_methods(METHODS)
@never_cache
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Opening the link only asks: mail scanners open links, too. Its button confirms."""
    subscriber_id = links.read(links.CONFIRM, token)
    waiting = _open_signups(subscriber_id)
    if subscriber_id is None or not waiting:
        return render(request, "checkout/restock/link_ended.html", status=404)
    if request.method == "POST":
        signups.confirm(subscriber_id, now=timezone.now())
        return redirect("restock_confirm", token=token)
    unconfirmed = [signup for signup in waiting if signup.state == RestockSignup.State.UNCONFIRMED]
    context = {
        "signups": unconfirmed or waiting,
        "is_confirmed": not unconfirmed,
        "stop_url": reverse("restock_stop", args=[links.token(links.STOP, subscriber_id)]),
    }
    return render(request, "checkout/restock/confirm.html", context)


@csrf_exempt  # Mail programs post here (RFC 8058). The signed link alone says who it is.
@require_http_methods(METHODS)
@never_cache
def stop(request: HttpRequest, token: str) -> HttpResponse:
    subscriber_id = links.read(links.STOP, token)
    if subscriber_id is None:
        return render(request, "checkout/restock/link_ended.html", status=404)
    if request.method == "POST":
        chosen = request.POST.get("signup", "")
        signup_id = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 19 else None
        if not chosen or signup_id is not None:
            signups.stop(subscriber_id, now=timezone.now(), signup_id=signup_id)
    # Not a redirect, which mail programs do not follow.
    context = {"signups": _open_signups(subscriber_id), "was_sent": request.method == "POST"}
    return render(request, "checkout/restock/stop.html", context)


def _open_signups(subscriber_id: UUID | None) -> list[RestockSignup]:
    found = RestockSignup.objects.open().filter(subscriber=subscriber_id) if subscriber_id else None
    return list(found.select_related("item__product")) if found is not None else []
