"""The routes of the pages: (method, path pattern, function(backend, request) -> PageAnswer)."""

from __future__ import annotations

import functools
from collections.abc import Callable

from fake_stripe.backend import Backend
from fake_stripe.pages import dashboard_pages, payment, static_files
from fake_stripe.pages.payment_form import ended_page
from fake_stripe.pages.web import Answer, Refused, Request
from fake_stripe.web import PageAnswer, PageRequest

View = Callable[[Backend, Request], Answer]
Page = Callable[[Backend, PageRequest], PageAnswer]

VIEWS: list[tuple[str, View]] = [
    (r"/-/(?P<file>[a-z.]+)", static_files.answer),
    (r"/c/pay/(?P<session>cs_[A-Za-z0-9_]+)", payment.answer),
    (r"/", dashboard_pages.home),
    (r"/dashboard/?", dashboard_pages.overview),
    (r"/dashboard/products", dashboard_pages.products),
    (r"/dashboard/products/(?P<product>[^/]+)", dashboard_pages.product),
    (r"/dashboard/payments", dashboard_pages.payments),
    (r"/dashboard/payments/(?P<intent>[^/]+)", dashboard_pages.payment),
    (r"/dashboard/checkouts/(?P<session>[^/]+)", dashboard_pages.checkout),
    (r"/dashboard/events", dashboard_pages.events),
    (r"/dashboard/events/(?P<event>[^/]+)", dashboard_pages.event),
    (r"/dashboard/webhooks", dashboard_pages.webhooks),
    (r"/dashboard/faults", dashboard_pages.faults),
]


def as_page(view: View) -> Page:
    """Wrap a view: refuse forms of other sites, and render Refused as an HTML page."""

    @functools.wraps(view)
    def page(backend: Backend, given: PageRequest) -> PageAnswer:
        try:
            request = Request.of(given)
            if request.method == "POST":
                request.require_own_origin()
            answer = view(backend, request)
        except Refused as refused:
            answer = Answer(
                ended_page(refused.sentence, "", "/dashboard", "Back to the dashboard"), refused.status
            )
        return answer.for_the_application()

    return page


ROUTES: list[tuple[str, str, Page]] = [
    (method, pattern, as_page(view)) for pattern, view in VIEWS for method in ("GET", "POST")
]
