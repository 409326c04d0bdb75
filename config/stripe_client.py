"""The Stripe client of this process, and exceptions into which the library's errors are translated.

No other module reads the STRIPE_* settings for calls or catches the library's errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

from config.coerce import clean_json

if TYPE_CHECKING:
    import stripe

CONNECT_TIMEOUT, READ_TIMEOUT = 3, 10
# Statuses that proxies return as well. Stripe always sends an error object with them.
PROXY_STATUSES = {400, 403, 404}


class StripeCallError(Exception):
    """A call to Stripe failed. `outcome_known` is False if the request may have taken effect nevertheless."""

    outcome_known = True

    def __init__(self, message: str, *, code: str = "", param: str = "") -> None:
        super().__init__(message)
        self.code, self.param = code, param


class NotConfigured(StripeCallError):
    """STRIPE_SECRET_KEY is not set: pages work, checkout is unavailable."""


class ReadOnly(StripeCallError):
    """STRIPE_READ_ONLY is on, and the call would have changed something."""


class AuthenticationFailed(StripeCallError):
    """401: the key is not valid."""


class PermissionDenied(StripeCallError):
    """403: the key lacks a permission."""


class InvalidRequest(StripeCallError):
    """400 or 402: the request is invalid; a retry would fail again."""


class IdempotencyConflict(InvalidRequest):
    """400: the idempotency key was used before with another body."""


class NotFound(InvalidRequest):
    """404: the object does not exist."""


class RateLimited(StripeCallError):
    """429 or 409: the request had no effect; retry later."""


class ServerError(StripeCallError):
    """5xx: the outcome is unknown. Stripe stores this response under the idempotency key."""

    outcome_known = False


class ConnectionFailed(StripeCallError):
    """No connection, a timeout, or a response that is not Stripe's: the outcome is unknown."""

    outcome_known = False


def is_configured() -> bool:
    return bool(settings.STRIPE_SECRET_KEY)


def http_client() -> stripe.HTTPClient:
    """The transport of every call. Tests replace this function."""
    import stripe

    if not settings.STRIPE_READ_ONLY:
        return stripe.RequestsClient(timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))

    class ReadsOnly(stripe.RequestsClient):
        def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
            if method.lower() != "get":
                raise ReadOnly(f"Nothing may be changed at Stripe (STRIPE_READ_ONLY): {method.upper()} {url}")
            return super().request(method, url, *args, **options)

    return ReadsOnly(timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))


def stripe_client(*, retries: int = 0) -> stripe.StripeClient:
    """The client of this process. Raises NotConfigured without STRIPE_SECRET_KEY.

    `retries` is the library's own; use it only for reads and for calls with an idempotency key of ours.
    """
    if not is_configured():
        raise NotConfigured("STRIPE_SECRET_KEY is not set.")
    return _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, retries)


def client_of(key: str, *, retries: int = 0) -> stripe.StripeClient:
    return _client(key, settings.STRIPE_API_BASE, retries)


@lru_cache(maxsize=8)
def _client(key: str, base: str, retries: int) -> stripe.StripeClient:
    import stripe

    return stripe.StripeClient(
        key, base_addresses={"api": base}, max_network_retries=retries, http_client=http_client()
    )


def put_file(url: str, body: bytes, content_type: str) -> int:
    """Send a file to an address that Stripe named, without the key. Returns the HTTP status.

    Raises ConnectionFailed.
    """
    with translate_errors():
        _answer, status, _headers = http_client().request("put", url, {"Content-Type": content_type}, body)
    return int(status)


@contextmanager
def translate_errors(*, key_name: str = "STRIPE_SECRET_KEY") -> Iterator[None]:
    """Translate the library's exceptions into StripeCallError and its subclasses.

    `key_name`: the variable that holds the key, for the message.
    """
    import stripe

    try:
        yield
    except stripe.StripeError as exc:
        raise _translate(exc, key_name) from exc


def _translate(error: stripe.StripeError, key_name: str) -> StripeCallError:
    import stripe

    # Logs and issues need a single line.
    message = clean_json(" ".join((error.user_message or str(error)).split()))
    detail = getattr(error, "error", None)
    code = str(getattr(detail, "code", None) or error.code or "")
    param = str(getattr(detail, "param", None) or "")
    status = error.http_status
    if isinstance(error, stripe.APIConnectionError) or status is None:
        return ConnectionFailed(f"Stripe did not answer: {message}", code=code)
    if status < 400 or status == 408 or (detail is None and status in PROXY_STATUSES):
        # A proxy answered in place of Stripe; the request may have reached Stripe nevertheless.
        return ConnectionFailed(
            f"The response with status {status} is not from Stripe: {message[:200]}", code=code
        )
    if isinstance(error, stripe.IdempotencyError):
        return IdempotencyConflict(message, code=code)
    if status == 401:
        return AuthenticationFailed(f"Stripe does not accept the key in {key_name}.", code=code)
    if status == 403:
        return PermissionDenied(f"The key in {key_name} lacks a permission: {message}", code=code)
    if status == 404:
        return NotFound(message, code=code, param=param)
    if status in {409, 429}:
        return RateLimited(message, code=code)
    if status >= 500:
        return ServerError(message, code=code)
    return InvalidRequest(message, code=code, param=param)
