"""Middleware that lets Stripe's deliveries pass the rest of the middleware."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from inventory.monitoring_urls import MONITORING_PATHS
from inventory.urls import WEBHOOK_PATHS


class WebhookFastPath:
    """First in MIDDLEWARE: calls the views of WEBHOOK_PATHS and MONITORING_PATHS without the middleware below.

    Sessions, CSP and security headers are for browsers and take a quarter of the time of a delivery. The redirect to
    https would be a failed delivery behind a proxy that does not send X-Forwarded-Proto.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.paths = {f"/{path}" for path in (*WEBHOOK_PATHS, *MONITORING_PATHS)}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info in self.paths:
            answer: HttpResponse = resolve(request.path_info).func(request)
            return answer
        return self.get_response(request)
