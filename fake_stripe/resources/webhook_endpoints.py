"""Webhook endpoints: https://docs.stripe.com/api/webhook_endpoints"""

from fake_stripe import params as p
from fake_stripe import thin_events
from fake_stripe.account import VERSION, Call
from fake_stripe.errors import StripeError
from fake_stripe.event_types import EVENT_TYPES
from fake_stripe.paging import page
from fake_stripe.store import Json

EVENTS = p.ListOf(p.Enum(("*", *sorted(EVENT_TYPES))), minimum=1)
CREATE = p.body(
    required=["enabled_events", "url"],
    api_version=p.Text(pattern=VERSION, problem="Invalid API version"),
    connect=p.Boolean(),
    description=p.Text(unset=True),
    enabled_events=EVENTS,
    metadata=p.Metadata(),
    url=p.url(),
)
UPDATE = p.body(
    description=p.Text(unset=True),
    disabled=p.Boolean(),
    enabled_events=EVENTS,
    metadata=p.Metadata(),
    url=p.url(),
)
LIST = p.listing()
MAX_ENDPOINTS = 16


def create(call: Call) -> Json:
    """POST /v1/webhook_endpoints. Only this answer includes the secret."""
    secret = call.account.ids.new("webhook_secret")
    return {**make(call, secret), "secret": secret}


def make(call: Call, secret: str, *, thin: bool = False) -> Json:
    """Store an endpoint and its secret; returns the endpoint without the secret.

    thin: an event destination of API v2 that gets thin events, as the Dashboard creates it.
    """
    params = call.params
    existing = [
        e
        for e in call.account.store.table("webhook_endpoint").rows.values()
        if e["livemode"] == call.livemode
    ]
    if len(existing) >= MAX_ENDPOINTS:
        raise StripeError(f"You have reached the maximum of {MAX_ENDPOINTS} webhook endpoints.")
    if "*" in params["enabled_events"] and len(params["enabled_events"]) > 1:
        raise StripeError(
            "`*` stands for every event and cannot be combined with others.", param="enabled_events"
        )
    endpoint = {
        "id": call.new_id("event_destination" if thin else "webhook_endpoint"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": call.now,
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": call.livemode,
        "metadata": p.merge_metadata({}, params.get("metadata")),
        "status": "enabled",
        "url": params["url"],
    }
    set_secret(call, endpoint["id"], secret)
    return call.account.save(endpoint)


def set_secret(call: Call, endpoint_id: str, secret: str) -> None:
    """Make this the endpoint's only secret."""
    row = {"secrets": [{"secret": secret, "until": None}]}
    call.account.store.put("webhook_secret", endpoint_id, row)


def retrieve(call: Call) -> Json:
    """GET /v1/webhook_endpoints/{id}"""
    return call.find("webhook_endpoint")


def update(call: Call) -> Json:
    """POST /v1/webhook_endpoints/{id}; `disabled` disables or enables it. The API version cannot change."""
    endpoint = call.find("webhook_endpoint")
    fields: Json = {n: call.params[n] for n in ("description", "enabled_events", "url") if n in call.params}
    if "disabled" in call.params:
        fields["status"] = "disabled" if call.params["disabled"] else "enabled"
    if "metadata" in call.params:
        fields["metadata"] = p.merge_metadata(endpoint["metadata"], call.params["metadata"])
    return call.account.change(endpoint, **fields)


def delete(call: Call) -> Json:
    """DELETE /v1/webhook_endpoints/{id}"""
    endpoint = call.find("webhook_endpoint")
    call.account.store.remove("webhook_endpoint", endpoint["id"])
    call.account.store.remove("webhook_secret", endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def list_all(call: Call) -> Json:
    """GET /v1/webhook_endpoints"""
    return page(
        call, "webhook_endpoint", "/v1/webhook_endpoints", lambda row: not thin_events.is_destination(row)
    )


def roll_secret(call: Call, endpoint: Json, *, both_valid_for: int = 24 * 3600) -> str:
    """Create a new secret; the old one stays valid for `both_valid_for` seconds. Returns the new one."""
    row = call.account.store.get("webhook_secret", endpoint["id"]) or {"secrets": []}
    until = call.now + both_valid_for
    old = [{**s, "until": until if s["until"] is None else s["until"]} for s in row["secrets"]]
    secret = call.account.ids.new("webhook_secret")
    still = [s for s in old if s["until"] > call.now]
    call.account.store.put(
        "webhook_secret", endpoint["id"], {"secrets": [{"secret": secret, "until": None}, *still]}
    )
    return secret
