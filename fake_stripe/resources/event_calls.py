"""The calls on events, which are kept for 30 days: https://docs.stripe.com/api/events"""

from fnmatch import fnmatchcase

from fake_stripe import params as p
from fake_stripe.account import Call
from fake_stripe.errors import StripeError
from fake_stripe.events import RETENTION
from fake_stripe.paging import page
from fake_stripe.store import Json

LIST = p.listing(
    created=p.CREATED,
    delivery_success=p.Boolean(),
    type=p.Text(),
    types=p.ListOf(p.Text(), max_length=20),
)


def retrieve(call: Call) -> Json:
    """GET /v1/events/{id}"""
    event = call.find("event")
    if _too_old(call, event):
        raise StripeError(f"No such event: '{event['id']}'", status=404, code="resource_missing", param="id")
    return event


def list_all(call: Call) -> Json:
    """GET /v1/events"""
    params = call.params
    if "type" in params and "types" in params:
        raise StripeError("You may only specify one of these parameters: type, types.", param="types")
    types = params.get("types", [params["type"]] if "type" in params else None)

    def keep(row: Json) -> bool:
        if _too_old(call, row) or (types is not None and not any(fnmatchcase(row["type"], t) for t in types)):
            return False
        wanted = params.get("delivery_success")
        return wanted is None or bool((row["pending_webhooks"] == 0) == wanted)

    return page(call, "event", "/v1/events", keep)


def _too_old(call: Call, event: Json) -> bool:
    return bool(event["created"] < call.now - RETENTION)
