"""Listeners: the sessions of `stripe listen` and `stripe logs tail`, and the events that are kept for them.

An event is kept until the CLI has acknowledged it and, where it forwards events, has reported the receiver's answer.
Everything that is kept is sent again on the next connection, so a receiver may get duplicates but misses nothing.
"""

import hashlib
import hmac
import itertools
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from fake_stripe.clock import Clock
from fake_stripe.store import Json, Store

# The features that the CLI can ask for: those of `stripe listen` and of `stripe logs tail`.
LISTEN, LOGS = "webhooks", "request_logs"
MAX_LISTENERS = 20
MAX_KEPT = 10_000
MAX_TICKETS = 8
# Seconds that events are kept for a listener that is not connected.
ABSENCE = 3600
# Seconds for which the CLI waits for the receiver's answer (30), and some more. It never posts an event again later.
ANSWER_TIME = 35.0
# Seconds until an event must be acknowledged, which the CLI does at once.
ACK_TIME = 30.0
# Seconds that the next event of the same object waits for the receiver's answer, until the client has answered one of
# the type, and from then on.
ORDER_TIME, PROVEN_ORDER_TIME = 1.0, 10.0
IN_FLIGHT = 32
SCANNED = 500


class TooManyListeners(Exception):
    """Every listener is connected, and there may not be more of them."""


