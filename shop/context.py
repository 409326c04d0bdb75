"""What does every page of the shop know?"""

from django.conf import settings
from django.http import HttpRequest


def storefront(request: HttpRequest) -> dict[str, object]:
    return {"shop_name": settings.SHOP_NAME}
