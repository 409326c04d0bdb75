"""Create drafts at Stripe so that an interrupted import can be repeated, with nothing doubled.

A product's id follows from its handle and a price's lookup key from its product and size, and Stripe accepts each only
once. A product with prices per size is archived and marked until its last price is there, so that no size is ever sold
at another one's price.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from config.stripe_client import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidRequest,
    NotConfigured,
    PermissionDenied,
    RateLimited,
    ServerError,
    StripeCallError,
)
from inventory.imports.drafts import HANDLE_KEY, UNFINISHED_KEY, Draft
from shop import gateway
from shop.gateway import StripeProduct

# https://docs.stripe.com/rate-limits: 25 per second in a sandbox and for each endpoint. The shop itself needs some.
CALLS_PER_SECOND = 15
ATTEMPTS = 6
Progress = Callable[[int, Draft], None]


@dataclass
class Comparison:
    """What has to be done for each draft. `prices`: the sizes of an unfinished product that have a price already."""

    new: list[Draft] = field(default_factory=list)
    unfinished: list[Draft] = field(default_factory=list)
    present: list[Draft] = field(default_factory=list)
    prices: dict[str, set[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def compare(drafts: Iterable[Draft], products: Iterable[StripeProduct]) -> Comparison:
    """Compare with the products of the account. Products that are there are never changed: they may have been sold."""
    by_id: dict[str, StripeProduct] = {}
    by_handle: dict[str, StripeProduct] = {}
    for product in products:
        by_id[product.id] = product
        by_handle[product.metadata.get(HANDLE_KEY, "")] = product
    result = Comparison()
    for draft in drafts:
        there = by_id.get(draft.product_id) or by_handle.get(draft.handle)
        if there is None:
            result.new.append(draft)
        elif there.metadata.get(HANDLE_KEY) != draft.handle:
            result.problems.append(
                f"Line {draft.line}: {draft.name}: Stripe has another product with the id {draft.product_id}."
            )
        elif UNFINISHED_KEY not in there.metadata:
            result.present.append(draft)
        elif wrong := _different_prices(draft, there):
            result.problems.append(
                f"Line {draft.line}: {draft.name}: an interrupted import gave {', '.join(wrong)} another price. Correct the "
                f"file, or delete {there.id} at Stripe."
            )
        else:
            result.unfinished.append(draft)
            result.prices[draft.product_id] = {price.size for price in there.prices if price.size}
    return result


def _different_prices(draft: Draft, there: StripeProduct) -> list[str]:
    wrong = [
        price.size
        for price in there.prices
        if price.size and draft.extra_prices.get(price.size) != price.unit_amount
    ]
    default = next((price for price in there.prices if price.id == there.default_price_id), None)
    return [*wrong, *(["the product"] if default is None or default.unit_amount != draft.amount else [])]


class Pace:
    """Spaces calls evenly. `clock` and `sleep` are those of the time module, except in tests."""

    def __init__(
        self,
        per_second: float = CALLS_PER_SECOND,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._step, self._next = 1 / per_second, 0.0
        self._clock, self.sleep = clock or time.monotonic, sleep or time.sleep

    def wait(self) -> None:
        now = self._clock()
        if self._next > now:
            self.sleep(self._next - now)
        self._next = max(now, self._next) + self._step


@dataclass
class Upload:
    """Creates drafts. `failed`: sentences about products that Stripe refused; the others are created all the same."""

    comparison: Comparison
    pace: Pace = field(default_factory=Pace)
    done: int = 0
    failed: list[str] = field(default_factory=list)

    def run(self, progress: Progress = lambda done, draft: None) -> None:
        """Raises StripeCallError if Stripe cannot be used at all. What was created until then is found by the next run."""
        for draft in [*self.comparison.unfinished, *self.comparison.new]:
            try:
                self._create(draft)
            except (AuthenticationFailed, PermissionDenied, NotConfigured):
                raise
            except InvalidRequest as exc:
                self.failed.append(f"Line {draft.line}: {draft.name}: Stripe refused it: {exc}")
            else:
                self.done += 1
            progress(self.done, draft)

    def _create(self, draft: Draft) -> None:
        existing = self.comparison.prices.get(draft.product_id)
        if existing is None:
            self._call(gateway.create_product, draft, draft.create_params())
        for size in draft.extra_prices:
            if size not in (existing or ()):
                self._call(gateway.create_price, draft, draft.price_params(size))
        if draft.extra_prices:
            finish = {"active": True, "metadata": {UNFINISHED_KEY: ""}}

            def update(params: Mapping[str, Any], *, key: str) -> None:
                gateway.update_product(draft.product_id, params, key=key)

            self._call(update, draft, finish)

    def _call(self, call: Callable[..., None], draft: Draft, params: dict[str, Any]) -> None:
        # One call with retries. Raises StripeCallError.
        digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:24]
        failures, uncertain = 0, False
        error: StripeCallError | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                self.pace.sleep(min(2**attempt, 30))
            self.pace.wait()
            try:
                # Stripe keeps a 500 under its key, so the next attempt needs another one.
                call(params, key=f"import:{draft.product_id}:{digest}:{failures}"[:255])
            except ServerError as exc:
                failures, uncertain, error = failures + 1, True, exc
            except (RateLimited, ConnectionFailed) as exc:
                error = exc
            except InvalidRequest:
                if uncertain and self._is_there(draft, params):
                    return
                raise
            else:
                return
        assert error  # noqa: S101
        raise error

    def _is_there(self, draft: Draft, params: Mapping[str, Any]) -> bool:
        # Whether the attempt that ended with a 500 had taken effect nevertheless.
        self.pace.wait()
        product = gateway.fetch_product(draft.product_id)
        if product.metadata.get(HANDLE_KEY) != draft.handle:
            return False
        size = params.get("metadata", {}).get("size")
        return "lookup_key" not in params or any(price.size == size for price in product.prices)
