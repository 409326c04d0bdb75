"""Middleware for every request: a limit for bodies, and one name for a shop on this machine."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]


def limit_body(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Refuse bodies above MAX_BODY_BYTES, and those without a length, before anything is read."""

    def middleware(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > settings.MAX_BODY_BYTES:
            text = f"The body is larger than {settings.MAX_BODY_BYTES} bytes.\n"
            return HttpResponse(text, status=413, content_type="text/plain")
        if length == "0" and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            # Django would take it for an empty body, and Stripe's signature would not match.
            text = "The body has no Content-Length. Let the proxy buffer requests (nginx: proxy_request_buffering on).\n"
            return HttpResponse(text, status=411, content_type="text/plain")
        return get_response(request)

    return middleware


def canonical_host(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Redirect localhost aliases to SITE_URL's host; session cookies do not cross host names.

    A customer who started at 127.0.0.1 would return from Stripe to localhost and find an empty cart. The settings add
    this middleware only if SITE_URL is on this machine.
    """
    netloc = urlsplit(settings.SITE_URL).netloc
    # Without the port. An IPv6 address keeps its brackets, as in a Host header.
    host = netloc if netloc.endswith("]") else netloc.rpartition(":")[0] or netloc
    others = {netloc.replace(host, name) for name in LOOPBACK_HOSTS} - {netloc}

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method in {"GET", "HEAD"} and request.get_host() in others:
            return HttpResponseRedirect(settings.SITE_URL + request.get_full_path())
        return get_response(request)

    return middleware
