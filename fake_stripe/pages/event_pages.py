"""The dashboard's pages of events, their deliveries, and webhook endpoints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fake_stripe.deliveries import wants
from fake_stripe.pages.forms import text_field
from fake_stripe.pages.html import NOTHING, Markup, escape, fill, join
from fake_stripe.pages.parts import (
    badge,
    brief,
    button,
    code,
    dotted,
    facts,
    link,
    moment,
    sheet,
    short,
    table,
)

Json = Mapping[str, Any]


def event_list(events: Iterable[Json], wanted: str, older: str | None, *, search: bool = True) -> Markup:
    """A table of events. `wanted` is the type filter, `older` the URL of the next page."""
    rows = [
        (
            link(f"/dashboard/events/{event['id']}", dotted(event["type"])),
            short(event["data"]["object"].get("id", "")),
            badge("waiting" if event["pending_webhooks"] else "done"),
            brief(event["created"]),
        )
        for event in events
    ]
    names = ("Event", "Of", "Webhooks", "When")
    kind = text_field(
        "type",
        "Type (* matches anything)",
        wanted,
        optional=True,
        autocomplete="off",
        placeholder="product.*",
    )
    chooser = fill("event_filter", field=kind) if search else NOTHING
    more = Markup(f'<p><a class="button" href="{escape(older)}">Older events</a></p>') if older else NOTHING
    return sheet("", chooser, table("Events", names, rows, empty="No matching events."), more)


def event_page(event: Json, deliveries: Iterable[Json], endpoints: Mapping[str, Json]) -> Markup:
    request = event["request"] or {}
    details = facts(
        [
            ("Id", code(event["id"])),
            ("When", moment(event["created"])),
            ("Request", code(request.get("id") or "none")),
            ("Idempotency key", code(request.get("idempotency_key") or "")),
            ("Pending webhooks", event["pending_webhooks"]),
        ]
    )
    sent = [_delivery(delivery, endpoints) for delivery in deliveries]
    tries = join(sent) or Markup('<p class="soft">Not sent: no endpoint is subscribed to it.</p>')
    text = json.dumps(event, indent=2, ensure_ascii=False)
    body = Markup(f'<pre tabindex="0" role="region" aria-label="The event as JSON">{escape(text)}</pre>')
    listening = [endpoint for endpoint in endpoints.values() if wants(dict(endpoint), dict(event))]
    resend = join(_resend(event, endpoint) for endpoint in listening)
    again = Markup(f'<div class="row">{resend}</div>') if resend else NOTHING
    left = Markup(f'<div class="stack">{sheet("Deliveries", tries, again)}{sheet("Event data", body)}</div>')
    return Markup(f'<div class="two">{left}{sheet("Details", details)}</div>')


def _resend(event: Json, endpoint: Json) -> Markup:
    path = f"/dashboard/events/{event['id']}"
    words = f"Resend to {endpoint['url']}"
    return button(path, words, {"do": "resend", "endpoint": endpoint["id"]})


def _delivery(delivery: Json, endpoints: Mapping[str, Json]) -> Markup:
    endpoint = endpoints.get(delivery["endpoint"])
    rows = [_attempt(attempt) for attempt in delivery["attempts"]]
    waits = moment(delivery["due"]) if delivery["state"] == "waiting" else NOTHING
    head = Markup(
        f'<p class="row"><strong>{escape(endpoint["url"] if endpoint else "deleted endpoint")}</strong>'
        f"{badge(delivery['state'])}</p>"
    )
    next_try = Markup(f'<p class="soft small">Next attempt {waits}</p>') if waits else NOTHING
    tried = table("Attempts", ("When", "Answer", "Took", "Body"), rows, empty="No attempts yet.")
    return Markup(f'<div class="stack-tight">{head}{next_try}{tried}</div>')


def _attempt(attempt: Json) -> Sequence[object]:
    answer = attempt["status"] or attempt["error"]
    state = badge("delivered" if attempt["ok"] else "failed")
    body = (attempt["body"] or "")[:300]
    return brief(attempt["at"]), join([state, escape(f" {answer}")]), f"{attempt['seconds']} s", code(body)


def endpoint_list(endpoints: Iterable[Json], secrets: Mapping[str, Sequence[str]]) -> Markup:
    """The table of endpoints. `secrets`: the valid secrets by endpoint id, newest first."""
    rows = [
        (
            Markup(f"{code(endpoint['url'])}<br>{code(endpoint['id'])}"),
            ", ".join(endpoint["enabled_events"]),
            badge(endpoint["status"]),
            _secrets(secrets[endpoint["id"]]),
            Markup(f'<div class="row">{join(_endpoint_acts(endpoint))}</div>'),
        )
        for endpoint in endpoints
    ]
    names = ("Endpoint", "Events", "State", "Secret", "")
    return sheet("", table("Webhook endpoints", names, rows, empty="No webhook endpoints yet."))


def _secrets(valid: Sequence[str]) -> Markup:
    lines = join(map(code, valid), "<br>still valid: ")
    return Markup(f"<details><summary>Reveal</summary>{lines}</details>")


def _endpoint_acts(endpoint: Json) -> Iterable[Markup]:
    off = endpoint["status"] == "enabled"
    sent = {"endpoint": endpoint["id"], "do": "disable" if off else "enable"}
    yield button("/dashboard/webhooks", "Disable" if off else "Enable", sent, about=endpoint["url"])
    sent = {"endpoint": endpoint["id"], "do": "roll"}
    yield button("/dashboard/webhooks", "Roll secret", sent, about=endpoint["url"])
