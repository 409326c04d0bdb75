"""What goes over the wire to Stripe? Every request: watched, delayed, killed, or arriving when nobody waits any more.

What Stripe itself does wrong is the fake's business (fake_stripe/faults.py); here is only what happens on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe
from django.db import connection

from fake_stripe import FakeStripe
from fake_stripe.transport import InProcess
from proofs.state_machine.broken import broken
from proofs.state_machine.processes import Processes

MARK = "inventory_version"


class Wire(InProcess):
    """The transport of the real library. `arrives_late()` says whether this request does, and is given it to send."""

    def __init__(
        self,
        fake: FakeStripe,
        processes: Processes,
        arrives_late: Callable[[Callable[[], object]], bool],
        takes: Callable[[], float],
    ) -> None:
        super().__init__(fake.api)
        self._fake, self._processes = fake, processes
        self._arrives_late, self._takes = arrives_late, takes
        self.replaced: list[
            tuple[str, str]
        ] = []  # (product, key): unreadable counts that a write of ours replaced

    def request(  # type: ignore[override]
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[str, int, Mapping[str, str]]:
        path = urlsplit(url).path
        where = f"{method} {path}"
        if connection.in_atomic_block:
            raise broken("6: a request inside a transaction", where)
        self._processes.step(f"before {where}")
        self._processes.pause(f"before {where}")

        def send() -> tuple[str, int, Mapping[str, str]]:
            return self._send(method, url, headers, post_data)

        if method.upper() == "POST" and self._arrives_late(send):
            raise stripe.APIConnectionError("Timed out; the request is still on its way.", should_retry=False)  # type: ignore[no-untyped-call]
        answer = send()
        self._processes.pause(f"after {where}")
        self._processes.step(f"after {where}")
        return answer

    def _send(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        self._fake.clock.forward(self._takes())
        path = urlsplit(url).path
        is_write = method.upper() == "POST" and path.startswith("/v1/products/")
        product = path.rsplit("/", 1)[1]
        before = self._fake.products[product]["metadata"] if is_write else {}
        try:
            answer = super().request(method, url, headers, post_data)
        finally:
            if is_write:
                self._look_at_write(product, before, str(post_data))
        self._fake.clock.forward(self._takes())
        return answer

    def _look_at_write(self, product: str, before: Mapping[str, str], form: str) -> None:
        """Whatever was answered: it may have taken effect, or be the repetition of one that did."""
        stands = self._fake.products[product]["metadata"]
        for name, value in parse_qsl(form, keep_blank_values=True):
            key = name.removeprefix("metadata[").removesuffix("]")
            ours = key == MARK or key.startswith("stock")
            if not name.startswith("metadata[") or not ours:
                raise broken("10: a key that is not ours was written", f"{product} {name}")
            if key != MARK and not (value.isascii() and value.isdigit()):
                raise broken("10: something else than a count was written", f"{product} {key} {value!r}")
            if key != MARK and not is_count(before.get(key)) and is_count(stands.get(key)):
                self.replaced.append((product, key))

    def _sleep_time_seconds(self, num_retries: int) -> float:
        """The library waits before it asks again; here the clock moves instead."""
        self._fake.clock.forward(0.5 * num_retries)
        return 0.0


def is_count(text: str | None) -> bool:
    """By the world's own rule, which is the protocol's: one to six ASCII digits, blanks around them aside."""
    trimmed = (text or "").strip()
    return 0 < len(trimmed) <= 6 and all(letter in "0123456789" for letter in trimmed)
