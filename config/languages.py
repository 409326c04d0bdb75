"""The shop's languages: each but the first has addresses of its own (docs/decisions/0011-languages-have-addresses.md).

`/products/` is in SHOP_LANGUAGES[0], `/de/products/` in German. What an address shows never depends on a header. A browser
that prefers another language is redirected on the way to the first language's address only.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, URLResolver, is_valid_path
from django.urls.resolvers import LocalePrefixPattern
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import get_language, override
from django.utils.translation.trans_real import parse_accept_lang_header

PARAMETER = "language"
# Not the shop's pages: the admin is in English, and the others have no texts.
ENGLISH = ("/admin/",)


class LanguagePrefix(LocalePrefixPattern):
    """The prefix of the active language, empty for the first one and for any that the shop does not have."""

    @property
    def language_prefix(self) -> str:
        language = get_language()
        return f"{language}/" if language in settings.SHOP_LANGUAGES[1:] else ""


def localized(*patterns: URLPattern | URLResolver) -> URLResolver:
    return URLResolver(LanguagePrefix(), list(patterns))


def first_language() -> str:
    return str(settings.SHOP_LANGUAGES[0])


def language_of(path: str) -> str:
    if path.startswith(ENGLISH):
        return str(settings.LANGUAGE_CODE)
    segment = path.split("/", 2)[1] if path.startswith("/") else ""
    return segment if segment in settings.SHOP_LANGUAGES[1:] else first_language()


def address_in(language: str, address: str) -> str:
    """The address of the same page in another language. `address` is a path, perhaps with a query string."""
    if (current := language_of(address)) != first_language():
        address = address.removeprefix(f"/{current}")
    return address if language == first_language() else f"/{language}{address}"


def switch_to(language: str, address: str) -> str:
    """An address that shows the same page in another language and remembers the choice."""
    target = address_in(language, address)
    return f"{target}{'&' if '?' in target else '?'}{urlencode({PARAMETER: language})}"


def choose_language(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Activate the language of the address, remember a choice, and lead visitors to the language they prefer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = _redirect(request) if request.method in {"GET", "HEAD"} else None
        if response is None:
            with override(language_of(request.path_info)):
                response = get_response(request)
        return response

    return middleware


def _redirect(request: HttpRequest) -> HttpResponse | None:
    # None for a page that is to be shown. An address of another language than the first was asked for on purpose.
    languages = settings.SHOP_LANGUAGES
    path = request.path_info
    if len(languages) == 1 or path.startswith(ENGLISH):
        return None
    if path.startswith(f"/{languages[0]}/"):
        # The first language was another one once.
        return _to(request, request.get_full_path().removeprefix(f"/{languages[0]}"))
    chosen = request.GET.get(PARAMETER, "")
    if chosen in languages and _is_page(path):
        query = request.GET.copy()
        del query[PARAMETER]
        address = urlsplit(request.get_full_path()).path + (f"?{query.urlencode()}" if query else "")
        response = _to(request, address_in(chosen, address))
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            chosen,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        return response
    # A person opens a page: no script of a page, no program.
    is_visit = "text/html" in request.headers.get("Accept", "") and "HX-Request" not in request.headers
    if language_of(path) != languages[0] or not is_visit:
        return None
    preferred = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if preferred not in languages:
        preferred = preferred_language(request.headers.get("Accept-Language", ""))
    if preferred == languages[0] or not _is_page(path):
        return None
    return _to(request, address_in(preferred, request.get_full_path()))


def preferred_language(header: str) -> str:
    """The shop's language that an Accept-Language header prefers; the first one if it names none of them."""
    for name, _quality in parse_accept_lang_header(header):
        language = name.partition("-")[0]
        if language in settings.SHOP_LANGUAGES:
            return language
    return first_language()


def _is_page(path: str) -> bool:
    # Whether the address exists in several languages.
    with override(other := settings.SHOP_LANGUAGES[-1]):
        return bool(is_valid_path(address_in(other, path)))


def _to(request: HttpRequest, address: str) -> HttpResponse:
    # One slash: two would be an address of another host.
    response = HttpResponseRedirect("/" + address.lstrip("/\\"))
    patch_vary_headers(response, ["Accept-Language", "Cookie"])
    patch_cache_control(response, private=True, no_store=True)
    return response
