"""An order's admin page in a real browser."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from checkout.tests.conftest import Customer, deliver, order_for
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]


def test_the_form_for_returns_is_below_the_order_and_not_beside_it(
    browser: Browser,
    live_server: LiveServer,
    fake: FakeStripe,
    shirt: Product,
    customer: Customer,
    admin_client: Client,
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    with browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url) as context:
        session = admin_client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()

        page.goto(reverse("admin:checkout_order_change", args=[order.pk]))

        heading = page.locator("#return-to-stock").bounding_box()
        close = page.get_by_role("link", name="Close").bounding_box()
        assert heading and close
        assert heading["height"] < 60
        assert heading["y"] > close["y"] + close["height"]
        # A hidden icon, not a missing one.
        assert page.locator("td.field-needs_size img").count() == 1
        assert page.locator("td.field-needs_size img").is_hidden()
