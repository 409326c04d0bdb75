"""Which exchanges are checked, and what is remembered of those that were broken?"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

from fake_stripe.contract.contract import Contract, Json
from fake_stripe.contract.faults import ContractBroken


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

    def see_exchange(self, method: str, path: str, form: bytes | str, status: int, json: object) -> None:
        """One call and its answer. A refused request needs no check: the refusal was the right answer to it."""
        if not self._chosen():
            return
        if status < 400:
            self._note(lambda: self.contract.check_request(method, path, form))
        self._note(lambda: self.contract.check_response(method, path, status, json))

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
