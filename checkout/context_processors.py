"""What does every page know of the visitor's cart?"""

from django.http import HttpRequest

from checkout.cart.cart import lazy_cart


def cart(request: HttpRequest) -> dict[str, object]:
    """The request's cart; nothing is read before a template asks for it."""
    return {"cart": lazy_cart(request)}
