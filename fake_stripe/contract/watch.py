"""Which exchanges are checked, and what is remembered of those that were broken?"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

from fake_stripe.api import Exchange
from fake_stripe.contract.contract import Contract, Json
from fake_stripe.contract.faults import ContractBroken
from fake_stripe.fake import FakeStripe


class Watch:
    """Looks at exchanges and events of any number of fakes, from any number of threads.

    It never raises into the fake that it watches; `broken` collects what was found, `take_broken` empties it.
    """

    def __init__(self, contract: Contract, one_in: int = 1) -> None:
        self.contract = contract
        self.broken: list[ContractBroken] = []
        self._one_in = one_in
        self._count = itertools.count()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def sampling(self, one_in: int) -> Iterator[None]:
        """Check one exchange or event in `one_in` while this lasts: for runs of a hundred thousand calls."""
        before, self._one_in = self._one_in, one_in
        try:
            yield
        finally:
            self._one_in = before

    def see_exchange(self, call: Exchange) -> None:
        """One call and its answer.

        A refused request is not held against the document, for the refusal was the right answer to it; nor is
        one that asked for an API version older than the document.
        """
        if not self._chosen():
            return
        if call.status < 400 and call.version >= self.contract.version[:10]:
            # A body that comes with a GET is read by nobody.
            sent = (call.query,) if call.method == "GET" else (call.query, call.form)
            form = b"&".join(part for part in sent if part)
            self._note(
                lambda: self.contract.check_request(call.method, call.path, form, version=call.version)
            )
        self._note(lambda: self.contract.check_response(call.method, call.path, call.status, call.response))

    def see_event(self, event: Json) -> None:
        """One event as it is delivered."""
        if self._chosen():
            self._note(lambda: self.contract.check_event(event))

    def take_broken(self) -> list[ContractBroken]:
        """What was found broken since the last call."""
        with self._lock:
            found, self.broken = self.broken, []
        return found

    def _chosen(self) -> bool:
        return next(self._count) % self._one_in == 0

    def _note(self, check: Callable[[], None]) -> None:
        try:
            check()
        except ContractBroken as broken:
            with self._lock:
                self.broken.append(broken)


@contextlib.contextmanager
def watching_everywhere(watch: Watch) -> Iterator[None]:
    """Let `watch` see every exchange and event of every FakeStripe that is made meanwhile."""
    FakeStripe.everywhere.append(watch.see_exchange)
    FakeStripe.events_everywhere.append(watch.see_event)
    try:
        yield
    finally:
        FakeStripe.everywhere.remove(watch.see_exchange)
        FakeStripe.events_everywhere.remove(watch.see_event)
