"""After a sale, in a real browser: cancellations without money, returns until they have arrived, and who waits for sizes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from checkout.models import CustomerMail, CustomerRequest, Order, RestockSignup
from checkout.order_links import order_path
from checkout.orders import customer_requests, shipping
from checkout.orders.customer_requests import ReturnedUnits
from checkout.tests.conftest import Customer, deliver, item_of, order_for, put_on_show
from checkout.tests.devices import EACH_DEVICE, check, opened
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]

Kind = CustomerRequest.Kind
# A folder for pictures of every page, to look at; none are taken otherwise.
SHOTS = os.environ.get("SCREENSHOTS", "")


@pytest.fixture(params=EACH_DEVICE)
def page(
    request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer, admin_client: Client
) -> Iterator[Page]:
    with opened(request.param, browser, live_server, admin_client) as page:
        yield page


@pytest.fixture(autouse=True)
def site(live_server: LiveServer, settings: Settings) -> None:
    settings.SITE_URL = live_server.url
    settings.CUSTOMER_MAILS_OFF = []


@pytest.fixture
def sticker(fake: FakeStripe, db: None) -> Product:
    return put_on_show(fake, "prod_sticker", "Sticker", {"sizes": "M", "stock_M": "15"}, amount=0)


@pytest.fixture
def free(fake: FakeStripe, sticker: Product) -> Order:
    """Two stickers that cost nothing."""
    order = order_for(Customer(), sticker, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com", name="Ada Lovelace")
    deliver(fake)
    order.refresh_from_db()
    return order


def look(page: Page, request: pytest.FixtureRequest, name: str) -> None:
    check(page)
    if SHOTS:
        device = request.node.callspec.id.replace(" ", "-")
        page.screenshot(path=Path(SHOTS) / f"{name}-{device}.png", full_page=True)


def mails() -> list[str]:
    told = CustomerMail.objects.exclude(kind="order_confirmation").order_by("pk")
    return list(told.values_list("kind", flat=True))


def test_an_order_that_cost_nothing_is_canceled_by_one_click(
    page: Page, free: Order, sticker: Product, request: pytest.FixtureRequest
) -> None:
    customer_requests.ask(free.pk, Kind.CANCEL, message="Twice.", now=timezone.now())
    page.goto(reverse("admin:checkout_order_change", args=[free.pk]))
    look(page, request, "free-asked")
    page.get_by_role("button", name="Accept: nothing to refund, units back to stock").click()

    expect(page.get_by_text("Accepted: the order is canceled. Nothing was paid for it.")).to_be_visible()
    expect(page.locator("#refunds")).to_contain_text("Canceled, nothing was paid")
    look(page, request, "free-accepted")
    assert item_of(sticker, "M").available == 15 and mails() == ["order_canceled"]
    page.goto(order_path(free))
    expect(page.get_by_role("heading", level=1)).to_have_text("Canceled")
    look(page, request, "free-customer")


def test_the_owner_cancels_an_order_that_cost_nothing(
    page: Page, free: Order, sticker: Product, request: pytest.FixtureRequest
) -> None:
    page.goto(reverse("admin:checkout_order_change", args=[free.pk]))
    page.get_by_role("link", name="Cancel everything").click()
    look(page, request, "free-units")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_text("so no money goes back")).to_be_visible()
    look(page, request, "free-review")
    page.get_by_role("button", name="Cancel these units now").click()

    expect(page.get_by_text("The units are canceled. Nothing was paid for them.")).to_be_visible()
    assert item_of(sticker, "M").available == 15 and mails() == ["order_canceled"]


@pytest.fixture
def returning(fake: FakeStripe, shirt: Product) -> CustomerRequest:
    """Of three shirts, two come back: one too small, one damaged."""
    customer = Customer()
    customer.put_in(shirt, "L")
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com", name="Ada Lovelace")
    deliver(fake)
    now = timezone.now()
    shipping.mark_sent(order.pk, actor="ada", now=now)
    reasons = {"M": "too_small", "L": "defective"}
    units = [ReturnedUnits(line.pk, 1, reasons[line.size]) for line in order.lines.all()]
    asked = customer_requests.ask(order.pk, Kind.RETURN, units=units, now=now)
    return customer_requests.accept(asked.pk, answer="1 Main Street, Sampleton.", actor="owner", now=now)


def test_goods_on_their_way_back_are_refunded_once_they_have_arrived(
    page: Page, returning: CustomerRequest, shirt: Product, request: pytest.FixtureRequest
) -> None:
    page.goto(reverse("admin:index"))
    expect(page.get_by_role("heading", name="Returns in progress 1")).to_be_visible()
    look(page, request, "return-today")
    page.get_by_role("link", name=f"{returning.order.number} Ada Lovelace").first.click()
    expect(page.get_by_text("The goods are on their way back.")).to_be_visible()
    look(page, request, "return-order")
    page.get_by_role("link", name="The goods have arrived").click()
    look(page, request, "return-units")
    page.get_by_role("button", name="Review the refund").click()
    expect(page.get_by_text("This refund completes it.")).to_be_visible()
    expect(page.locator(".refund-lines li")).to_contain_text(
        [re.compile(r"M Black:\s+back to stock"), re.compile(r"L Black:\s+not back to stock")]
    )
    look(page, request, "return-review")
    page.get_by_role("button", name="Refund $50.00 now").click()

    expect(page.get_by_text("$50.00 are refunded.")).to_be_visible()
    expect(page.get_by_role("link", name="Its refund")).to_be_visible()
    look(page, request, "return-completed")
    assert (item_of(shirt, "M").available, item_of(shirt, "L").available) == (14, 1)
    page.goto(order_path(returning.order))
    expect(page.get_by_role("heading", name="Your return is completed")).to_be_visible()
    look(page, request, "return-customer")


def test_a_return_of_which_nothing_arrived_is_closed_with_a_sentence(
    page: Page, returning: CustomerRequest, request: pytest.FixtureRequest
) -> None:
    page.goto(reverse("admin:checkout_order_change", args=[returning.order_id]))
    page.get_by_text("Nothing has arrived").click()
    page.get_by_label("A sentence to the customer (optional)").fill("Have you sent it?")
    look(page, request, "return-close")
    page.get_by_role("button", name="Close the return without a refund").click()

    expect(page.get_by_text("The return is closed. The customer is told by mail.")).to_be_visible()
    expect(page.get_by_text("Your last answer: Have you sent it?")).to_be_visible()
    look(page, request, "return-closed")
    assert mails() == ["order_sent", "return_accepted", "return_closed"]
    page.goto(order_path(returning.order))
    expect(page.get_by_role("heading", name="We have closed your return")).to_be_visible()
    look(page, request, "return-closed-customer")


def test_today_names_the_sizes_that_most_customers_wait_for(
    page: Page, shirt: Product, request: pytest.FixtureRequest
) -> None:
    now = timezone.now()
    for size, number in (("S", 12), ("M", 1), ("L", 3)):
        item = item_of(shirt, size)
        RestockSignup.objects.bulk_create(
            RestockSignup(item=item, state=RestockSignup.State.WAITING, asked_at=now)
            for _each in range(number)
        )

    page.goto(reverse("admin:index"))

    card = page.get_by_role("region", name="Waiting for sizes")
    expect(card.get_by_role("listitem")).to_contain_text(
        [re.compile(r"S\s+12 customers"), re.compile(r"L\s+3 customers"), re.compile(r"M\s+1 customer waits")]
    )
    look(page, request, "waiting-today")
    card.get_by_role("link", name="All sizes that customers wait for").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Back in stock")
