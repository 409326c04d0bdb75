"""Create Event objects with their `previous_attributes`, and schedule their deliveries."""

from collections.abc import Iterator

from fake_stripe.account import Account, Call, Cause
from fake_stripe.deliveries import delete, schedule
from fake_stripe.faults import DeliveryPlan
from fake_stripe.resources import versions
from fake_stripe.store import Json

RETENTION = 30 * 24 * 3600


def emit(
    call: Call, type: str, obj: Json, *, previous: Json | None = None, cause: Cause | None = None
) -> Json:
    """Store an event of `type` about `obj` and schedule its deliveries; returns the Event.

    previous: `data.previous_attributes`, from `difference`; None omits it.
    cause: the event's `request`, where it is not the call's.
    """
    data: Json = {"object": versions.event_object(obj, call.account.api_version)}
    if previous is not None:
        data["previous_attributes"] = previous
    event = {
        "id": call.new_id("event"),
        "object": "event",
        "api_version": call.account.api_version,
        "created": call.now,
        "data": data,
        "livemode": obj.get("livemode", call.livemode),
        "pending_webhooks": 0,
        "request": _request(cause or call.cause),
        "type": type,
    }
    return record(call.account, event)


def record(account: Account, event: Json) -> Json:
    """Store an event, schedule its deliveries, and notify the observers after the commit."""
    plan = account.faults.for_event(event["type"])
    kept = _record(account, event, plan)
    if plan.twin:
        # Stripe may create two Event objects for one change: another id, everything else equal.
        _record(account, {**event, "id": account.ids.new("event")}, plan)
    return kept


def _record(account: Account, event: Json, plan: DeliveryPlan) -> Json:
    account.save(event)
    event = schedule(account, event, plan)
    account.listeners.keep(event)
    account.store.after_commit(lambda: _tell(account, event))
    return event


def delete_old(account: Account) -> None:
    """Delete events older than 30 days, as Stripe does, with their deliveries."""
    oldest = account.clock.now() - RETENTION
    table = account.store.table("event")
    with account.store.lock:
        if next(_older(table.oldest_first(), oldest), None) is None:
            return
    with account.store.transaction():
        for event in list(_older(table.oldest_first(), oldest)):
            delete(account, event["id"])
            account.store.remove("event", event["id"])


def _older(events: Iterator[Json], oldest: int) -> Iterator[Json]:
    for event in events:
        if event["created"] >= oldest:
            return
        yield event


def _request(cause: Cause) -> Json:
    return {"id": cause.id, "idempotency_key": cause.idempotency_key}


def _tell(account: Account, event: Json) -> None:
    for observer in account.event_observers:
        observer(event)


def difference(old: Json, new: Json) -> Json:
    """The old values of what changed. Of a hash only its changed keys, None where a key is new."""
    changed: Json = {}
    for key in {**old, **new}:
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            changed[key] = difference(before, after)
        else:
            changed[key] = before
    return changed


def changed(call: Call, type: str, old: Json, new: Json) -> None:
    """Emit `type` with `previous_attributes`, unless nothing changed."""
    previous = difference(old, new)
    if previous:
        emit(call, type, new, previous=previous)
