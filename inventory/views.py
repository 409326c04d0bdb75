"""Stripe webhook: verify the signature, store the event, answer. The worker handles the event later.

Failures of handlers are not reported to Stripe: its next attempt would come hours later, one broken product would
delay every order that contains it, and Stripe disables endpoints that keep failing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from config.fault_points import fault_point
from inventory import admin_panels, gateway
from inventory.events import inbox
from inventory.events.batcher import EventBatcher

logger = logging.getLogger(__name__)

WARN_INTERVAL = 60  # seconds
# Both spellings are served without a redirect, which Stripe would count as a failed delivery.
PATHS = ("stripe/webhook/", "stripe/webhook")


def stripe_first(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Outermost middleware: webhooks skip session, CSP and header middleware, a quarter of the request time."""
    addresses = {f"/{path}" for path in PATHS}

    def answer(request: HttpRequest) -> HttpResponse:
        return stripe_webhook(request) if request.path_info in addresses else get_response(request)

    return answer


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Answer 200 once the event is stored; 400, 405 or 413 for invalid requests; 503 if the event cannot be stored."""
    if _is_too_big(request):
        return _refuse(413, f"The body is larger than {settings.STRIPE_WEBHOOK_MAX_BYTES} bytes.")
    try:
        _verify(request)
        event = inbox.parse(request.body)
        inbox.check_mode(event)
    except (gateway.BadSignature, inbox.NotAnEvent) as exc:
        return _refuse(400, str(exc))
    fault_point("receive.verified")
    return _store(event)


_batcher = EventBatcher()


def _store(event: inbox.Json) -> HttpResponse:
    try:
        new = _batcher.store(event)
    except DatabaseError:
        logger.exception("Could not store event %s; Stripe will retry", event["id"])
        return _text(503, "The event could not be stored; please retry.")
    fault_point("receive.stored")
    _warn_rarely()
    return _text(200, "Stored." if new else "Already stored.")


_warned_at = 0.0


def _warn_rarely() -> None:
    """Log a warning if no worker is running, at most once per WARN_INTERVAL and process."""
    global _warned_at
    if time.monotonic() - _warned_at > WARN_INTERVAL:
        _warned_at = time.monotonic()
        admin_panels.warn_if_no_worker(timezone.now())


def _is_too_big(request: HttpRequest) -> bool:
    # Check the header, so that a huge body is never read.
    length = request.headers.get("Content-Length", "")
    return length.isdecimal() and int(length) > settings.STRIPE_WEBHOOK_MAX_BYTES


def _verify(request: HttpRequest) -> None:
    if not settings.STRIPE_WEBHOOK_SECRETS:
        raise gateway.BadSignature("STRIPE_WEBHOOK_SECRET is not set, so no event can be verified.")
    gateway.verify(
        request.body,
        request.headers.get("Stripe-Signature", ""),
        secrets=settings.STRIPE_WEBHOOK_SECRETS,
        tolerance=settings.STRIPE_WEBHOOK_TOLERANCE,
        now=time.time(),
    )


def _refuse(status: int, why: str) -> HttpResponse:
    logger.warning("Webhook rejected with %d: %s", status, why)
    return _text(status, why)


def _text(status: int, text: str) -> HttpResponse:
    return HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")
