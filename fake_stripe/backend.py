"""The parts of a FakeStripe that the pages and control endpoints use."""

import copy
from dataclasses import dataclass

from fake_stripe import deliveries
from fake_stripe.account import NO_REQUEST, Account, Call
from fake_stripe.api import Api
from fake_stripe.clock import Clock
from fake_stripe.courier import Courier
from fake_stripe.customers import Customers
from fake_stripe.dashboard import Dashboard
from fake_stripe.faults import Faults
from fake_stripe.resources import line_items
from fake_stripe.store import Json, Rows


@dataclass(frozen=True)
class Backend:
    """Built by FakeStripe, so that the modules above it need not import it."""

    account: Account
    api: Api
    customers: Customers
    dashboard: Dashboard
    courier: Courier
    livemode: bool

    @property
    def clock(self) -> Clock:
        return self.account.clock

    @property
    def faults(self) -> Faults:
        return self.account.faults

    def rows(self, kind: str) -> Rows:
        return Rows(self.account.store, kind)

    def lines(self, session_id: str) -> list[Json]:
        """The line items of a session, each with its price; copies."""
        with self.account.store.lock:
            lines = line_items.lines_of(Call(self.account, NO_REQUEST, self.livemode), session_id)
            return copy.deepcopy(lines)

    def deliveries(self, event_id: str | None = None) -> list[Json]:
        """An event's deliveries with their attempts, oldest first, or the newest hundred of all; copies."""
        if event_id is None:
            return copy.deepcopy(deliveries.newest(self.account))
        return copy.deepcopy(deliveries.of_event(self.account, event_id))
