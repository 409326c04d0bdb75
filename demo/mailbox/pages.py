"""The mailbox's pages: the list of mails, and each mail as HTML, as text and as its source.

A mail's HTML is a document of its own in a sandboxed frame: whatever it contains, it runs no script, and loads images only
if they were asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from demo.mailbox.store import Mail, Mails
from fake_stripe.pages.html import NOTHING, Markup, Templates, attributes, escape, join

fill = Templates(Path(__file__).parent / "templates").fill
FAKE_STYLE = Path(__file__).parents[2] / "fake_stripe" / "pages" / "static"
FILES = {
    "/-/pages.css": (FAKE_STYLE / "pages.css", "text/css; charset=utf-8"),
    "/-/mailbox.css": (Path(__file__).parent / "mailbox.css", "text/css; charset=utf-8"),
    "/-/icon.svg": (Path(__file__).parent / "icon.svg", "image/svg+xml"),
}
MAIL = re.compile(r"/mails/(?P<number>\d{1,9})(?P<document>/html)?")
VIEWS = {"html": "HTML", "text": "Text", "source": "Source"}
SHOWN_HEADERS = (
    "From",
    "To",
    "Delivered-To",
    "Reply-To",
    "Date",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
)
ADDRESS = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)]")
HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Links open in a new tab, which is not sandboxed: the page that confirms an address needs its form.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
DOCUMENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src {images}; base-uri 'none'; form-action 'none'; "
    f"frame-ancestors 'self'; sandbox {SANDBOX}"
)


@dataclass(frozen=True)
class Answer:
    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    type: str = "text/html; charset=utf-8"
    policy: str = PAGE_POLICY


@dataclass(frozen=True)
class Links:
    """Addresses of the demo's other pages."""

    shop: str
    stripe: str


def answer(mails: Mails, links: Links, path: str, query: Mapping[str, str]) -> Answer:
    if path == "/":
        return list_page(mails, links)
    if path in FILES:
        file, kind = FILES[path]
        return Answer(file.read_bytes(), type=kind)
    asked = MAIL.fullmatch(path)
    mail = mails.get(int(asked["number"])) if asked else None
    if not asked or not mail:
        gone = Markup('<p class="sheet">There is no such page, or the mail was deleted.</p>')
        return page("Not found", gone, links, status=HTTPStatus.NOT_FOUND)
    if asked["document"]:
        return html_document(mail, images=query.get("images") == "on")
    return mail_page(mail, links, view=query.get("view", ""), images=query.get("images") == "on")


def list_page(mails: Mails, links: Links) -> Answer:
    entries = join(
        fill(
            "entry",
            number=mail.number,
            subject=subject(mail),
            recipient=mail.header("To") or mail.header("Delivered-To"),
            time=moment(mail),
        )
        for mail in mails.all()
    )
    empty = Markup('<p class="sheet empty">No mail yet. Buy something in the shop, and look here again.</p>')
    listed = Markup(f'<ul class="mails sheet">{entries}</ul>') if entries else empty
    return page("Mailbox", listed, links)


def mail_page(mail: Mail, links: Links, *, view: str, images: bool) -> Answer:
    bodies = {"html": mail.body("html"), "text": mail.body("plain"), "source": "source"}
    if not bodies.get(view):
        view = next(name for name, body in bodies.items() if body)
    tabs = join(tab(mail, name, current=name == view) for name in VIEWS if bodies[name])
    match view:
        case "html":
            body = fill(
                "frame",
                number=mail.number,
                sandbox=SANDBOX,
                images="on" if images else "off",
                other="off" if images else "on",
                switch="Hide images" if images else "Show images",
            )
        case "text":
            body = Markup(f'<pre class="wrapped">{linked(bodies["text"])}</pre>')
        case _:
            body = Markup(f'<pre class="wrapped">{escape(mail.source.decode("utf-8", "replace"))}</pre>')
    headers = [(name, mail.header(name)) for name in SHOWN_HEADERS]
    content = fill(
        "mail",
        headers=join(Markup(f"<dt>{name}</dt><dd>{linked(value)}</dd>") for name, value in headers if value),
        tabs=tabs,
        body=body,
    )
    return page(subject(mail), content, links)


def tab(mail: Mail, name: str, *, current: bool) -> Markup:
    given = attributes(
        {"href": f"/mails/{mail.number}?view={name}", "aria-current": "page" if current else None}
    )
    return Markup(f"<li><a{given}>{VIEWS[name]}</a></li>")


def html_document(mail: Mail, *, images: bool) -> Answer:
    """The mail's HTML, unchanged but for the target of its links."""
    target = '<base target="_blank">'
    text = mail.body("html")
    text, found = HEAD.subn(lambda head: head[0] + target, text, count=1)
    policy = DOCUMENT_POLICY.format(images="http: https: data:" if images else "'none'")
    return Answer((text if found else target + text).encode("utf-8", "replace"), policy=policy)


def page(headline: str, content: Markup, links: Links, *, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    back = NOTHING if headline == "Mailbox" else Markup('<a class="back" href="/">All mails</a>')
    body = fill("base", title=headline, back=back, content=content, shop=links.shop, stripe=links.stripe)
    return Answer(body.encode("utf-8", "replace"), status)


def subject(mail: Mail) -> str:
    return mail.header("Subject") or "(no subject)"


def moment(mail: Mail) -> Markup:
    at = mail.arrived_at
    return Markup(f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M:%S} UTC</time>')


def linked(text: str) -> Markup:
    """The text as HTML with its web addresses as links."""
    parts, end = [], 0
    for found in ADDRESS.finditer(text):
        given = attributes({"href": found[0], "target": "_blank", "rel": "noopener"})
        parts += [escape(text[end : found.start()]), Markup(f"<a{given}>{escape(found[0])}</a>")]
        end = found.end()
    return join([*parts, escape(text[end:])])
