"""A minimal browser for tests: reads pages, fills in their forms and posts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote, urlencode, urlsplit

from fake_stripe import FakeStripe
from fake_stripe.api import Request

HOST = "pretend.test"


@dataclass
class Form:
    """A form: its action, the values of its fields, and its buttons by label."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class Page:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    html: str
    forms: list[Form]
    labels: dict[str, str]
    errors: dict[str, str]
    text: str

    def form(self, button: str) -> Form:
        """The form that has this button."""
        return next(form for form in self.forms if button in form.buttons)


class Visitor:
    """Visits the pages of one fake."""

    def __init__(self, fake: FakeStripe) -> None:
        self._fake = fake
        self.headers: dict[str, str] = {"host": HOST}

    def get(self, path: str) -> Page:
        address, _, query = path.partition("?")
        return self._page(Request("GET", address, query.encode(), b"", self.headers))

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Page:
        given = self.headers | {"content-type": "application/x-www-form-urlencoded"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self._page(Request("POST", path, b"", urlencode(fields).encode(), given))

    def press(self, page: Page, button: str, **typed: str) -> Page:
        """Submit the form that has this button, with the given fields changed."""
        form = page.form(button)
        name, value = form.buttons[button]
        fields = form.fields | typed | ({name: value} if name else {})
        return self.post(unquote(form.action), fields)

    def follow(self, page: Page) -> Page:
        """Follow a redirect within the pages."""
        parts = urlsplit(page.headers["Location"])
        return self.get(f"{parts.path}?{parts.query}")

    def _page(self, request: Request) -> Page:
        answer = self._fake.wsgi_app.answer(request)
        html = answer.body.decode("utf-8", "replace")
        reader = Reader()
        reader.feed(html)
        return Page(
            answer.status,
            answer.headers,
            html,
            reader.forms,
            reader.labels,
            reader.errors,
            " ".join(reader.words),
        )


class Reader(HTMLParser):
    """Extracts forms, labels, error messages and text from a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.labels: dict[str, str] = {}
        self.errors: dict[str, str] = {}
        self.words: list[str] = []
        self._stack: list[tuple[str, dict[str, str]]] = []
        self._select = ""
        self._textarea = ""
        self._button: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        if self.forms and tag in ("input", "select", "textarea", "option", "button"):
            self._control(tag, given)
        if tag not in ("input", "meta", "link", "img", "br", "wbr"):
            self._stack.append((tag, given))

    def _control(self, tag: str, given: dict[str, str]) -> None:
        fields, name = self.forms[-1].fields, given.get("name", "")
        if tag == "input" and given.get("type") in ("radio", "checkbox"):
            if "checked" in given:
                fields[name] = given.get("value", "on")
        elif tag == "input" and name:
            fields[name] = given.get("value", "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in given or self._select not in fields):
            fields[self._select] = given.get("value", "")
        elif tag == "textarea":
            self._textarea = name
            fields[name] = ""
        elif tag == "button" and "aria-hidden" not in given:
            self._button = (name, given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        while self._stack and self._stack.pop()[0] != tag:
            pass
        if tag == "button":
            self._button = None
        if tag == "textarea":
            fields = self.forms[-1].fields
            fields[self._textarea] = fields[self._textarea].removeprefix("\n")
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.forms[-1].fields[self._textarea] += data
        elif data.strip():
            self._word(" ".join(data.split()))

    def _word(self, word: str) -> None:
        self.words.append(word)
        tag, given = self._stack[-1] if self._stack else ("", {})
        if self._button is not None:
            self.forms[-1].buttons.setdefault(word, self._button)
        if tag == "label" and "for" in given:
            self.labels[given["for"]] = word
        if given.get("class") == "error":
            self.errors[given["id"].removesuffix("-error")] = word
