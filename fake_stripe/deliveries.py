"""Webhook deliveries: which endpoints get an event, when, and the record of attempts."""

import itertools

from fake_stripe import thin_events
from fake_stripe.account import Account
from fake_stripe.faults import DeliveryPlan
from fake_stripe.store import Json

# Seconds until the next attempt after each failure; after the last one the delivery has failed. Stripe retries for
# up to three days, in a sandbox three times over a few hours (https://docs.stripe.com/webhooks#retries). The exact
# intervals are not published.
SANDBOX_GAPS = (2, 60, 7200)
LIVE_GAPS = (2, 10, 60, 300, 1800, 3600, 7200, 14400, 28800, 57600, 86400)
# On a running clock no two events are due at the same moment: one place back is this many seconds later.
SECONDS_PER_PLACE = 0.2


def schedule(account: Account, event: Json, plan: DeliveryPlan) -> Json:
    """Create a delivery for every subscribed endpoint; returns the event with its `pending_webhooks`."""
    endpoints = [e for e in account.store.table("webhook_endpoint").oldest_first() if wants(e, event)]
    if not endpoints:
        return event
    event = account.change(event, pending_webhooks=len(endpoints))
    for endpoint in endpoints:
        group = f"{event['id']}:{endpoint['id']}" if plan.parallel else None
        for _ in range(0 if plan.drop else plan.copies):
            _add(account, event, endpoint, delay=plan.delay, later=plan.later, group=group)
    return event


def wants(endpoint: Json, event: Json) -> bool:
    """Whether the endpoint is enabled, in the event's mode, and subscribed to its type."""
    if endpoint["status"] != "enabled" or endpoint["livemode"] != event["livemode"]:
        return False
    type = f"v1.{event['type']}" if thin_events.is_destination(endpoint) else event["type"]
    return "*" in endpoint["enabled_events"] or type in endpoint["enabled_events"]


def resend(account: Account, event: Json, endpoint: Json) -> Json:
    """Schedule another delivery of an event to an endpoint, due now, whatever the earlier attempts gave."""
    with account.store.transaction():
        return _add(account, event, endpoint)


def _add(
    account: Account,
    event: Json,
    endpoint: Json,
    *,
    delay: float = 0.0,
    later: float = 0.0,
    group: str | None = None,
) -> Json:
    delivery = {
        "id": account.ids.new("delivery"),
        "event": event["id"],
        "type": event["type"],
        "endpoint": endpoint["id"],
        "due": account.clock.exact() + delay + (later * SECONDS_PER_PLACE if account.clock.runs else 0.0),
        "rank": account.outbox.next_rank() + later,
        "group": group,
        "state": "waiting",
        "attempts": [],
    }
    account.store.put("delivery", delivery["id"], delivery)
    account.store.after_commit(lambda: _announce(account, delivery, new=True))
    return delivery


def _announce(account: Account, delivery: Json, *, new: bool = False) -> None:
    with account.store.lock:
        if new:
            account.outbox.index(delivery)
        account.outbox.push(delivery)
    account.wake()


def take_due(account: Account) -> list[Json]:
    """Take the deliveries that are due out of the queue, in order. The caller must attempt them."""
    with account.store.lock:
        rows = [account.store.get("delivery", id) for id in account.outbox.pop_due(account.clock.exact())]
    return [row for row in rows if row is not None and row["state"] == "waiting"]


def keep_attempt(account: Account, delivery_id: str, attempt: Json, *, final: bool = False) -> None:
    """Record an attempt. A failure schedules the next attempt, unless it was `final`."""
    with account.store.transaction():
        delivery = account.store.get("delivery", delivery_id)
        if delivery is not None:
            _keep(account, {**delivery, "attempts": [*delivery["attempts"], attempt]}, attempt, final)
    account.wake()


def _keep(account: Account, delivery: Json, attempt: Json, final: bool) -> None:
    tries = len(delivery["attempts"])
    event = account.store.get("event", delivery["event"])
    gaps = LIVE_GAPS if event and event["livemode"] else SANDBOX_GAPS
    if attempt["ok"]:
        _count_success(account, delivery)
        delivery = {**delivery, "state": "delivered"}
    elif final or tries > len(gaps):
        delivery = {**delivery, "state": "failed"}
    else:
        delivery = {**delivery, "due": account.clock.exact() + gaps[tries - 1]}
        account.store.after_commit(lambda: _announce(account, delivery))
    account.store.put("delivery", delivery["id"], delivery)


def _count_success(account: Account, delivery: Json) -> None:
    """The first success at each endpoint decreases the event's `pending_webhooks`."""
    event = account.store.get("event", delivery["event"])
    earlier = [d for d in of_event(account, delivery["event"]) if d["endpoint"] == delivery["endpoint"]]
    if event is None or any(d["state"] == "delivered" for d in earlier):
        return
    account.change(event, pending_webhooks=max(0, event["pending_webhooks"] - 1))


def of_event(account: Account, event_id: str) -> list[Json]:
    """Every delivery of an event with its attempts, oldest first."""
    # Without the lock, to avoid a deadlock: this runs while holding the condition `news`, and threads that
    # hold the store's lock wait for that condition to notify it.
    rows = [account.store.get("delivery", id) for id in account.outbox.of_event(event_id)]
    return [row for row in rows if row is not None]


def newest(account: Account, limit: int = 100) -> list[Json]:
    """The newest deliveries with their attempts, newest first."""
    with account.store.lock:
        return list(itertools.islice(account.store.table("delivery").newest_first(), limit))


def answered(account: Account, event_id: str) -> bool:
    """Whether the first attempt at every endpoint was made; True if there are no deliveries."""
    return all(delivery["attempts"] for delivery in of_event(account, event_id))


def delete(account: Account, event_id: str) -> None:
    """Delete an event's deliveries, when the event is deleted."""
    for id in account.outbox.delete(event_id):
        account.store.remove("delivery", id)
