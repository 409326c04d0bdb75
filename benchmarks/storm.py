"""How many webhooks are answered, and how quickly, also while Stripe hangs? Signed events, posted by ourselves."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load import Load, as_fast_as_possible, at_a_rate, request
from benchmarks.servers import WEBHOOK_PATH, WEBHOOK_SECRET

EVENT_ID = re.compile(r'"id": "(evt_\w+)"')
PRODUCT_ID = re.compile(r'("item_\d+_product_id": )"\w+"')
_number = itertools.count(1)


@dataclass(frozen=True)
class Rate:
    """So many webhooks a second for so many seconds."""

    per_second: float
    seconds: float


def twins(sales: Sequence[str], count: int, *, spread_over: Sequence[str] = ()) -> list[bytes]:
    """`count` signed requests, each an event of its own id that reports one of `sales` (JSON texts) once more.

    `spread_over`: product ids that take turns in the place of the sold one.
    """
    made = []
    for i in range(count):
        body = EVENT_ID.sub(f'"id": "evt_twin{next(_number)}"', sales[i % len(sales)], count=1)
        if spread_over:
            body = PRODUCT_ID.sub(rf'\g<1>"{spread_over[i % len(spread_over)]}"', body)
        made.append(signed(body.encode()))
    return made


def signed(body: bytes) -> bytes:
    """A webhook request, signed now: https://docs.stripe.com/webhooks#verify-manually"""
    now = int(time.time())
    mark = hmac.new(WEBHOOK_SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    headers = [("Content-Type", "application/json"), ("Stripe-Signature", f"t={now},v1={mark}")]
    return request("POST", WEBHOOK_PATH, host="127.0.0.1", headers=headers, body=body)


def flood(port: int, requests: Sequence[bytes], *, seconds: float) -> Load:
    """As many as are answered in `seconds`; none is sent twice."""
    return as_fast_as_possible(port, requests, seconds=seconds, at_most=len(requests))


def trickle(port: int, sales: Sequence[str], rate: Rate) -> Load:
    """A steady `rate`, whatever comes back."""
    requests = twins(sales, int(rate.per_second * rate.seconds))
    return at_a_rate(port, requests, per_second=rate.per_second, seconds=rate.seconds)


def together(loads: Sequence[Load]) -> Load:
    """Several loads as one."""
    whole = Load()
    for load in loads:
        whole.seconds += load.seconds
        whole.took += load.took
        whole.statuses += load.statuses
    return whole
