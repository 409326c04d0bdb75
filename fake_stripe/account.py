"""One Stripe account: its rows, clock and ids, and the rules to find and change a row."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fake_stripe.clock import Clock
from fake_stripe.errors import missing_object
from fake_stripe.faults import Faults
from fake_stripe.ids import Ids
from fake_stripe.listeners import Listeners
from fake_stripe.outbox import Outbox
from fake_stripe.store import Json, Store

API_VERSION = "2026-10-28.endive"
ACCOUNT_ID = "acct_1FakeStripe00000"
VERSION = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(\.[a-z]+)?\Z")

# the noun in "No such ...: 'id'", where it is not the kind itself
NOUNS = {
    "checkout.session": "checkout.session",
    "webhook_endpoint": "webhook endpoint",
    "shipping_rate": "shipping rate",
    "v2.commerce.product_catalog_import": "product catalog import",
}

OTHER_MODE = {
    False: "; a similar object exists in live mode, but a test mode key was used to make this request.",
    True: "; a similar object exists in test mode, but a live mode key was used to make this request.",
}


@dataclass(frozen=True)
class Cause:
    """An event's `request`. Both fields are None where no request caused the change, as when a session expires."""

    id: str | None = None
    idempotency_key: str | None = None


NO_REQUEST = Cause()


@dataclass
class Account:
    """One account: its store, clock, ids and event observers."""

    store: Store
    clock: Clock
    ids: Ids
    faults: Faults
    base_url: str
    event_observers: list[Callable[[Json], None]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)
    deadlines: list[tuple[int, str]] = field(default_factory=list)
    on_tick: list[Callable[[], None]] = field(default_factory=list)
    # The version of calls without a Stripe-Version, and of events.
    api_version: str = API_VERSION
    id: str = ACCOUNT_ID
    # Whether a server with websockets answers at `base_url`.
    has_websocket: bool = False

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.store)
        self.listeners = Listeners(self.store, self.clock)

    def wake(self) -> None:
        """Wake the threads that wait for deliveries or their attempts."""
        with self.news:
            self.news.notify_all()

    def tick(self) -> None:
        """Run everything that is due: expire sessions and delete old events."""
        for act in self.on_tick:
            act()

    def get(self, kind: str, id: str, livemode: bool) -> Json | None:
        """The row, or None if it does not exist in this mode."""
        row = self.store.get(kind, id)
        return row if row is not None and self.mode_of(row) == livemode else None

    def mode_of(self, row: Json) -> bool:
        """Whether a row is in live mode. A refund has no `livemode`; its charge does."""
        if "livemode" in row:
            return bool(row["livemode"])
        charge = self.store.get("charge", row["charge"])
        return charge is not None and bool(charge["livemode"])

    def find(self, kind: str, id: str, livemode: bool, *, param: str = "id", status: int = 404) -> Json:
        """The row; raises Stripe's error for an id that is unknown in this mode."""
        row = self.get(kind, id, livemode)
        if row is None:
            other = self.get(kind, id, not livemode) is not None
            there = OTHER_MODE[livemode] if other else ""
            raise missing_object(NOUNS.get(kind, kind), id, param=param, status=status, there=there)
        return row

    def save(self, row: Json) -> Json:
        """Store a row under its own kind and id; returns it."""
        self.store.put(row["object"], row["id"], row)
        return row

    def change(self, row: Json, **fields: Any) -> Json:
        """Store a copy of `row` updated with `fields`; returns the copy."""
        return self.save({**row, **fields})


@dataclass
class Call:
    """The context of one API request, or of an action of a customer or the Dashboard under the same rules."""

    account: Account
    cause: Cause
    livemode: bool
    params: Json = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    version: str = API_VERSION
    secret_key: str = ""

    @property
    def now(self) -> int:
        return self.account.clock.now()

    def find(self, kind: str) -> Json:
        """The object whose id is in the path."""
        return self.account.find(kind, self.args["id"], self.livemode)

    def referred(self, kind: str, id: str, param: str) -> Json:
        """An object whose id is in a parameter; raises a 400 that names the parameter."""
        return self.account.find(kind, id, self.livemode, param=param, status=400)

    def new_id(self, kind: str) -> str:
        return self.account.ids.new(kind, livemode=self.livemode)
