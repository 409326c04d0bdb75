"""The control's WSGI application: POST verifies the signature, handles the event, and only then answers.

Settings are environment variables: STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET and STRIPE_API_BASE, as for the
shop. The stripe library runs with its defaults: no retries and a timeout of 80 s.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

import stripe

from benchmarks.control.handler import handle

log = logging.getLogger("control")
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
App = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def make_app(client: stripe.StripeClient, secret: str) -> App:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        status, text = answer(client, secret, environ)
        body = text.encode()
        start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return app


def answer(client: stripe.StripeClient, secret: str, environ: dict[str, Any]) -> tuple[str, str]:
    """Status line and text: 405 for other methods, 400 without a valid signature, 500 if handling failed."""
    if environ["REQUEST_METHOD"] != "POST":
        return "405 Method Not Allowed", "POST only"
    payload = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        event = stripe.Webhook.construct_event(payload, environ.get("HTTP_STRIPE_SIGNATURE", ""), secret)
    except (ValueError, stripe.SignatureVerificationError) as error:
        return "400 Bad Request", str(error)
    try:
        handle(client, event)
    except Exception as error:
        # Stripe will retry the event, and lines that were already subtracted are subtracted again.
        log.error("%s failed: %s", event.id, error)
        return "500 Internal Server Error", str(error)
    return "200 OK", "counted"


def from_environment() -> App:
    """The application that gunicorn serves: `benchmarks.control.app:from_environment()`."""
    client = stripe.StripeClient(
        os.environ["STRIPE_SECRET_KEY"], base_addresses={"api": os.environ["STRIPE_API_BASE"]}
    )
    return make_app(client, os.environ["STRIPE_WEBHOOK_SECRET"])
