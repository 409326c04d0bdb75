"""By which name is a shop on one's own machine visited? By that of SITE_URL: cookies of another name are lost there.

`localhost` and `127.0.0.1` are one machine and two names. Who began at the other one would come back from Stripe
to a shop that does not know the cart. Only settings whose SITE_URL is on this machine have this in their chain.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]


def one_name(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Send whoever looks at a page under another name of this machine to the same page under SITE_URL."""
    site = urlsplit(settings.SITE_URL)
    others = {site.netloc.replace(_host(site.netloc), name) for name in LOOPBACK} - {site.netloc}

    def answer(request: HttpRequest) -> HttpResponse:
        if request.method in {"GET", "HEAD"} and request.get_host() in others:
            return HttpResponseRedirect(settings.SITE_URL + request.get_full_path())
        return get_response(request)

    return answer


def _host(netloc: str) -> str:
    """Without the port; an IPv6 address keeps its brackets, as in a Host header."""
    return netloc if netloc.endswith("]") else netloc.rpartition(":")[0] or netloc
