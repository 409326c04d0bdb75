"""Post signed webhooks, at a steady rate or as fast as they are answered."""

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
    """`per_second` webhooks for `seconds`."""

    per_second: float
    seconds: float


def twins(sales: Sequence[str], count: int, *, spread_over: Sequence[str] = ()) -> list[bytes]:
    """`count` signed requests, each a copy of one of `sales` (JSON texts) under a new event id.

    `spread_over`: product ids that replace the sold one in turn.
    """
    requests = []
    for i in range(count):
        body = EVENT_ID.sub(f'"id": "evt_twin{next(_number)}"', sales[i % len(sales)], count=1)
        if spread_over:
            body = PRODUCT_ID.sub(rf'\g<1>"{spread_over[i % len(spread_over)]}"', body)
        requests.append(signed(body.encode()))
    return requests


def signed(body: bytes, *, path: str = WEBHOOK_PATH, secret: str = WEBHOOK_SECRET) -> bytes:
    """A webhook request, signed with the current time: https://docs.stripe.com/webhooks#verify-manually"""
    now = int(time.time())
    signature = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    headers = [("Content-Type", "application/json"), ("Stripe-Signature", f"t={now},v1={signature}")]
    return request("POST", path, host="127.0.0.1", headers=headers, body=body)


def flood(port: int, requests: Sequence[bytes], *, seconds: float) -> Load:
    """Send as many requests as are answered in `seconds`, each at most once."""
    return as_fast_as_possible(port, requests, seconds=seconds, at_most=len(requests))


def trickle(port: int, sales: Sequence[str], rate: Rate) -> Load:
    """Send webhooks at a steady `rate`, whatever the responses are."""
    requests = twins(sales, int(rate.per_second * rate.seconds))
    return at_a_rate(port, requests, per_second=rate.per_second, seconds=rate.seconds)


def together(loads: Sequence[Load]) -> Load:
    """Add up several loads."""
    whole = Load()
    for load in loads:
        whole.seconds += load.seconds
        whole.took += load.took
        whole.statuses += load.statuses
    return whole
