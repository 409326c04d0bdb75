"""Browser tests of waiting for the payment: the focus stays, and the result is announced to screen readers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, order_for
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]


@pytest.fixture
def order(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    """An order whose payment page is open."""
    return order_for(customer, shirt)


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, order: Order) -> Iterator[Page]:
    """The thank-you page before the event of the payment has arrived."""
    with browser.new_context(base_url=live_server.url) as context:
        page = context.new_page()
        page.clock.install()
        page.goto(f"{reverse('thank_you')}?session_id={order.session_id}")
        yield page


POLL = 2000  # milliseconds


def wait_through_two_polls(page: Page) -> None:
    """The response to the first one has been swapped in when the second one arrives."""
    for _poll in range(2):
        with page.expect_response("**/thank-you/**"):
            page.clock.run_for(POLL)


@pytest.mark.parametrize("name", ["Check again", "Back to the shop"])
def test_the_focus_stays_while_the_payment_is_being_confirmed(page: Page, name: str) -> None:
    link = page.get_by_role("link", name=name)
    link.focus()

    wait_through_two_polls(page)

    expect(link).to_be_focused()


def test_the_result_is_announced_in_the_same_live_region_and_the_focus_stays(
    page: Page, fake: FakeStripe, order: Order
) -> None:
    region = page.get_by_role("status").filter(has_text="We are confirming your payment").element_handle()
    back = page.get_by_role("link", name="Back to the shop")
    back.focus()

    fake.pay(order.session_id or "")
    deliver(fake)
    page.clock.run_for(POLL)

    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you", timeout=10_000)
    expect(page.get_by_role("term").filter(has_text="Total")).to_be_visible()
    assert region.evaluate("one => one.isConnected && one.innerText").startswith("Thank you\n")
    expect(back).to_be_focused()


def test_the_page_stops_polling_once_the_payment_is_confirmed(
    page: Page, live_server: LiveServer, fake: FakeStripe, order: Order
) -> None:
    fake.pay(order.session_id or "")
    deliver(fake)
    page.clock.run_for(POLL)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you", timeout=10_000)

    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.clock.run_for(5 * POLL)
    page.evaluate("fetch('/after-the-polls/')")

    assert [request.removeprefix(live_server.url) for request in requests] == ["/after-the-polls/"]
