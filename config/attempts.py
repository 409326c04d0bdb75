"""Limit how often one address may try to log in or ask for a mail, before a password is checked.

django-axes counts wrong passwords per name and address. A guesser who changes the name with each try would keep the
processors busy with hashes (0.3 s each). Counted per process, in memory.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from config.client_address import client_address, client_network
from config.logs import log_rarely

logger = logging.getLogger(__name__)
LIMIT, PERIOD = 10, 60.0  # attempts in so many seconds
MAX_ADDRESSES = 10_000

_lock = threading.Lock()
_attempts: dict[str, list[float]] = {}


def limit_attempts(view: Callable[..., HttpResponseBase]) -> Callable[..., Any]:
    """Answer 429 to a POST of an address with too many; a login that succeeds starts its count again."""

    @wraps(view)
    def limited(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **options)
        address = client_network(request) or client_address(request)
        if not take(address, time.monotonic()):
            text = f"{request.path} was refused: more than {LIMIT} attempts in a minute, the last from {address}."
            log_rarely(logger, logging.WARNING, text, key="attempts")
            refusal = render(request, "admin/locked_out.html", {"is_brief": True}, status=429)
            refusal["Retry-After"] = f"{PERIOD:.0f}"
            refusal._has_been_logged = True  # type: ignore[attr-defined]  # Django would log each.
            return refusal
        response = view(request, *args, **options)
        if request.user.is_authenticated:
            forget(address)
        return response

    return limited


def take(address: str, now: float) -> bool:
    """Count an attempt; False if there were too many, which is not counted."""
    with _lock:
        if len(_attempts) >= MAX_ADDRESSES and address not in _attempts:
            for other in [each for each, times in _attempts.items() if now - times[-1] >= PERIOD]:
                del _attempts[other]
            if len(_attempts) >= MAX_ADDRESSES:
                del _attempts[next(iter(_attempts))]
        recent = [each for each in _attempts.get(address, ()) if now - each < PERIOD]
        is_free = len(recent) < LIMIT
        _attempts[address] = [*recent, now] if is_free else recent
        return is_free


def forget(address: str) -> None:
    with _lock:
        _attempts.pop(address, None)
