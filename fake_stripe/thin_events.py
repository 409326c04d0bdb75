"""Thin events of API v2: notifications that name an object instead of containing it.

Each snapshot event of API v1 has a thin event with the type `v1.<type>`, which names it as `snapshot_event`:
https://docs.stripe.com/changelog/endive/2026-09-30/thin-events-for-api-v1-resources-generally-available
"""

from datetime import UTC, datetime

from fake_stripe.account import Call
from fake_stripe.store import Json

DESTINATION_PREFIX, THIN_PREFIX = "ed_", "evt_65"
PATHS = {"checkout.session": "checkout/sessions"}


def is_destination(endpoint: Json) -> bool:
    """Whether an endpoint is an event destination of API v2 with thin payloads."""
    return bool(endpoint["id"].startswith(DESTINATION_PREFIX))


def retrieve(call: Call) -> Json:
    """GET /v2/core/events/{id}"""
    snapshot_id = call.args["id"].removeprefix(THIN_PREFIX)
    event = call.account.find("event", f"evt_{snapshot_id}", call.livemode)
    known = {name: value for name, value in notification(event).items() if value is not None}
    return {**known, "snapshot_event": event["id"]}


def notification(event: Json) -> Json:
    """The body that a thin destination receives for a snapshot event. Only the retrieved event names the snapshot."""
    about, request = event["data"]["object"], event["request"]
    cause = {"id": request["id"], "idempotency_key": request["idempotency_key"] or ""}
    path = PATHS.get(about["object"], f"{about['object']}s")
    return {
        "id": THIN_PREFIX + event["id"].removeprefix("evt_"),
        "object": "v2.core.event",
        "type": f"v1.{event['type']}",
        "created": datetime.fromtimestamp(event["created"], UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "livemode": event["livemode"],
        "context": None,
        "related_object": {
            "id": about["id"],
            "type": about["object"],
            "url": f"/v1/{path}/{about['id']}",
        },
        "reason": {"type": "request", "request": cause} if request["id"] else None,
    }


def body(event: Json, endpoint: Json) -> Json:
    """What this endpoint receives for an event."""
    return notification(event) if is_destination(endpoint) else event
