"""Check the exchanges and events of all fakes in a test run."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from fake_stripe.api import Exchange
from fake_stripe.contract.contract import Contract, Json
from fake_stripe.contract.violations import ContractBroken
from fake_stripe.fake import FakeStripe
from fake_stripe.recorder import Reader, Recorder


class Watch:
    """Checks the exchanges and events of any number of fakes, in any number of threads and processes.

    It never raises into the fake; violations are collected in `broken`.

    folder: where other processes record exchanges and events for this one to check. A forked child records
    automatically, line by line, so that nothing is lost if it is killed. A fake on a port needs `--record`.
    """

    def __init__(self, contract: Contract, folder: Path | None = None) -> None:
        self.contract = contract
        self.broken: list[ContractBroken] = []
        self._folder = folder
        self._process = os.getpid()
        self._recorder: Recorder | None = None
        self._readers: dict[Path, Reader] = {}
        # Two locks: a child may be forked while another thread of its parent holds the first one.
        self._lock, self._childs_lock = threading.Lock(), threading.Lock()

    def see_exchange(self, call: Exchange) -> None:
        if recorder := self._childs_recorder():
            recorder.see_exchange(call)
        else:
            self._check_exchange(call)

    def see_event(self, event: Json) -> None:
        if recorder := self._childs_recorder():
            recorder.see_event(dict(event))
        elif event["api_version"] >= self.contract.version[:10]:  # Older ones have older names.
            self._note(lambda: self.contract.check_event(event))

    def _childs_recorder(self) -> Recorder | None:
        """The Recorder of a forked child; None in the process that created the watch."""
        if self._folder is None or os.getpid() == self._process:
            return None
        with self._childs_lock:
            if self._recorder is None:
                self._recorder = Recorder(str(self._folder / f"child-{os.getpid()}"))
            return self._recorder

    def _check_exchange(self, call: Exchange) -> None:
        # Requests are not checked if they were refused, which was the right answer to a violation, or if they
        # asked for an API version older than the document.
        if call.status < 400 and call.version >= self.contract.version[:10]:
            # The body of a GET is ignored.
            sent = (call.query,) if call.method == "GET" else (call.query, call.form)
            form = b"&".join(part for part in sent if part)
            self._note(
                lambda: self.contract.check_request(call.method, call.path, form, version=call.version)
            )
        self._note(lambda: self.contract.check_response(call.method, call.path, call.status, call.response))

    def take_broken(self) -> list[ContractBroken]:
        """The violations since the last call, including those recorded by other processes."""
        self._read_the_others()
        with self._lock:
            found, self.broken = self.broken, []
        return found

    def _read_the_others(self) -> None:
        for path in sorted(self._folder.iterdir()) if self._folder else ():
            for recorded in self._readers.setdefault(path, Reader(str(path))).new():
                if isinstance(recorded, Exchange):
                    self._check_exchange(recorded)
                else:
                    self.see_event(recorded)

    def _note(self, check: Callable[[], None]) -> None:
        try:
            check()
        except ContractBroken as broken:
            with self._lock:
                self.broken.append(broken)


@contextlib.contextmanager
def watching_everywhere(watch: Watch) -> Iterator[None]:
    """Let `watch` check every FakeStripe that is created meanwhile."""
    FakeStripe.everywhere.append(watch.see_exchange)
    FakeStripe.events_everywhere.append(watch.see_event)
    try:
        yield
    finally:
        FakeStripe.everywhere.remove(watch.see_exchange)
        FakeStripe.events_everywhere.remove(watch.see_event)
