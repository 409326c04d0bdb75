"""Context processor that adds the visitor's cart to every page."""

from django.http import HttpRequest

from checkout.cart.cart import lazy_cart


def cart(request: HttpRequest) -> dict[str, object]:
    # Lazy: session and database are read only if a template uses the cart.
    return {"cart": lazy_cart(request)}
