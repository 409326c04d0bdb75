"""The feeds as addresses, streamed and conditional."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import condition, require_safe

from config.stripe_client import is_configured
from shop.context_processors import get_storefront
from shop.feeds.catalog import catalog_version
from shop.feeds.google import google_tsv, google_xml
from shop.storefront import StorefrontContext

FORMATS: dict[str, tuple[str, Callable[[StorefrontContext], Iterator[str]]]] = {
    "xml": ("application/xml; charset=utf-8", google_xml),
    "tsv": ("text/tab-separated-values; charset=utf-8", google_tsv),
}


def _etag(request: HttpRequest, form: str) -> str | None:
    # Taken before the rows are read: a change in between makes the next request miss, never a stale answer.
    return f'"{form}-{catalog_version(get_storefront(request))}"' if is_configured() else None


@require_safe
@condition(etag_func=_etag)
def google_feed(request: HttpRequest, form: str) -> HttpResponseBase:
    """Availability is read while the feed is sent. A shop that cannot sell has no feed."""
    content_type, write = FORMATS[form]
    response: HttpResponseBase
    if not is_configured():
        response = HttpResponse("Payment is not set up yet.\n", content_type="text/plain", status=503)
    elif request.method == "HEAD":
        response = HttpResponse(content_type=content_type)
    else:
        response = StreamingHttpResponse(write(get_storefront(request)), content_type=content_type)
    patch_cache_control(response, public=True, no_cache=True)
    return response
