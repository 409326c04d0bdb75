"""Stripe webhook: verify the signature, store the event, answer. The worker handles the event later.

Failures of handlers are not reported to Stripe: its next attempt would come hours later, one broken product would
delay every order that contains it, and Stripe disables endpoints that keep failing.
"""

from __future__ import annotations

import logging
import re
import time

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from config.fault_points import fault_point
from config.logs import log_rarely
from inventory import deliveries, gateway
from inventory.events import inbox

logger = logging.getLogger(__name__)

_batcher = inbox.EventBatcher()


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Answer 200 once the event is stored, or if it is of a connected account; 400, 405 or 413 for invalid requests;
    503 if the event cannot be stored.
    """
    # The header is checked first, so that a huge body is never read.
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > settings.STRIPE_WEBHOOK_MAX_BYTES:
        return _reject(request, 413, f"The body is larger than {settings.STRIPE_WEBHOOK_MAX_BYTES} bytes.")
    if not settings.STRIPE_WEBHOOK_SECRETS:
        return _reject(request, 400, "STRIPE_WEBHOOK_SECRET is not set, so no event can be verified.")
    try:
        gateway.verify(
            request.body,
            request.headers.get("Stripe-Signature", ""),
            secrets=settings.STRIPE_WEBHOOK_SECRETS,
            tolerance=settings.STRIPE_WEBHOOK_TOLERANCE,
            now=time.time(),
        )
        if request.body == gateway.PING:
            return _answer(200, "Pong.")
        event = inbox.parse(request.body)
    except (gateway.BadSignature, inbox.NotAnEvent) as exc:
        return _reject(request, 400, str(exc))
    except inbox.EventOfOtherAccount as exc:
        # Not an error of the delivery: an endpoint of a platform receives them by design.
        logger.warning("Webhook ignored: %s", exc)
        return _answer(200, f"Ignored: {exc}")
    fault_point("receive.verified")

    # Stripe delivers the event again after a 503.
    try:
        new = _batcher.store(event)
    except DatabaseError:
        logger.exception("Could not store event %s; Stripe will retry", event["id"])
        return _answer(503, "The event could not be stored; please retry.")
    fault_point("receive.stored")
    deliveries.record_accepted(timezone.now())
    return _answer(200, "Stored." if new else "Already stored.")


def _reject(request: HttpRequest, status: int, reason: str) -> HttpResponse:
    # One line a minute for each kind of refusal: a flood must not fill the disk.
    text = f"Webhook rejected with {status}: {reason}"
    log_rarely(logger, logging.WARNING, text, key=re.sub(r"[0-9]+", "", text))
    if request.headers.get("Stripe-Signature"):  # Others are not from Stripe.
        deliveries.record_refused(timezone.now(), reason)
    return _answer(status, reason)


def _answer(status: int, text: str) -> HttpResponse:
    answer = HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")
    answer._has_been_logged = True  # type: ignore[attr-defined]  # Django would add a line of its own.
    return answer
