"""The feeds as addresses, streamed and conditional."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import get_language, override
from django.views.decorators.http import condition, require_safe

from config.stripe_client import is_configured
from shop.api import decompressed
from shop.context_processors import get_storefront
from shop.feeds.cache import cached_feed, kept
from shop.feeds.catalog import catalog_version
from shop.feeds.google import google_tsv, google_xml
from shop.storefront import StorefrontContext, load_storefront

FORMATS: dict[str, tuple[str, Callable[[StorefrontContext], Iterator[str]]]] = {
    "xml": ("application/xml; charset=utf-8", google_xml),
    "tsv": ("text/tab-separated-values; charset=utf-8", google_tsv),
}


def _etag(request: HttpRequest, form: str) -> str | None:
    # Weak, because the feed is sent compressed or not. Taken before the rows are read: a change in between makes the next
    # request miss, never a stale answer.
    return f'W/"{_version(request, form)}"' if is_configured() else None


def _version(request: HttpRequest, form: str) -> str:
    if not hasattr(request, "_feed_version"):
        request._feed_version = f"{form}-{catalog_version(get_storefront(request))}"  # type: ignore[attr-defined]
    version: str = request._feed_version  # type: ignore[attr-defined]
    return version


@require_safe
@condition(etag_func=_etag)
def google_feed(request: HttpRequest, form: str) -> HttpResponseBase:
    """The feed with the availability of the moment, which its version includes. A shop that cannot sell has no feed."""
    content_type, write = FORMATS[form]
    response: HttpResponseBase
    if not is_configured():
        response = HttpResponse("Payment is not set up yet.\n", content_type="text/plain", status=503)
    elif request.method == "HEAD":
        response = HttpResponse(content_type=content_type)
    elif compressed := cached_feed(_version(request, form)):
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response = HttpResponse(
                compressed, content_type=content_type, headers={"Content-Encoding": "gzip"}
            )
        else:
            response = StreamingHttpResponse(decompressed(compressed), content_type=content_type)
    else:
        storefront, version = get_storefront(request), _version(request, form)
        pieces = kept(
            version, write(storefront), lambda: version == f"{form}-{catalog_version(load_storefront())}"
        )
        pieces = _in_language(get_language() or "", pieces)
        response = StreamingHttpResponse(pieces, content_type=content_type)
    patch_vary_headers(response, ["Accept-Encoding"])
    patch_cache_control(response, public=True, no_cache=True)
    return response


def _in_language(language: str, pieces: Iterator[str]) -> Iterator[str]:
    # A streamed response is read after the middleware has put the language back.
    with override(language):
        yield from pieces
