"""The fake Stripe of a drop in a process of its own, with the people who use its pages.

The measuring process holds a `StripeSide` and sends it commands over a pipe. Payments and Dashboard edits
happen inside the other process, so they cause no API calls that would be counted.
"""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlencode

from benchmarks.crowd import Edit
from benchmarks.judge import Paid, Place, Verdict, judge
from benchmarks.records import changes_counts, counts_of, happenings
from fake_stripe import FakeStripe
from fake_stripe.server import Server

KEY = "sk_test_" + 3 * "benchmark"  # dj-stripe wants 24 letters.
SALE = "checkout.session.completed"
Json = dict[str, Any]


class StripeSide:
    """The measuring process's end of the pipe. Use as a context manager, which ends the other process."""

    def __init__(self) -> None:
        there = multiprocessing.get_context("spawn")
        self._pipe, child = there.Pipe()
        self._process = there.Process(target=_serve, args=(child,), daemon=True)
        self._process.start()
        child.close()
        self.url = str(self._pipe.recv())

    def __enter__(self) -> StripeSide:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()

    def tell(self, act: str, **given: Any) -> Any:
        """Call a public method of Here in the other process and return its result. Raises RuntimeError if it raised."""
        self._pipe.send((act, given))
        good, result = self._pipe.recv()
        if not good:
            raise RuntimeError(f"{act}: {result}")
        return result


def _serve(pipe: Connection) -> None:
    fake = FakeStripe(KEY, seed=1)
    server = Server(fake)
    fake.courier.start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = Here(fake)
    pipe.send(fake.base_url)
    while True:
        try:
            act, given = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((True, getattr(here, act)(**given)))
        except Exception as error:
            pipe.send((False, f"{type(error).__name__}: {error}"))


@dataclass(frozen=True)
class Act:
    """A payment or an edit, `at` seconds from the start of the drop."""

    at: float
    do: Callable[[], object]


