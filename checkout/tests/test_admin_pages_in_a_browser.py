"""Today, the history of a size and the reports in a real browser, on a phone and a desktop, light and dark, without JavaScript."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from checkout.models import Order, OrderLine
from checkout.tests.conftest import item_of, put_on_show
from config.tests.accessibility import each_scheme, violations
from fake_stripe import FakeStripe
from inventory import heartbeat
from inventory.models import Issue
from inventory.stock import ledger
from shop.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
# A folder for pictures of every page, to look at; none are taken otherwise.
SHOTS = os.environ.get("SCREENSHOTS", "")


@pytest.fixture
def busy_shop(fake: FakeStripe, db: None) -> Product:
    """A month of orders, sizes that run low, a long name, and an issue."""
    cache.clear()
    shirt = put_on_show(
        fake,
        "prod_balm",
        "BALM T-Shirt",
        {"sizes": "S,M,L,XL", "stock_S": "9", "stock_M": "60", "stock_L": "0", "stock_XL": "3"},
    )
    put_on_show(
        fake,
        "prod_long",
        "Buttonup Screenprint Cursive in Organic Cotton",
        {"sizes": "M,2XL", "stock_M": "2"},
    )
    put_on_show(fake, "prod_fern", "Field Notes: Fern", {"sizes": "S,M", "stock_S": "4", "stock_M": "30"})
    now = timezone.now()
    for number in range(60):
        order = Order.objects.create(
            state=Order.State.PAID if number < 7 else Order.State.REFUNDED,
            currency="usd",
            total=2500 * (1 + number % 3),
            paid_at=now - timedelta(hours=17 * number + (number * number) % 40),
            name=["Ada Example", "Grace Hopper-Wintersteen", "Lin"][number % 3],
        )
        OrderLine.objects.create(
            order=order,
            position=0,
            item=item_of(shirt, "M"),
            product=shirt,
            name="BALM",
            quantity=1 + number % 3,
        )
    for number in range(12):
        ledger.receive(
            item_of(shirt, "M").pk, 3, reference=f"form:{number}", reason="Delivery 14", actor="owner"
        )
    ledger.sell("order:1", [ledger.SaleLine("order:1:0", item_of(shirt, "M").pk, 45)], now=now)
    Issue.objects.create(
        kind=Issue.Kind.OVERSOLD, subject="prod_balm stock_L", text="1 more was paid for than there was."
    )
    heartbeat.beat(now)
    return shirt


def opened(browser: Browser, live_server: LiveServer, admin_client: Client, **options: Any) -> Iterator[Page]:
    with browser.new_context(base_url=live_server.url, **options) as context:
        session = admin_client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        yield context.new_page()


def check(page: Page, path: str, name: str) -> None:
    """Open the page; it has no serious violations and does not scroll sideways."""
    page.goto(path)
    take_shots(page, name)
    for closed in page.locator("#content details:not([open]) > summary").all():
        closed.click()
    check_both_schemes(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def take_shots(page: Page, name: str) -> None:
    for scheme in each_scheme(page) if SHOTS else []:
        page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}.png", full_page=True)


def check_both_schemes(page: Page) -> None:
    for scheme in each_scheme(page):
        assert [(it["id"], it["nodes"][0]["html"]) for it in violations(page)] == [], scheme


@pytest.mark.parametrize(
    "viewport",
    [pytest.param(PHONE, id="phone"), pytest.param(DESKTOP, id="desktop", marks=pytest.mark.slow)],
)
def test_the_pages_are_accessible_and_fit_the_screen(
    browser: Browser,
    live_server: LiveServer,
    admin_client: Client,
    busy_shop: Product,
    viewport: Any,
) -> None:
    where = viewport["width"]
    # axe is injected as a script, which the Content-Security-Policy would block.
    for page in opened(browser, live_server, admin_client, viewport=viewport, bypass_csp=True):
        check(page, reverse("admin:index"), f"today-{where}")
        medium = item_of(busy_shop, "M").pk
        check(page, reverse("admin:inventory_stockitem_history", args=[medium]), f"history-{where}")
        for name in ("sales", "size-curve"):
            check(page, reverse("admin:checkout_report", args=[name]), f"{name}-{where}")
        check(page, reverse("admin:inventory_stock_file"), f"stock-file-{where}")
        check_preview_of_a_file(page, f"stock-file-preview-{where}")


def check_preview_of_a_file(page: Page, name: str) -> None:
    """Choose a file with a good, a stale and a bad line; the page that names them is accessible, too."""
    lines = b"product,size,quantity,was\nprod_balm,S,12,9\nprod_balm,XL,1,7\nprod_nothing,S,1,\n"
    page.get_by_label("CSV file").set_input_files(
        {"name": "delivery.csv", "mimeType": "text/csv", "buffer": lines}
    )
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("There is no product “prod_nothing”.")).to_be_visible()
    expect(page.get_by_text("BALM T-Shirt XL is left out")).to_be_visible()
    take_shots(page, name)
    check_both_schemes(page)


def test_today_works_without_javascript_and_breaks_no_policy(
    browser: Browser, live_server: LiveServer, admin_client: Client, busy_shop: Product
) -> None:
    faults: list[str] = []
    for page in opened(browser, live_server, admin_client, viewport=PHONE, java_script_enabled=False):
        page.on("console", lambda message: faults.append(message.text))
        page.goto(reverse("admin:index"))

        expect(page.get_by_role("heading", name="To pack 7")).to_be_visible()
        page.get_by_text("Show as table").click()
        expect(page.get_by_role("rowheader", name=f"{timezone.localdate():%b}").first).to_be_visible()
        page.get_by_role("link", name="BALM T-Shirt in the Dashboard").is_visible()
        page.get_by_role("link", name="Stock grid").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Stock grid")
    assert faults == []
