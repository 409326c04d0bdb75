"""The page of an order in a real browser: on a phone and at a desk, with and without JavaScript; and the owner's answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, ViewportSize, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from checkout.models import CustomerMail, CustomerRequest, Order
from checkout.order_links import order_path, order_token, order_url
from checkout.orders import customer_requests, lookup, shipping
from checkout.orders.customer_requests import ReturnedUnits
from checkout.tests.conftest import Customer, deliver, item_of, order_for
from checkout.tests.devices import check
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]

PHONE: ViewportSize = {"width": 390, "height": 800}
DESK: ViewportSize = {"width": 1280, "height": 860}
DEVICES = {
    "desk": (DESK, True),
    "phone": (PHONE, True),
    "desk without scripts": (DESK, False),
    "phone without scripts": (PHONE, False),
}
# One with scripts and one without in the quick suite; the others with ALL_PROOFS=1, as in CI.
QUICK = {"desk", "phone without scripts"}
EACH_DEVICE = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in DEVICES]


@pytest.fixture(params=EACH_DEVICE)
def page(request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A customer's. It fails the test if the browser reports an error, such as a style that the CSP blocks."""
    viewport, has_scripts = DEVICES[request.param]
    # axe runs as a script that the CSP would block; without scripts the CSP is tested.
    with browser.new_context(
        base_url=live_server.url,
        viewport=viewport,
        color_scheme="dark" if viewport == PHONE else "light",
        java_script_enabled=has_scripts,
        bypass_csp=has_scripts,
    ) as context:
        page, errors = context.new_page(), list[str]()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        yield page
        assert [error for error in errors if "Failed to load resource" not in error] == []


@pytest.fixture(params=["desk", "phone without scripts"])
def admin(
    request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer, admin_client: Client
) -> Iterator[Page]:
    """The owner's."""
    viewport, has_scripts = DEVICES[request.param]
    with browser.new_context(
        base_url=live_server.url,
        viewport=viewport,
        java_script_enabled=has_scripts,
        bypass_csp=has_scripts,
    ) as context:
        session = admin_client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        yield context.new_page()


@pytest.fixture
def page_of_customer(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport=PHONE) as context:
        yield context.new_page()