class Listeners:
    """The listeners of an account, stored with it. Guarded by the store's lock.

    news: notified when a listener may have something to send.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.news = threading.Condition()
        # listener -> event -> the id of the event's object, in order of creation
        self._kept: dict[str, dict[str, str]] = {}
        self._connected: dict[str, list[Flow]] = {}
        # End the open connections; added and removed by them.
        self.closers: list[Callable[[], None]] = []
        for row in store.table("kept_event").oldest_first():
            self._kept.setdefault(row["listener"], {})[row["event"]] = row["about"]

    def open(self, *, livemode: bool, feature: str, origin: str, **fields: object) -> tuple[Json, str]:
        """Open a session of the CLI in a transaction; returns the listener and the session's ticket.

        origin: what distinguishes the listener from others, such as the device and the URL it forwards to. A later
        session from the same origin continues the same listener, with the new session's `fields`.
        """
        id = "listener_" + hashlib.sha256(f"{livemode} {feature} {origin}".encode()).hexdigest()[:24]
        row = self._store.get("listener", id) or {"id": id, "livemode": livemode, "feature": feature}
        row = {"tickets": [], "listening": False, **row}
        self._make_room(id)
        # Not from the account's Ids: a ticket must not be predictable, and must not change the ids that follow.
        ticket = f"wsid_{secrets.token_urlsafe(24)}"
        tickets = [*row["tickets"], ticket][-MAX_TICKETS:]
        row |= {**fields, "tickets": tickets, "seen": self._clock.exact()}
        self._store.put("listener", id, row)
        return row, ticket

    def _make_room(self, id: str) -> None:
        rows = self._store.table("listener").rows
        self.forget_absent()
        if id in rows or len(rows) < MAX_LISTENERS:
            return
        absent = [row for row in rows.values() if not self._connected.get(row["id"])]
        if not absent:
            raise TooManyListeners
        self._forget(min(absent, key=lambda row: float(row["seen"])))

    def forget_absent(self) -> None:
        """Forget the listeners that have been away for an hour, with the events kept for them."""
        oldest = self._clock.exact() - ABSENCE
        for row in list(self._store.table("listener").rows.values()):
            if row["seen"] < oldest and not self._connected.get(row["id"]):
                self._forget(row)

    def _forget(self, row: Json) -> None:
        for event_id in self._kept.pop(row["id"], {}):
            self._store.remove("kept_event", f"{row['id']}/{event_id}")
        self._store.remove("listener", row["id"])

    def find(self, ticket: str) -> Json | None:
        """The listener with this ticket."""
        for row in self._store.table("listener").rows.values():
            if any(hmac.compare_digest(ticket.encode(), one.encode()) for one in row["tickets"]):
                return row
        return None

    def keep(self, event: Json) -> None:
        """Keep a new or resent event for every listener of its mode; call it in the transaction of the event."""
        rows = self._store.table("listener").rows
        if not rows:
            return
        self.forget_absent()
        for row in list(rows.values()):
            wanted = row["listening"] and row["feature"] == LISTEN
            if wanted and row["livemode"] == event["livemode"]:
                self._keep(row["id"], event)

    def _keep(self, listener: str, event: Json) -> None:
        about = str(event["data"]["object"].get("id", ""))
        row = {"listener": listener, "event": event["id"], "about": about}
        self._store.put("kept_event", f"{listener}/{event['id']}", row)
        kept = self._kept.setdefault(listener, {})
        if len(kept) >= MAX_KEPT:
            oldest = next(iter(kept))
            del kept[oldest]
            self._store.remove("kept_event", f"{listener}/{oldest}")
        self._store.after_commit(lambda: self._announce(listener, event["id"], about))

    def _announce(self, listener: str, event_id: str, about: str) -> None:
        with self._store.lock:
            self._kept.setdefault(listener, {})[event_id] = about
            for flow in self._connected.get(listener, ()):
                flow.add(event_id, about)
        self.wake()

    def close(self) -> None:
        """End every connection."""
        for close in list(self.closers):
            close()

    def wake(self) -> None:
        with self.news:
            self.news.notify_all()

    def connect(self, listener: str) -> "Flow":
        """The flow of a new connection, beginning with everything that is kept."""
        with self._store.transaction():
            self._see(listener, listening=True)
            flow = Flow(lambda event_id: self._finish(listener, event_id))
            for event_id, about in self._kept.get(listener, {}).items():
                flow.add(event_id, about)
            self._connected.setdefault(listener, []).append(flow)
        return flow

    def disconnect(self, listener: str, flow: "Flow") -> None:
        with self._store.transaction():
            self._connected[listener].remove(flow)
            self._see(listener)

    def _see(self, listener: str, **fields: object) -> None:
        row = self._store.get("listener", listener)
        if row is not None:
            self._store.put("listener", listener, {**row, "seen": self._clock.exact(), **fields})

    def _finish(self, listener: str, event_id: str) -> None:
        with self._store.transaction():
            self._store.remove("kept_event", f"{listener}/{event_id}")
            self._kept.get(listener, {}).pop(event_id, None)
            for flow in self._connected.get(listener, ()):
                flow.drop(event_id)


@dataclass
class Sent:
    """An event that was sent on a connection, with the times of its sending and acknowledgement."""

    about: str
    type: str
    sent: float
    acknowledged: float | None = None


@dataclass
class Flow:
    """What one connection has to send, has sent, and may send next. Times are seconds of a monotonic clock.

    At most IN_FLIGHT events are under way. An event waits for the answer to an earlier one of the same object, because the
    CLI posts in parallel. Types whose events are not answered, because the CLI filters them, forwards nothing or cannot
    reach the receiver, are not waited for any more.

    answered: type -> whether its events are answered, as far as that is known.
    """

    finish: Callable[[str], None]
    waiting: dict[str, str] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    answered: dict[str, bool] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, event_id: str, about: str) -> None:
        with self.lock:
            self.sent.pop(event_id, None)
            self.waiting[event_id] = about

    def drop(self, event_id: str) -> None:
        """Forget an event that was finished on another connection, unless it is under way on this one too."""
        with self.lock:
            self.waiting.pop(event_id, None)

    def take(self, now: float, type_of: Callable[[str], str]) -> list[str]:
        """The events to send now, in order."""
        with self.lock:
            blocking = [one for one in self.sent.values() if self._blocks(one, now)]
            busy, taken = {one.about for one in blocking}, list[str]()
            for event_id, about in list(itertools.islice(self.waiting.items(), SCANNED)):
                if len(blocking) + len(taken) >= IN_FLIGHT:
                    break
                if about not in busy:
                    busy.add(about)
                    taken.append(event_id)
                    del self.waiting[event_id]
                    self.sent[event_id] = Sent(about, type_of(event_id), now)
            return taken

    def _blocks(self, one: Sent, now: float) -> bool:
        if one.acknowledged is None:
            return True
        return now < one.acknowledged + self._patience(one.type)

    def _patience(self, type: str) -> float:
        answered = self.answered.get(type)
        if answered is None:
            return ORDER_TIME
        return PROVEN_ORDER_TIME if answered else 0.0

    def acknowledge(self, event_id: str, now: float, *, finished: bool) -> None:
        """finished: whether no answer must come, because the client forwards nothing. It may send one all the same."""
        with self.lock:
            one = self.sent.get(event_id)
            if one is None:
                return
            one.acknowledged = now
        if finished:
            self.finish(event_id)

    def answer(self, event_id: str) -> None:
        """The receiver has answered."""
        with self.lock:
            one = self.sent.pop(event_id, None)
            if one is None:
                return
            self.answered[one.type] = True
        self.finish(event_id)

    def give_up(self, now: float) -> None:
        """Finish the events that were acknowledged and will not be answered any more."""
        with self.lock:
            acknowledged = [(id, one) for id, one in self.sent.items() if one.acknowledged is not None]
            for _, one in acknowledged:
                if one.acknowledged is not None and now >= one.acknowledged + self._patience(one.type):
                    self.answered[one.type] = False
            late = [id for id, one in acknowledged if now >= (one.acknowledged or 0.0) + ANSWER_TIME]
            for event_id in late:
                del self.sent[event_id]
        for event_id in late:
            self.finish(event_id)

    def is_stuck(self, now: float) -> bool:
        """Whether an event was not acknowledged in time."""
        with self.lock:
            return any(one.acknowledged is None and now >= one.sent + ACK_TIME for one in self.sent.values())


def signing_secret(key: str) -> str:
    """The secret of an API key's listeners, which is the same after every start."""
    return "whsec_" + hmac.new(key.encode(), b"stripe listen", hashlib.sha256).hexdigest()