@dataclass
class Here:
    """The commands that the Stripe process accepts."""

    fake: FakeStripe
    opened: dict[Place, int] = field(default_factory=dict)
    calls: Counter[tuple[str, int]] = field(default_factory=Counter)
    notified_at: dict[str, float] = field(default_factory=dict)
    acting: threading.Thread | None = None
    trouble: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fake.observers.append(lambda call: self.calls.update([(call.method, call.status)]))
        self.fake.event_observers.append(self._note_time)

    def _note_time(self, event: Json) -> None:
        self.notified_at[event["id"]] = self.fake.clock.exact()

    def add_product(self, *, id: str, name: str, counts: Mapping[str, int], unit_amount: int = 2500) -> None:
        """Add a product with a count per size."""
        metadata = {"sizes": ",".join(counts), "category": "clothing"}
        metadata |= {f"stock_{size}": str(count) for size, count in counts.items()}
        price = {"unit_amount": unit_amount, "currency": "usd", "default": True}
        self.fake.add_product(
            id=id, name=name, metadata=metadata, description="As it was.", prices=[price], emit=False
        )
        self.opened |= {(id, f"stock_{size}"): count for size, count in counts.items()}

    def add_goods(self, *, goods: list[Json]) -> None:
        """Add products in the format of benchmarks.goods."""
        for one in goods:
            metadata = {"sizes": ",".join(one["counts"]), "category": one["category"]}
            metadata |= {"colors": one["colors"], "details": one["details"]}
            metadata |= {f"stock_{size}": str(count) for size, count in one["counts"].items()}
            self.fake.add_product(
                id=one["id"],
                name=one["name"],
                metadata=metadata,
                description=one["description"],
                images=one["images"],
                prices=[{"unit_amount": one["unit_amount"], "currency": "usd", "default": True}],
            )

    def add_endpoint(self, *, url: str, secret: str, events: list[str]) -> None:
        self.fake.add_webhook_endpoint(url, enabled_events=events, secret=secret)

    def open_sessions(self, *, product: str, wants: Sequence[Mapping[str, int]]) -> list[str]:
        """Open sessions as the control's shop does: without a check of the stock, with sizes in the metadata."""
        return [self._open_session(product, basket) for basket in wants]

    def _open_session(self, product: str, basket: Mapping[str, int]) -> str:
        price = self.fake.products[product]["default_price"]
        form = {"mode": "payment", "success_url": "http://shop.test/thank-you"}
        for i, (size, quantity) in enumerate(basket.items()):
            form |= {f"line_items[{i}][price]": price, f"line_items[{i}][quantity]": str(quantity)}
            form |= {f"metadata[item_{i}_size]": size, f"metadata[item_{i}_product_id]": product}
            form[f"metadata[item_{i}_quantity]"] = str(quantity)
        status, session = self.fake.call("POST", "/v1/checkout/sessions", urlencode(form))
        if status != 200:
            raise ValueError(session["error"]["message"])
        return str(session["id"])

    def misbehave(self, *, rules: list[Json], limits: bool) -> None:
        """Replace the fault rules, and switch the rate limits on or off."""
        self.fake.faults.clear()
        for rule in rules:
            self.fake.faults.add(**rule)
        self.fake.api.limits.enforced = limits

    def begin(self, *, product: str, payments: list[tuple[float, str]], edits: list[Edit]) -> None:
        """Start the payments and edits, each at its time from now; returns at once. Resets the count of API calls."""
        self.calls.clear()
        acts = [Act(at, partial(self.fake.pay, session)) for at, session in payments]
        acts += [Act(edit.at, partial(self._edit, product, edit)) for edit in edits]
        acts.sort(key=lambda act: act.at)
        self.acting = threading.Thread(target=self._act, args=(acts,), daemon=True)
        self.acting.start()

    def _act(self, acts: list[Act]) -> None:
        started = time.monotonic()
        for act in acts:
            time.sleep(max(0.0, started + act.at - time.monotonic()))
            try:
                act.do()
            except Exception as error:
                self.trouble.append(f"{type(error).__name__}: {error}")

    def _edit(self, product: str, edit: Edit) -> None:
        if not edit.size:
            self.fake.dashboard.edit_product(product, description=f"Edited after {edit.at:.0f} seconds.")
            return
        key = f"stock_{edit.size}"
        with self.fake.account.store.lock:  # Atomic here: a person cannot read and save faster.
            count = int(self.fake.products[product]["metadata"][key])
            self.fake.dashboard.edit_product(product, metadata={key: str(count + edit.difference)})

    def edit(self, *, product: str, size: str, difference: int) -> None:
        self._edit(product, Edit(0, size, difference))

    def pay_and_tell_twice(self, *, sessions: list[str]) -> None:
        """Pay one session after the other; resend each event from the Dashboard once it was answered."""
        for session in sessions:
            self.fake.pay(session)
            event = next(
                e["id"]
                for e in reversed(self._events())
                if e["type"] == SALE and e["data"]["object"]["id"] == session
            )
            self.fake.courier.wait_for(event, timeout=10)
            self.fake.dashboard.resend(event)
            self.fake.courier.wait_for(event, timeout=10)

    def pay(self, *, session: str) -> None:
        self.fake.pay(session)

    def pay_all(self, *, sessions: list[str]) -> None:
        for session in sessions:
            self.fake.pay(session)

    def request(self, *, path: str, form: str) -> Json:
        """The answer of a POST to the API. Raises ValueError if it is refused."""
        status, answer = self.fake.call("POST", path, form)
        if status != 200:
            raise ValueError(answer["error"]["message"])
        return answer

    def is_acting(self) -> bool:
        """Whether payments or edits are still to come. Raises RuntimeError with the errors of those that failed."""
        if self.trouble:
            raise RuntimeError("; ".join(self.trouble[:3]))
        return self.acting is not None and self.acting.is_alive()

    def undelivered(self) -> int:
        """The number of deliveries that are waiting for their first attempt or for a retry."""
        store = self.fake.account.store
        with store.lock:
            return sum(row["state"] == "waiting" for row in store.table("delivery").oldest_first())

    def forward_to_next_try(self) -> float:
        """Move the clock forward to the next delivery attempt; returns by how many seconds."""
        due = self.fake.account.outbox.next_due()
        wait = max(0.0, (due or 0.0) - self.fake.clock.exact())
        if wait:
            self.fake.forward(wait)
        return wait

    def verdict(self) -> Verdict:
        """The judge's verdict on all events so far."""
        return judge(self.opened, happenings(self._events(), self.fake.lines))

    def units_bought(self) -> dict[str, dict[Place, int]]:
        """Session id -> units bought, from the line items of each paid session."""
        heard = happenings(self._events(), self.fake.lines)
        return {one.session: dict(one.units) for one in heard if isinstance(one, Paid)}

    def _events(self) -> list[Json]:
        # Rows are never changed in place, so a list read under the lock is a snapshot.
        store = self.fake.account.store
        with store.lock:
            return list(store.table("event").oldest_first())

    def counts(self, *, product: str) -> dict[Place, int | None]:
        return counts_of(self.fake.products[product])

    def settled_after(self) -> float | None:
        """Seconds from the last webhook of a sale to the last change of a count; 0 if that came first."""
        changes = [self.notified_at[event["id"]] for event in self._events() if changes_counts(event)]
        tries = [attempt["at"] for attempt in self._sale_attempts()]
        return max(0.0, max(changes) - max(tries)) if changes and tries else None

    def webhook_seconds(self) -> list[tuple[float, int | None]]:
        """(seconds, status) of every attempt to deliver the event of a sale."""
        return [(attempt["seconds"], attempt["status"]) for attempt in self._sale_attempts()]

    def first_posts(self) -> dict[str, float]:
        """Session -> time at which the first webhook of its sale was sent."""
        store = self.fake.account.store
        with store.lock:
            rows = [row for row in store.table("delivery").oldest_first() if row["type"] == SALE]
            events = {event["id"]: event for event in store.table("event").oldest_first()}
        times: dict[str, float] = {}
        for row in rows:
            # An attempt is recorded when it was answered.
            for attempt in row["attempts"][:1]:
                sent = attempt["at"] - attempt["seconds"]
                session = events[row["event"]]["data"]["object"]["id"]
                times[session] = min(sent, times.get(session, sent))
        return times

    def are_tagged(self, *, products: list[str]) -> bool:
        """Whether each product has had an update of its counts."""
        return all("inventory_version" in self.fake.products[product]["metadata"] for product in products)

    def answered_by(self) -> dict[str, int]:
        """Address -> number of sale events that it answered with 200."""
        return dict(Counter(attempt["url"] for attempt in self._sale_attempts() if attempt["status"] == 200))

    def _sale_attempts(self) -> list[Json]:
        store = self.fake.account.store
        with store.lock:
            rows = [row for row in store.table("delivery").oldest_first() if row["type"] == SALE]
        return [attempt for row in rows for attempt in row["attempts"]]

    def api_calls(self) -> dict[tuple[str, int], int]:
        """(method, status) -> number of API calls since `begin`."""
        return dict(self.calls)

    def events(self, *, types: list[str]) -> list[str]:
        """Every event of those types so far, as JSON text."""
        return [json.dumps(event) for event in self._events() if event["type"] in types]

    def sale_events(self) -> list[str]:
        """Every checkout.session.completed so far, once per session, as JSON text."""
        sales = [e for e in self._events() if e["type"] == SALE]
        return [json.dumps(e) for e in {e["data"]["object"]["id"]: e for e in sales}.values()]