@pytest.fixture(autouse=True)
def site(live_server: LiveServer, settings: Settings) -> None:
    settings.SITE_URL = live_server.url
    settings.CUSTOMER_MAILS_OFF = []
    settings.SHIPPING_COUNTRIES = ["US"]


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product) -> Order:
    order = order_for(Customer(), shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com", name="Ada Lovelace")
    deliver(fake)
    order.refresh_from_db()
    return order


def test_an_order_is_opened_canceled_and_kept_after_all(page: Page, paid: Order) -> None:
    page.goto(order_path(paid))
    expect(page.get_by_role("heading", level=1)).to_have_text("Paid, and soon to be packed")
    expect(page.locator("main")).to_contain_text("Ada Lovelace")
    check(page)

    page.get_by_role("link", name="Cancel this order").click()
    check(page)
    page.get_by_label("Your reason").fill("I ordered twice.")
    page.get_by_role("button", name="Ask to cancel it").click()

    expect(page.get_by_role("heading", name="You have asked us to cancel this order")).to_be_visible()
    expect(page.get_by_role("link", name="Cancel this order")).to_have_count(0)
    check(page)
    assert CustomerRequest.objects.get().message == "I ordered twice."

    page.get_by_role("link", name="Withdraw this request").click()
    check(page)
    page.get_by_role("button", name="Withdraw it").click()
    expect(page.get_by_role("link", name="Cancel this order")).to_be_visible()
    assert CustomerRequest.objects.get().state == CustomerRequest.State.WITHDRAWN


def test_a_shirt_that_is_too_small_is_returned(page: Page, paid: Order) -> None:
    shipping.mark_sent(paid.pk, carrier="dhl", tracking_number="JD0140", actor="ada", now=timezone.now())
    page.goto(order_path(paid))
    expect(page.get_by_role("link", name="Follow the parcel")).to_have_attribute("href", re.compile("JD0140"))
    check(page)

    page.get_by_role("link", name="Return something").click()
    page.get_by_role("button", name="Ask for the return").click()
    expect(page.get_by_role("alert")).to_have_text("Please choose how many of which item you return.")
    check(page)
    page.get_by_label("How many").fill("1")
    page.get_by_label("Why").select_option("too small")
    page.get_by_role("button", name="Ask for the return").click()

    expect(page.get_by_role("heading", name="You have asked us for a return")).to_be_visible()
    expect(page.locator("main")).to_contain_text("1 × BALM T-Shirt M Black: too small")


def test_a_link_that_does_not_work_leads_to_a_new_one(page: Page, paid: Order) -> None:
    page.goto(reverse("order_page", args=[order_token(paid)[:-3]]))
    expect(page.get_by_role("heading", level=1)).to_have_text("This link does not work")
    check(page)
    page.get_by_role("link", name="Mail me a new link").click()

    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Order number").fill("123")
    page.get_by_role("button", name="Mail me the link").click()
    expect(page.locator("main")).to_contain_text("An order number has eight digits and letters")
    check(page)
    page.get_by_label("Order number").fill(f"#{paid.number.lower()}")
    page.get_by_role("button", name="Mail me the link").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Please check your mail")
    check(page)
    lookup.answer_lookups(timezone.now())
    mail = CustomerMail.objects.get(kind="order_link")
    assert (mail.to, mail.order) == ("ada@example.com", paid)


def test_the_page_can_be_left_and_printed(page: Page, paid: Order) -> None:
    page.goto(order_path(paid))
    page.emulate_media(media="print")
    expect(page.get_by_role("link", name="Cancel this order")).to_be_hidden()
    expect(page.locator(".order__steps")).to_be_visible()
    page.emulate_media(media="screen")

    # The cart opens as a page: forms of a drawer would be refused here.
    page.get_by_role("link", name="Cart").first.click()

    expect(page).to_have_url(re.compile(re.escape(reverse("cart"))))


# --- The owner --------------------------------------------------------------------------------


def test_the_owner_accepts_a_cancellation_by_one_click(
    admin: Page, page_of_customer: Page, paid: Order, fake: FakeStripe, shirt: Product
) -> None:
    customer_requests.ask(paid.pk, CustomerRequest.Kind.CANCEL, message="Twice.", now=timezone.now())
    admin.goto(reverse("admin:index"))
    check(admin)
    admin.get_by_role("link", name=re.compile(f"{paid.number}.*cancel the order")).click()
    expect(admin.locator("blockquote")).to_have_text("Twice.")
    check(admin)
    admin.get_by_role("button", name="Accept: refund $50.00, units back to stock").click()

    expect(admin.get_by_text("Accepted: $50.00 are refunded.")).to_be_visible()
    check(admin)
    assert len(fake.refunds) == 1 and item_of(shirt, "M").available == 15
    page_of_customer.goto(order_url(paid))
    expect(page_of_customer.get_by_role("heading", level=1)).to_have_text("Refunded")
    expect(page_of_customer.get_by_role("heading", name="We have canceled this order")).to_be_visible()


def test_the_owner_declines_a_return_with_a_sentence(
    admin: Page, page_of_customer: Page, paid: Order, fake: FakeStripe
) -> None:
    shipping.mark_sent(paid.pk, actor="ada", now=timezone.now())
    units = [ReturnedUnits(paid.lines.get().pk, 1, "too_small")]
    customer_requests.ask(paid.pk, CustomerRequest.Kind.RETURN, units=units, now=timezone.now())
    admin.goto(reverse("admin:checkout_order_change", args=[paid.pk]))
    expect(admin.get_by_text("1 × BALM T-Shirt M Black: too small")).to_be_visible()
    check(admin)
    admin.get_by_label("A sentence to the customer").fill("It was worn.")
    admin.get_by_role("button", name="Decline").click()

    expect(admin.get_by_text("Declined. The customer is told by mail.")).to_be_visible()
    page_of_customer.goto(order_url(paid))
    expect(page_of_customer.get_by_role("heading", name="We cannot take this back")).to_be_visible()
    expect(page_of_customer.locator("main")).to_contain_text("It was worn.")
    assert len(fake.refunds) == 0
