"""The transport to Stripe: every request is watched, and may be delayed, killed, or arrive after a timeout.

Faults of Stripe itself are in fake_stripe/faults.py; this module simulates the network and the sender.
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

VERSION_KEY = "inventory_version"


class Wire(InProcess):
    """A transport for the real library. `arrives_late(send)` decides whether a POST times out, and sends it later."""

    def __init__(
        self,
        fake: FakeStripe,
        processes: Processes,
        arrives_late: Callable[[Callable[[], object]], bool],
        takes: Callable[[], float],
    ) -> None:
        super().__init__(fake.api, fake.wsgi_app)
        self._fake, self._processes = fake, processes
        self._arrives_late, self._takes = arrives_late, takes
        self.replaced: list[tuple[str, str]] = []  # (product, key): invalid counts that our updates replaced

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
        product = path.rsplit("/", 1)[1]
        is_product = path.startswith("/v1/products/") and product in self._fake.products
        is_update = method.upper() == "POST" and is_product
        before = self._fake.products[product]["metadata"] if is_update else {}
        try:
            answer = super().request(method, url, headers, post_data)
        finally:
            if is_update:
                self._check_update(product, before, str(post_data))
        self._fake.clock.forward(self._takes())
        return answer

    def _check_update(self, product: str, before: Mapping[str, str], form: str) -> None:
        # Checked whatever the answer was: the update may have taken effect, or repeat one that did.
        after = self._fake.products[product]["metadata"]
        for name, value in parse_qsl(form, keep_blank_values=True):
            key = name.removeprefix("metadata[").removesuffix("]")
            ours = key == VERSION_KEY or key.startswith("stock")
            if not name.startswith("metadata[") or not ours:
                raise broken("10: a key that is not ours was written", f"{product} {name}")
            if key != VERSION_KEY and not (value.isascii() and value.isdigit()):
                raise broken("10: a value that is not a count was written", f"{product} {key} {value!r}")
            if key != VERSION_KEY and not is_count(before.get(key)) and is_count(after.get(key)):
                self.replaced.append((product, key))

    def _sleep_time_seconds(self, num_retries: int) -> float:
        # Instead of sleeping before a retry, move the clock.
        self._fake.clock.forward(0.5 * num_retries)
        return 0.0


def is_count(text: str | None) -> bool:
    """The protocol's rule, implemented independently: one to six ASCII digits with optional blanks around them."""
    trimmed = (text or "").strip()
    return 0 < len(trimmed) <= 6 and all(letter in "0123456789" for letter in trimmed)
