"""Requests and answers of the pages, with their security headers and the check of form origins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from fake_stripe.pages.html import Markup
from fake_stripe.web import PageAnswer, PageRequest, from_here

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?")
MAX_FIELDS = 2000
MAX_BYTES = 500_000


@dataclass(frozen=True)
class Request:
    """One browser request. `headers` by lower-case name; `args` are the named groups of the path pattern."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, given: PageRequest) -> Request:
        """Parse the application's request. Raises Refused for a malformed or too large form."""
        try:
            text = given.body.decode("utf-8") if given.method == "POST" else ""
            form = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "This form cannot be read. Nothing was changed.") from None
        if len(given.body) > MAX_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This form is too large. Nothing was changed.")
        asked = {name: values[-1] for name, values in given.query.items() if values}
        return cls(given.method, given.path, asked, tuple(form), given.headers, given.args)

    @property
    def sent(self) -> dict[str, str]:
        """The form by name, stripped; the last value of a repeated name."""
        return {name: value.strip() for name, value in self.form}

    def value(self, name: str) -> str:
        """The last value of a field, stripped; empty if it was not sent."""
        return self.sent.get(name, "")

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.form if key == name]

    def require_own_origin(self) -> None:
        """Refuse forms of other sites, by the Origin and Sec-Fetch-Site headers that browsers send."""
        if not from_here(self.headers):
            raise Refused(HTTPStatus.FORBIDDEN, "This form was sent from another site. Nothing was changed.")


class Refused(Exception):
    """The request is refused with a status and a message."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


@dataclass(frozen=True)
class Answer:
    """An answer. `posts_to` and `images_from` are further origins that the content security policy allows."""

    body: str | bytes = b""
    status: HTTPStatus = HTTPStatus.OK
    type: str = "text/html; charset=utf-8"
    location: str | None = None
    posts_to: frozenset[str] = frozenset()
    images_from: frozenset[str] = frozenset()
    max_age: int = 0

    def for_the_application(self) -> PageAnswer:
        headers = {
            "Content-Type": self.type,
            "Content-Security-Policy": self._policy(),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            # Not no-referrer, since browsers then send "Origin: null" with the page's own forms.
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": f"public, max-age={self.max_age}" if self.max_age else "no-store",
        }
        if self.location:
            headers["Location"] = self.location
        body = self.body.encode("utf-8", "replace") if isinstance(self.body, str) else self.body
        return PageAnswer(int(self.status), body, headers)

    def _policy(self) -> str:
        # form-action also applies to a redirect after a form, hence `posts_to`.
        forms = " ".join(["'self'", *sorted(self.posts_to)])
        images = " ".join(["'self'", *sorted(self.images_from)])
        return (
            "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none';"
            f" form-action {forms}; img-src {images}"
        )


def redirect(location: str, *, posts_to: Iterable[str] = ()) -> Answer:
    """A 303 after a form."""
    return Answer(status=HTTPStatus.SEE_OTHER, location=location, posts_to=frozenset(posts_to))


def page(body: Markup, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(body, status)


def origin_of(url: object) -> str | None:
    """The origin of a URL, such as `https://shop.example:8000`; None if it would be unsafe in a header."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()
    except ValueError:
        return None
    return origin if ORIGIN.fullmatch(origin) else None
