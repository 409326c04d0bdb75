"""How buying feels: with scripts and without, on a phone and at a desk, by keyboard, and for those who hear the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from checkout.models import Order
from checkout.tests.conftest import deliver, item_of, only_order, put_on_show
from fake_stripe import FakeStripe
from inventory.models import StockItem
from shop.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE: ViewportSize = {"width": 390, "height": 800}
DESK: ViewportSize = {"width": 1280, "height": 860}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def site(fake: FakeStripe, live_server: LiveServer, settings: Settings) -> str:
    """The shop's address; customers come back to it from Stripe."""
    settings.SITE_URL = live_server.url
    return str(live_server.url)


@pytest.fixture
def shirt(fake: FakeStripe, site: str) -> Product:
    """BALM T-Shirt: no S, 15 M, 2 L; after `site`, because the server's thread shares this test's database."""
    metadata = {"sizes": "S,M,L", "stock_S": "0", "stock_M": "15", "stock_L": "2", "colors": "Black,White"}
    return put_on_show(fake, "prod_balm", "BALM T-Shirt", metadata)


@pytest.fixture(params=["phone", "desk"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    yield from visitor(browser, viewport=PHONE if request.param == "phone" else DESK)


@pytest.fixture
def page_without_scripts(browser: Browser) -> Iterator[Page]:
    yield from visitor(browser, viewport=PHONE, java_script_enabled=False)


def visitor(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page for which anything that the browser complains of is a failure."""
    context = browser.new_context(reduced_motion="reduce", **options)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.route("http://stripe.test/**", stripes_page)
    yield page
    context.close()
    assert complaints == []


def stripes_page(route: Route) -> None:
    route.fulfill(body="<!doctype html><title>Stripe</title><h1>Stripe's page</h1>", content_type="text/html")


def open_product(page: Page, site: str, product: Product) -> None:
    page.goto(site + product.get_absolute_url())


def put_in(page: Page, size: str, quantity: int = 1) -> None:
    page.get_by_role("radio", name=re.compile(rf"^{size}\b")).check(force=True)
    page.get_by_label("Quantity", exact=True).first.fill(str(quantity))
    page.get_by_role("button", name="Put into the cart").first.click()


def pay(fake: FakeStripe) -> Order:
    order = only_order()
    fake.pay(order.session_id or "", email="ada@example.com", name="Ada Lovelace")
    return order


def come_back(page: Page, site: str, order: Order) -> None:
    page.goto(f"{site}{reverse('thank_you')}?session_id={order.session_id}")


def test_a_shirt_is_bought_from_the_drawer(page: Page, site: str, shirt: Product, fake: FakeStripe) -> None:
    open_product(page, site, shirt)

    put_in(page, "M", 2)
    drawer = page.get_by_role("dialog", name="Your cart")
    expect(drawer).to_contain_text("$50.00")
    expect(drawer.get_by_role("status")).to_contain_text("BALM T-Shirt, M, Black is in your cart.")
    expect(page.locator("#cart-count")).to_have_text("2")
    drawer.get_by_role("button", name="Go to payment").click()

    expect(page.get_by_role("heading")).to_have_text("Stripe's page")
    order = pay(fake)
    come_back(page, site, order)
    expect(page.get_by_role("heading", level=1)).to_have_text("We are confirming your payment")
    deliver(fake)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you", timeout=10_000)
    expect(page.locator("main")).to_contain_text("ada@example.com")
    expect(page.locator("#cart-count")).to_have_count(0)


def test_a_shirt_is_bought_without_scripts(
    page_without_scripts: Page, site: str, shirt: Product, fake: FakeStripe
) -> None:
    page = page_without_scripts
    open_product(page, site, shirt)

    put_in(page, "M", 2)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your cart")
    page.get_by_label("Quantity").fill("1")
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_text("1 × BALM T-Shirt, M, Black.")).to_be_visible()
    page.get_by_role("button", name="Go to payment").click()

    expect(page.get_by_role("heading")).to_have_text("Stripe's page")
    order = pay(fake)
    come_back(page, site, order)
    deliver(fake)
    # The page has no script to look again; it loads itself.
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you", timeout=10_000)


def test_a_shirt_is_bought_with_the_keyboard_alone(
    browser: Browser, site: str, shirt: Product, fake: FakeStripe
) -> None:
    for page in visitor(browser, viewport=DESK):
        open_product(page, site, shirt)
        page.get_by_role("radio", name=re.compile(r"^M\b")).focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Put into the cart").first.focus()
        page.keyboard.press("Enter")
        drawer = page.get_by_role("dialog", name="Your cart")
        expect(drawer).to_be_visible()

        page.keyboard.press("Escape")
        expect(drawer).to_be_hidden()
        expect(page.get_by_role("button", name="Put into the cart").first).to_be_focused()

        page.locator("#cart-link").focus()
        page.keyboard.press("Enter")
        expect(drawer).to_be_visible()
        drawer.get_by_role("button", name="Go to payment").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading")).to_have_text("Stripe's page")


def test_a_change_in_the_cart_is_taken_at_once_and_the_focus_stays(
    page: Page, site: str, shirt: Product
) -> None:
    open_product(page, site, shirt)
    put_in(page, "M", 1)
    expect(page.get_by_role("dialog")).to_be_visible()
    page.goto(site + reverse("cart"))

    quantity = page.get_by_label(re.compile("^Quantity"))
    quantity.fill("3")
    quantity.press("Enter")

    expect(page.locator(".cart__sum")).to_contain_text("$75.00")
    expect(page.get_by_label(re.compile("^Quantity"))).to_be_focused()
    expect(page.locator("#messages")).to_contain_text("3 × BALM T-Shirt, M, Black.")
    page.get_by_label(re.compile("^Size")).select_option("L")
    expect(page.locator("#messages")).to_contain_text("Only 2 left of BALM T-Shirt L.")
    expect(page.get_by_label(re.compile("^Size"))).to_have_value(str(item_of(shirt, "M").id))


def test_removing_the_last_line_leaves_the_focus_near(page: Page, site: str, shirt: Product) -> None:
    open_product(page, site, shirt)
    put_in(page, "M")
    drawer = page.get_by_role("dialog", name="Your cart")

    drawer.get_by_role("button", name=re.compile("^Remove")).click()

    expect(drawer).to_contain_text("There is nothing in it yet.")
    expect(drawer.get_by_role("heading", name="Your cart")).to_be_focused()
    expect(page.locator("#cart-count")).to_have_count(0)


def test_going_back_from_stripe_finds_everything_and_the_way_forward(
    page: Page, site: str, shirt: Product, fake: FakeStripe
) -> None:
    open_product(page, site, shirt)
    put_in(page, "L", 2)
    page.get_by_role("dialog").get_by_role("button", name="Go to payment").click()
    expect(page.get_by_role("heading")).to_have_text("Stripe's page")

    page.go_back()
    page.goto(site + reverse("cart"))

    expect(page.get_by_text("Your payment page is open")).to_be_visible()
    expect(page.locator(".line--problem")).to_have_count(0)
    page.get_by_role("link", name="Back to payment").click()
    expect(page.get_by_role("heading")).to_have_text("Stripe's page")
    assert len(fake.sessions) == 1


def test_losing_the_race_for_the_last_one_is_told_kindly(page: Page, site: str, shirt: Product) -> None:
    open_product(page, site, shirt)
    put_in(page, "L", 2)
    expect(page.get_by_role("dialog")).to_be_visible()
    StockItem.objects.filter(id=item_of(shirt, "L").id).update(on_hand=0)

    page.get_by_role("dialog").get_by_role("button", name="Go to payment").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your cart")
    expect(page.locator("#messages")).to_contain_text("BALM T-Shirt L is sold out. Still there: M.")
    expect(page.locator(".line--problem")).to_have_count(1)
    page.get_by_label(re.compile("^Size")).select_option("M")
    expect(page.locator(".line--problem")).to_have_count(0)


def test_a_shop_that_does_not_answer_is_said_where_the_customer_looks(
    browser: Browser, site: str, shirt: Product
) -> None:
    context = browser.new_context(viewport=PHONE, reduced_motion="reduce")
    page = context.new_page()
    open_product(page, site, shirt)
    page.route("**/cart/add/", lambda route: route.abort())

    put_in(page, "M")

    expect(page.get_by_role("dialog")).to_contain_text("That did not work. Please try again.")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cart_drawer_and_order_are_accessible(
    browser: Browser, site: str, shirt: Product, fake: FakeStripe, scheme: str
) -> None:
    # The rules are put into the page by a script, which the shop's own policy would refuse.
    for page in visitor(browser, viewport=PHONE, color_scheme=scheme, bypass_csp=True):
        page.goto(site + reverse("cart"))
        accessible(page, "an empty cart")
        open_product(page, site, shirt)
        put_in(page, "L", 2)
        expect(page.get_by_role("dialog")).to_be_visible()
        accessible(page, "the drawer")
        StockItem.objects.filter(id=item_of(shirt, "L").id).update(on_hand=1)
        page.goto(site + reverse("cart"))
        accessible(page, "a cart with a problem")
        StockItem.objects.filter(id=item_of(shirt, "L").id).update(on_hand=2)
        page.goto(site + reverse("cart"))
        page.get_by_role("button", name="Go to payment").click()
        expect(page.get_by_role("heading")).to_have_text("Stripe's page")
        page.goto(site + reverse("checkout_cancelled"))
        accessible(page, "back from Stripe")
        come_back(page, site, only_order())
        accessible(page, "a page that waits")
        pay(fake)
        deliver(fake)
        come_back(page, site, only_order())
        expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
        accessible(page, "a paid order")


def accessible(page: Page, what: str) -> None:
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}})
    assert found.violations_count == 0, f"{what}: {found.generate_report()}"


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_stands_out_of_a_narrow_page(browser: Browser, site: str, shirt: Product, width: int) -> None:
    """320 pixels are a page of 1280 at 400 % zoom."""
    for page in visitor(browser, viewport={"width": width, "height": 700}):
        open_product(page, site, shirt)
        put_in(page, "M", 2)
        expect(page.get_by_role("dialog")).to_be_visible()
        assert page.evaluate("document.getElementById('cart-drawer').scrollWidth") <= width
        page.goto(site + reverse("cart"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_can_be_pressed_is_large_enough(browser: Browser, site: str, shirt: Product) -> None:
    for page in visitor(browser, viewport=PHONE):
        open_product(page, site, shirt)
        put_in(page, "M", 2)
        expect(page.get_by_role("dialog")).to_be_visible()
        sizes = (
            page.get_by_role("dialog").locator("button:visible, select, input:visible, a.text-button").all()
        )
        assert all((box := each.bounding_box()) and min(box["width"], box["height"]) >= 44 for each in sizes)
