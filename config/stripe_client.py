"""How do we reach Stripe? One client, and the library's errors in our words.

Nothing else reads STRIPE_* settings for calls, and nothing else catches the library's errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings

from config.texts import storable

if TYPE_CHECKING:
    import stripe

CONNECT_SECONDS, READ_SECONDS = 3, 10
# What a proxy says too, where Stripe itself says why.
PROXIES = {400, 403, 404}


class StripeTrouble(Exception):
    """Stripe did not do what was asked. `outcome_known`: False if it may have taken effect all the same."""

    outcome_known = True

    def __init__(self, message: str, *, code: str = "", param: str = "") -> None:
        super().__init__(message)
        self.code, self.param = code, param


class NotConfigured(StripeTrouble):
    """There is no key: pages work, checkout says so."""


class WrongKey(StripeTrouble):
    """401: Stripe does not know the key."""


class NotAllowed(StripeTrouble):
    """403: the key may not do this."""


class Refused(StripeTrouble):
    """400 or 402: the request is wrong and will stay so."""


class KeyReused(Refused):
    """400: the idempotency key was sent before with another body."""


class NotFound(Refused):
    """404: Stripe has no such object."""


class Busy(StripeTrouble):
    """429 or 409: nothing was done; try later."""


class StripeFailed(StripeTrouble):
    """5xx: Stripe failed on the way. The answer is stored under the idempotency key; the effect is unknown."""

    outcome_known = False


class NoAnswer(StripeTrouble):
    """No connection, a time-out, a cut connection, or an answer that is not Stripe's: the effect is unknown."""

    outcome_known = False


def is_configured() -> bool:
    """Can we call Stripe at all?"""
    return bool(settings.STRIPE_SECRET_KEY)


def http_client() -> stripe.HTTPClient:
    """The transport of every call: `requests`, with its time-outs. Tests put their own in its place."""
    import stripe

    return stripe.RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS))


def stripe_client(*, retries: int = 0) -> stripe.StripeClient:
    """The client for this process. `retries` are the library's own, for calls that carry a key of ours or only read.

    Raises NotConfigured without STRIPE_SECRET_KEY.
    """
    if not is_configured():
        raise NotConfigured("STRIPE_SECRET_KEY is not set.")
    return _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, retries)


@lru_cache(maxsize=8)
def _client(key: str, base: str, retries: int) -> stripe.StripeClient:
    import stripe

    return stripe.StripeClient(
        key, base_addresses={"api": base}, max_network_retries=retries, http_client=http_client()
    )


@contextmanager
def our_errors() -> Iterator[None]:
    """Translate what the library raises inside the block into StripeTrouble and its kinds."""
    import stripe

    try:
        yield
    except stripe.StripeError as error:
        raise _translated(error) from error


def _translated(error: stripe.StripeError) -> StripeTrouble:
    import stripe

    # One line of a log, and of a case, whatever it was.
    message = storable(" ".join((error.user_message or str(error)).split()))
    detail = getattr(error, "error", None)
    code = str(getattr(detail, "code", None) or error.code or "")
    param = str(getattr(detail, "param", None) or "")
    status = error.http_status
    if isinstance(error, stripe.APIConnectionError) or status is None:
        return NoAnswer(f"Stripe did not answer: {message}", code=code)
    if status < 400 or status == 408 or (detail is None and status in PROXIES):
        # Something between here and Stripe spoke in its place: the request may have arrived all the same.
        return NoAnswer(f"The answer with status {status} is none of Stripe's: {message[:200]}", code=code)
    if isinstance(error, stripe.IdempotencyError):
        return KeyReused(message, code=code)
    if status == 401:
        return WrongKey("Stripe does not accept the key in STRIPE_SECRET_KEY.", code=code)
    if status == 403:
        return NotAllowed(f"The key in STRIPE_SECRET_KEY may not do this: {message}", code=code)
    if status == 404:
        return NotFound(message, code=code, param=param)
    if status in {409, 429}:
        return Busy(message, code=code)
    if status >= 500:
        return StripeFailed(message, code=code)
    return Refused(message, code=code, param=param)
