"""Components of the dashboard's pages: the frame, tables, definition lists, badges and buttons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from fake_stripe.pages.forms import hidden
from fake_stripe.pages.html import NOTHING, Markup, attributes, escape, fill, join

TABS = (
    ("/dashboard", "Overview"),
    ("/dashboard/products", "Products"),
    ("/dashboard/payments", "Payments"),
    ("/dashboard/events", "Events"),
    ("/dashboard/webhooks", "Webhooks"),
    ("/dashboard/faults", "Faults"),
)
GOOD = {"succeeded", "complete", "delivered", "enabled", "active", "paid"}
BAD = {"failed", "declined", "disabled", "dropped", "refused"}
WAITING = {"open", "waiting", "processing", "requires_action", "pending", "unpaid", "requires_payment_method"}


def dashboard_page(
    tab: str,
    headline: str,
    content: Markup,
    *,
    now: float,
    message: str = "",
    problem: str = "",
    beside: Markup = NOTHING,
) -> Markup:
    """A dashboard page. `message` reports success, `problem` an error; `beside` is next to the headline."""
    body = fill(
        "dashboard",
        tabs=join(_tab(path, name, path == tab) for path, name in TABS),
        headline=headline,
        beside=beside,
        content=content,
        message=join([note(problem, "bad", role="alert"), note(message, "good", role="status")]),
        clock=moment(now),
    )
    return fill("base", title=f"{'Error: ' if problem else ''}{headline}", body=body)


def _tab(path: str, name: str, here: bool) -> Markup:
    given = attributes({"href": path, "aria-current": "page" if here else None})
    return Markup(f"<li><a{given}>{escape(name)}</a></li>")


def note(text: object, kind: str, role: str | None = None) -> Markup:
    """A colored box with a text; empty without a text."""
    given = attributes({"class": f"note note-{kind}", "role": role})
    return Markup(f"<div{given}><p>{escape(text)}</p></div>") if text else NOTHING


def sheet(headline: str, *content: Markup) -> Markup:
    """A section with its own background."""
    title = Markup(f"<h2>{escape(headline)}</h2>") if headline else NOTHING
    return Markup(f'<section class="sheet stack">{title}{join(content)}</section>')


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> Markup:
    """A table, shown as cards on phones. `caption` is for screen readers."""
    lines = [
        Markup(f"<tr>{join(_cell(name, cell) for name, cell in zip(headings, row, strict=True))}</tr>")
        for row in rows
    ]
    if not lines:
        return Markup(f'<p class="empty">{escape(empty)}</p>')
    head = join(_heading(name) for name in headings)
    return Markup(
        f'<table class="cards-on-phone"><caption class="hidden-text">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{join(lines)}</tbody></table>"
    )


def _heading(name: str) -> Markup:
    return Markup(f'<th scope="col">{escape(name) or "<span class=hidden-text>Actions</span>"}</th>')


def _cell(name: str, value: object) -> Markup:
    given = attributes({"data-label": name or None})
    return Markup(f"<td{given}><div>{escape(value) or '–'}</div></td>")


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """A definition list of names and values."""
    rows = (Markup(f"<dt>{escape(name)}</dt><dd>{escape(value) or '–'}</dd>") for name, value in pairs)
    return Markup(f'<dl class="facts-list">{join(rows)}</dl>')


def badge(word: str) -> Markup:
    """A state as a colored label."""
    kind = "good" if word in GOOD else "bad" if word in BAD else "wait" if word in WAITING else "plain"
    return Markup(f'<span class="badge badge-{kind}">{escape(word.replace("_", " "))}</span>')


def link(href: str, words: object) -> Markup:
    return Markup(f'<a href="{escape(href)}">{escape(words)}</a>')


def code(text: object) -> Markup:
    return Markup(f'<span class="mono">{escape(text)}</span>')


def button(
    action: str, words: str, sent: Mapping[str, str] | None = None, *, about: str = "", look: str = ""
) -> Markup:
    """A form with only a button. `about` tells screen readers which row it belongs to."""
    inner = join(hidden(name, value) for name, value in (sent or {}).items())
    more = Markup(f'<span class="hidden-text"> {escape(about)}</span>') if about else NOTHING
    given = attributes({"class": f"button-small {look}".strip()})
    return Markup(
        f'<form method="post" action="{escape(action)}">{inner}<button{given}>{escape(words)}{more}</button></form>'
    )


def moment(seconds: float) -> Markup:
    """A date and time in UTC."""
    when = datetime.fromtimestamp(seconds, UTC)
    return Markup(f'<time datetime="{when.isoformat()}">{when.day} {when:%b %Y, %H:%M:%S} UTC</time>')


def brief(seconds: float) -> Markup:
    """A date and time without year and zone, for table columns."""
    when = datetime.fromtimestamp(seconds, UTC)
    return Markup(f'<time datetime="{when.isoformat()}">{when.day} {when:%b, %H:%M:%S}</time>')


def dotted(name: str) -> Markup:
    """A name such as `checkout.session.completed`, with line breaks allowed after the dots."""
    return Markup(".<wbr>".join(escape(part) for part in name.split(".")))


def short(id: str) -> Markup:
    """An id, shortened in the middle if it is long."""
    return code(id if len(id) <= 24 else f"{id[:12]}…{id[-6:]}")
