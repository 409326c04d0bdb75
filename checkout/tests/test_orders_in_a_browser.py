"""The owner packs, sends and refunds in a real browser: at a desk, and on a phone without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, item_of, order_for
from checkout.tests.devices import check, opened
from checkout.tests.test_external_orders import a_line, open_externally
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]


@pytest.fixture(params=["desk", "phone without JavaScript"])
def page(
    request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer, admin_client: Client
) -> Iterator[Page]:
    with opened(request.param, browser, live_server, admin_client) as page:
        yield page


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product) -> list[Order]:
    orders = [order_for(Customer(), shirt, size, 1) for size in ("M", "L")]
    for order in orders:
        fake.pay(order.session_id or "")
    deliver(fake)
    return orders


def test_two_parcels_are_packed_and_sent(page: Page, paid: list[Order]) -> None:
    page.goto(reverse("admin:checkout_order_changelist"))
    check(page)
    page.get_by_role("link", name="2 orders to pack").click()
    page.get_by_role("link", name="Pack list").click()
    expect(page.locator(".pack-list tbody tr")).to_have_count(2)
    check(page)
    page.get_by_role("link", name="Packing slips").click()
    check(page)
    page.emulate_media(media="print")
    expect(page.locator("#header")).to_be_hidden()
    expect(page.locator(".slip").first).to_have_css("break-after", "page")
    page.emulate_media(media="screen")

    page.goto(reverse("admin:checkout_order_changelist") + "?work=to_pack")
    for box in page.locator("input[name=_selected_action]").all():
        box.check()
    page.locator("select[name=action]").select_option("pack")
    page.get_by_role("button", name="Go").click()
    page.get_by_role("link", name="Send 2 parcels").click()
    check(page)
    for number, field in enumerate(page.get_by_label("Tracking number").all()):
        field.fill(f"JD014{number}")
    for select in page.get_by_label("Carrier").all():
        select.select_option("dhl")
    page.get_by_role("button", name="Mark as sent").click()

    expect(page.get_by_text("2 orders are marked as sent.")).to_be_visible()
    page.goto(reverse("admin:checkout_order_change", args=[paid[0].pk]))
    expect(page.get_by_role("link", name="JD014")).to_be_visible()
    check(page)


def test_one_shirt_is_refunded_and_goes_back_to_stock(
    page: Page, paid: list[Order], fake: FakeStripe, shirt: Product
) -> None:
    page.goto(reverse("admin:checkout_order_change", args=[paid[0].pk]))
    page.get_by_role("link", name="Refund everything ($25.00)").click()
    check(page)
    page.get_by_label("Note for you").fill("too small")
    page.get_by_role("button", name="Review the refund").click()
    expect(page.get_by_text("back to stock")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Refund $25.00 now").click()

    expect(page.get_by_text("$25.00 are refunded.")).to_be_visible()
    expect(page.locator("#refunds")).to_contain_text("too small")
    check(page)
    assert len(fake.refunds) == 1 and item_of(shirt, "M").available == 15


def test_oversold_units_are_sent_from_the_next_delivery(page: Page, fake: FakeStripe, shirt: Product) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 3, "L")]))
    deliver(fake)

    page.goto(reverse("admin:checkout_oversold"))
    expect(page.get_by_text("1 unit was sold beyond the stock")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Send from the next delivery").click()

    expect(page.get_by_text("1 unit is taken off the next delivery.")).to_be_visible()
    check(page)
