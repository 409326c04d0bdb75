"""Browser tests of buying: with and without scripts, on phone and desktop, by keyboard and with screen readers."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from csp.constants import SELF
from django.urls import reverse
from playwright.sync_api import Browser, Locator, Page, Route, ViewportSize, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from checkout.models import Order
from checkout.tests.conftest import deliver, item_of, only_order, put_on_show
from config.tests.accessibility import WCAG, each_scheme, violations
from fake_stripe import FakeStripe
from fake_stripe.server import Server
from inventory.models import StockItem
from shop.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE: ViewportSize = {"width": 390, "height": 800}
DESKTOP: ViewportSize = {"width": 1280, "height": 860}
# Fields of the payment page, in their order.
BUYER = {
    "email": "ada@example.com",
    "card_name": "Ada Example",
    "ship_country": "United States",
    "ship_line1": "1 Pretend Street",
    "ship_city": "Sampleton",
    "ship_postal_code": "94103",
    "ship_state": "CA",
    "card_number": "4242424242424242",
    "card_expiry": "1234",
    "card_code": "123",
}
PAYMENT_PAGE = re.compile("/c/pay/")


@pytest.fixture
def site(fake: FakeStripe, live_server: LiveServer, settings: Settings) -> Iterator[str]:
    """The shop's URL. The fake Stripe serves its pages on another port and sends customers back."""
    settings.SITE_URL = live_server.url
    server = Server(fake)
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": policy | {"form-action": [SELF, fake.base_url]}}
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield str(live_server.url)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def shirt(fake: FakeStripe, site: str) -> Product:
    """BALM T-Shirt: no S, 15 M, 2 L. After `site`, because the server's thread shares this test's database."""
    metadata = {"sizes": "S,M,L", "stock_S": "0", "stock_M": "15", "stock_L": "2", "colors": "Black,White"}
    return put_on_show(fake, "prod_balm", "BALM T-Shirt", metadata)


@pytest.fixture(params=["phone", pytest.param("desktop", marks=pytest.mark.slow)])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    yield from visitor(browser, viewport=PHONE if request.param == "phone" else DESKTOP)


@pytest.fixture(params=["phone", pytest.param("desktop", marks=pytest.mark.slow)])
def page_without_scripts(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    viewport = PHONE if request.param == "phone" else DESKTOP
    yield from visitor(browser, viewport=viewport, java_script_enabled=False)


@pytest.fixture
def desktop(browser: Browser) -> Iterator[Page]:
    yield from visitor(browser, viewport=DESKTOP)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    yield from visitor(browser, viewport=PHONE)


@pytest.fixture
def four_lines(fake: FakeStripe, site: str, shirt: Product) -> list[Product]:
    """More than the drawer shows at once: the shirt, and three posters with long names."""
    name = "Poster of the old harbor at night, with all of its lights, number"
    posters = [put_on_show(fake, f"prod_{one}", f"{name} {one}", {"stock": "3"}) for one in range(3)]
    return [shirt, *posters]


def visitor(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page that fails the test if the browser reports an error."""
    context = browser.new_context(reduced_motion="reduce", **options)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert errors == []


def go_to_payment(page: Page) -> None:
    page.get_by_role("button", name="Go to payment").click()
    expect(page).to_have_url(PAYMENT_PAGE)


def open_product(page: Page, site: str, product: Product) -> None:
    page.goto(site + product.get_absolute_url())


def put_in(page: Page, size: str, quantity: int = 1) -> None:
    page.get_by_role("radio", name=re.compile(rf"^{size}\b")).check(force=True)
    page.get_by_label("Quantity", exact=True).first.fill(str(quantity))
    page.get_by_role("button", name="Add to cart").first.click()


def pay(fake: FakeStripe) -> Order:
    order = only_order()
    fake.pay(order.session_id or "", email="ada@example.com", name="Ada Lovelace")
    return order


def come_back(page: Page, site: str, order: Order) -> None:
    page.goto(f"{site}{reverse('thank_you')}?session_id={order.session_id}")


def confirm(page: Page, fake: FakeStripe) -> None:
    """Deliver the events of a payment whose customer is back. `page.clock` is installed."""
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("We are confirming your payment")
    deliver(fake)
    page.clock.run_for(2000)  # until the page asks again
    expect(heading).to_have_text("Thank you")


def test_a_shirt_is_bought_from_the_drawer(page: Page, site: str, shirt: Product, fake: FakeStripe) -> None:
    open_product(page, site, shirt)

    put_in(page, "M", 2)
    drawer = page.get_by_role("dialog", name="Your cart")
    expect(drawer).to_contain_text("$50.00")
    expect(drawer.get_by_role("status")).to_contain_text("BALM T-Shirt, M, Black is in your cart.")
    expect(page.locator("#cart-count")).to_have_text("2")
    drawer.get_by_role("button", name="Go to payment").click()

    expect(page).to_have_url(PAYMENT_PAGE)
    order = pay(fake)
    page.clock.install()
    come_back(page, site, order)
    confirm(page, fake)
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

    expect(page).to_have_url(PAYMENT_PAGE)
    order = pay(fake)
    come_back(page, site, order)
    deliver(fake)
    # Without scripts the page reloads itself.
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you", timeout=10_000)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_going_to_payment_works_on_a_checkout_domain_of_the_account(
    browser: Browser, site: str, shirt: Product, settings: Settings, scripts: bool
) -> None:
    """`form-action` does not name that domain, and Chromium blocks a form's redirect there."""
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    stripe = "https://checkout.stripe.com"
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": policy | {"form-action": [SELF, stripe]}}
    for page in visitor(browser, viewport=PHONE, java_script_enabled=scripts):
        open_product(page, site, shirt)
        put_in(page, "M")
        expect(page.locator("#cart-count")).to_have_text("1")
        page.goto(site + reverse("cart"))

        go_to_payment(page)

        assert only_order().state == Order.State.OPEN
        # The page in between has left the history, so that “back” does not lead to payment again.
        page.go_back()
        expect(page).to_have_url(site + reverse("cart"))


def test_a_shirt_is_bought_with_the_keyboard_alone(
    desktop: Page, site: str, shirt: Product, fake: FakeStripe
) -> None:
    page = desktop
    page.goto(site)
    press(page, page.get_by_role("link", name="BALM T-Shirt").first)
    press(page, page.get_by_role("radio", name=re.compile(r"^M\b")), "Space")
    add_button = page.get_by_role("button", name="Add to cart").first
    press(page, add_button)
    drawer = page.get_by_role("dialog", name="Your cart")
    expect(drawer).to_be_visible()

    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(add_button).to_be_focused()
    press(page, page.locator("#cart-link"))
    press(page, drawer.get_by_role("button", name="Go to payment"))

    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Pay "))
    for name, value in BUYER.items():
        tab_to(page, page.locator(f"[name={name}]"))
        page.keyboard.type(value)
    page.clock.install()
    press(page, page.get_by_role("button", name="Pay $25.00"))
    confirm(page, fake)
    assert only_order().state == Order.State.PAID


def tab_to(page: Page, goal: Locator) -> None:
    """Press Tab until `goal` has the focus."""
    expect(goal).to_be_visible()
    for _press in range(60):
        if goal.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {goal}")


def press(page: Page, goal: Locator, key: str = "Enter") -> None:
    tab_to(page, goal)
    page.keyboard.press(key)


def test_a_change_in_the_cart_is_sent_at_once_and_the_focus_stays(
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
    expect(page.locator("#cart-status")).to_have_text("3 × BALM T-Shirt, M, Black.")
    page.get_by_label(re.compile("^Size")).select_option("L")
    expect(page.locator(".field__error")).to_contain_text("Only 2 left of BALM T-Shirt L.")
    expect(page.locator("#cart-status")).to_contain_text("Only 2 left of BALM T-Shirt L.")
    expect(page.get_by_label(re.compile("^Size"))).to_have_value(str(item_of(shirt, "M").id))


def test_a_change_is_sent_from_a_form_that_was_just_swapped_in(
    desktop: Page, site: str, shirt: Product
) -> None:
    """htmx 2.0.10 adds its listeners to new elements only after `defaultSettleDelay`, 20 ms by default."""
    open_product(desktop, site, shirt)
    put_in(desktop, "M", 1)
    expect(desktop.get_by_role("dialog")).to_be_visible()
    desktop.goto(site + reverse("cart"))
    desktop.evaluate(
        """() => document.body.addEventListener("htmx:afterSwap", () => setTimeout(() => {
            const size = document.querySelector("[data-does=change] select");
            size.selectedIndex = 1;
            size.dispatchEvent(new Event("change", {bubbles: true}));
        }), {once: true})"""
    )

    quantity = desktop.get_by_label(re.compile("^Quantity"))
    quantity.fill("3")
    quantity.press("Enter")

    expect(desktop.locator(".field__error")).to_contain_text("Only 2 left of BALM T-Shirt L.")


@pytest.mark.parametrize("place", ["drawer", "cart"])
@pytest.mark.parametrize("keys", [["3"], ["ArrowUp", "ArrowUp"]], ids=["typed", "arrows"])
def test_a_new_quantity_is_kept_when_leaving_the_field_with_tab(
    desktop: Page, site: str, shirt: Product, place: str, keys: list[str]
) -> None:
    open_product(desktop, site, shirt)
    put_in(desktop, "M")
    expect(desktop.get_by_role("dialog")).to_be_visible()
    if place == "cart":
        desktop.goto(site + reverse("cart"))

    quantity = desktop.get_by_label(re.compile("^Quantity BALM"))
    quantity.select_text()
    for key in keys:
        desktop.keyboard.press(key)
    desktop.keyboard.press("Tab")

    expect(desktop.locator(".cart__sum")).to_contain_text("$75.00")
    expect(quantity).to_have_value("3")
    expect(desktop.get_by_role("button", name=re.compile("^Remove"))).to_be_focused()


def test_going_to_payment_waits_for_the_quantity_that_was_just_typed(
    page: Page, site: str, shirt: Product
) -> None:
    open_product(page, site, shirt)
    put_in(page, "M")
    drawer = page.get_by_role("dialog", name="Your cart")

    drawer.get_by_label(re.compile("^Quantity")).fill("4")
    drawer.get_by_role("button", name="Go to payment").click()

    expect(page).to_have_url(PAYMENT_PAGE)
    assert only_order().lines.get().quantity == 4


def test_a_rejected_quantity_prevents_paying_for_the_old_one(page: Page, site: str, shirt: Product) -> None:
    open_product(page, site, shirt)
    put_in(page, "L")
    drawer = page.get_by_role("dialog", name="Your cart")

    drawer.get_by_label(re.compile("^Quantity")).fill("9")
    drawer.get_by_role("button", name="Go to payment").click()

    expect(drawer.locator(".field__error")).to_have_text("Only 2 left of BALM T-Shirt L. Still available: M.")
    expect(drawer.get_by_role("button", name="Go to payment")).to_be_focused()
    assert not Order.objects.exists()


def test_quantities_typed_while_a_request_is_pending_are_kept_and_paid_for(
    desktop: Page, site: str, four_lines: list[Product]
) -> None:
    put_in_all(desktop, site, four_lines)
    desktop.goto(site + reverse("cart"))
    pending: list[Route] = []
    desktop.route("**/cart/change/", lambda route: route.continue_() if pending else pending.append(route))
    first, second, third = desktop.get_by_label(re.compile("^Quantity")).all()[:3]

    with desktop.expect_request("**/cart/change/"):
        first.fill("5")
        first.press("Enter")
    second.fill("2")
    third.fill("3")
    desktop.get_by_role("button", name="Go to payment").click()
    pending[0].continue_()

    expect(desktop).to_have_url(PAYMENT_PAGE)
    assert [line.quantity for line in only_order().lines.order_by("position")] == [5, 2, 3, 1]


def put_in_all(page: Page, site: str, products: list[Product]) -> None:
    for product in products:
        open_product(page, site, product)
        if product.sizes:
            put_in(page, "M")
        else:
            page.get_by_role("button", name="Add to cart").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()


def test_a_change_moves_no_field(page: Page, site: str, shirt: Product) -> None:
    open_product(page, site, shirt)
    put_in(page, "L")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.goto(site + reverse("cart"))
    quantity = page.get_by_label(re.compile("^Quantity"))
    before = quantity.bounding_box()

    quantity.fill("2")
    quantity.press("Enter")
    expect(page.locator(".cart__sum")).to_contain_text("$50.00")
    assert quantity.bounding_box() == before

    quantity.fill("50")
    quantity.press("Enter")
    expect(page.locator(".field__error")).to_be_visible()
    assert quantity.bounding_box() == before


@pytest.mark.parametrize("size", [(1280, 900), (640, 450), (390, 800)], ids=str)
def test_nothing_in_the_drawer_covers_the_focused_element(
    browser: Browser, site: str, four_lines: list[Product], size: tuple[int, int]
) -> None:
    for page in visitor(browser, viewport={"width": size[0], "height": size[1]}):
        put_in_all(page, site, four_lines)
        page.keyboard.press("Escape")
        page.locator("#cart-link").click()
        drawer = page.get_by_role("dialog", name="Your cart")
        expect(drawer.locator(".line").first).to_be_in_viewport(ratio=0.5)

        goal = drawer.get_by_role("link", name="View cart")
        while not goal.evaluate("element => element === document.activeElement"):
            page.keyboard.press("Tab")
            assert page.evaluate("""() => {
                const focused = document.activeElement, box = focused.getBoundingClientRect();
                const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
                return focused === document.body || focused.contains(top);
            }"""), page.evaluate("document.activeElement.outerHTML")


def test_the_drawer_opens_at_the_item_that_was_added(
    phone: Page, site: str, four_lines: list[Product]
) -> None:
    put_in_all(phone, site, four_lines)

    expect(phone.locator("#cart-drawer .line").last).to_be_in_viewport(ratio=0.9)
    expect(phone.get_by_role("button", name="Go to payment")).to_be_in_viewport()


@pytest.mark.parametrize("failure", ["no response", "error page"])
def test_the_cart_link_leads_to_the_cart_page_if_the_drawer_cannot_be_loaded(
    browser: Browser, site: str, shirt: Product, failure: str
) -> None:
    def fail(route: Route) -> None:
        if "hx-request" not in route.request.headers:
            route.continue_()
        elif failure == "error page":
            route.fulfill(status=500, body="")
        else:
            route.abort()

    with browser.new_context(viewport=PHONE, reduced_motion="reduce") as context:
        page = context.new_page()
        rejected: list[str] = []
        page.on("pageerror", lambda error: rejected.append(str(error)))
        open_product(page, site, shirt)
        page.route("**/cart/", fail)

        page.locator("#cart-link").click()

        expect(page.get_by_role("heading", level=1)).to_have_text("Your cart")
        assert rejected == []


def test_a_rejected_addition_makes_the_page_behind_refresh(desktop: Page, site: str, shirt: Product) -> None:
    open_product(desktop, site, shirt)
    desktop.evaluate("document.body.addEventListener('stock-changed', () => { window.refreshed = true })")
    # As if more units had been available when the page was opened.
    desktop.evaluate("document.getElementById('quantity').form.noValidate = true")

    put_in(desktop, "L", 9)

    expect(desktop.get_by_role("dialog")).to_contain_text("Only 2 left of BALM T-Shirt L.")
    assert desktop.evaluate("window.refreshed")


def test_removing_the_last_line_leaves_the_focus_near(page: Page, site: str, shirt: Product) -> None:
    open_product(page, site, shirt)
    put_in(page, "M")
    drawer = page.get_by_role("dialog", name="Your cart")

    drawer.get_by_role("button", name=re.compile("^Remove")).click()

    expect(drawer).to_contain_text("Your cart is empty.")
    expect(drawer.get_by_role("heading", name="Your cart")).to_be_focused()
    expect(page.locator("#cart-count")).to_have_count(0)


def test_going_back_from_stripe_keeps_the_cart_and_links_to_the_payment_page(
    page: Page, site: str, shirt: Product, fake: FakeStripe
) -> None:
    open_product(page, site, shirt)
    put_in(page, "L", 2)
    page.get_by_role("dialog").get_by_role("button", name="Go to payment").click()
    expect(page).to_have_url(PAYMENT_PAGE)

    page.go_back()
    page.locator("#cart-link").click()

    expect(page.get_by_text("Your payment page is open")).to_be_visible()
    expect(page.locator(".line--problem")).to_have_count(0)
    page.get_by_role("link", name="Back to payment").click()
    expect(page).to_have_url(PAYMENT_PAGE)
    assert len(fake.sessions) == 1


def test_a_page_from_the_history_shows_an_empty_cart_after_the_payment(
    page: Page, site: str, shirt: Product, fake: FakeStripe
) -> None:
    open_product(page, site, shirt)
    put_in(page, "M", 2)
    expect(page.get_by_role("dialog")).to_be_visible()
    open_product(page, site, shirt)  # The browser stores this one with the count beside the cart.
    page.locator("#cart-link").click()
    go_to_payment(page)
    order = pay(fake)
    deliver(fake)
    come_back(page, site, order)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")

    page.go_back()
    page.go_back()

    expect(page.get_by_role("heading", level=1)).to_have_text("BALM T-Shirt")
    expect(page.locator("#cart-count")).to_have_count(0)


def test_a_double_click_opens_one_payment_page(
    desktop: Page, site: str, shirt: Product, fake: FakeStripe
) -> None:
    open_product(desktop, site, shirt)
    put_in(desktop, "M", 2)

    desktop.get_by_role("button", name="Go to payment").dblclick()

    expect(desktop).to_have_url(PAYMENT_PAGE)
    assert len(fake.sessions) == 1 and only_order().lines.get().quantity == 2


def test_an_expired_payment_page_is_replaced(
    desktop: Page, site: str, shirt: Product, fake: FakeStripe
) -> None:
    open_product(desktop, site, shirt)
    put_in(desktop, "M")
    go_to_payment(desktop)
    fake.expire(only_order().session_id or "")

    desktop.go_back()
    desktop.locator("#cart-link").click()
    go_to_payment(desktop)

    assert desktop.url == Order.objects.get(state=Order.State.OPEN).session_url
    assert len(fake.sessions) == 2


def test_a_customer_who_has_paid_is_sent_to_the_thank_you_page(
    desktop: Page, site: str, shirt: Product, fake: FakeStripe
) -> None:
    open_product(desktop, site, shirt)
    put_in(desktop, "M")
    go_to_payment(desktop)
    pay(fake)

    desktop.go_back()
    desktop.locator("#cart-link").click()
    desktop.get_by_role("button", name="Go to payment").click()

    expect(desktop.get_by_role("heading", level=1)).to_have_text("Thank you")
    expect(desktop.locator("#cart-count")).to_have_count(0)
    assert len(fake.sessions) == 1


def test_an_outdated_tab_shows_the_cart_again_before_payment(
    desktop: Page, site: str, shirt: Product, fake: FakeStripe
) -> None:
    open_product(desktop, site, shirt)
    put_in(desktop, "M")
    expect(desktop.get_by_role("dialog")).to_contain_text("$25.00")
    other_tab = desktop.context.new_page()
    open_product(other_tab, site, shirt)
    put_in(other_tab, "M", 4)
    expect(other_tab.get_by_role("dialog")).to_contain_text("$125.00")

    desktop.get_by_role("button", name="Go to payment").click()

    expect(desktop.locator("#messages")).to_contain_text("Your cart has changed.")
    expect(desktop.locator(".cart__sum")).to_contain_text("$125.00")
    assert not fake.sessions
    go_to_payment(desktop)


def test_a_customer_who_is_too_late_for_the_last_unit_sees_why(page: Page, site: str, shirt: Product) -> None:
    open_product(page, site, shirt)
    put_in(page, "L", 2)
    expect(page.get_by_role("dialog")).to_be_visible()
    StockItem.objects.filter(id=item_of(shirt, "L").id).update(on_hand=0)

    page.get_by_role("dialog").get_by_role("button", name="Go to payment").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your cart")
    expect(page.locator("#messages")).to_contain_text("Please check the marked items.")
    expect(page.locator(".line--problem")).to_contain_text("BALM T-Shirt L is sold out. Still available: M.")
    [notice, heading] = (page.locator(which).bounding_box() for which in ("#messages .notice", "h1"))
    assert notice and heading and notice["x"] == heading["x"]
    assert heading["y"] - notice["y"] - notice["height"] <= 32
    page.get_by_label(re.compile("^Size")).select_option("M")
    expect(page.locator(".line--problem")).to_have_count(0)


def test_a_failed_request_is_shown_in_the_drawer(browser: Browser, site: str, shirt: Product) -> None:
    context = browser.new_context(viewport=PHONE, reduced_motion="reduce")
    page = context.new_page()
    open_product(page, site, shirt)
    page.route("**/cart/add/", lambda route: route.abort())

    put_in(page, "M")

    expect(page.get_by_role("dialog")).to_contain_text("That did not work. Please try again.")
    context.close()


def test_cart_drawer_and_order_are_accessible(
    browser: Browser, site: str, shirt: Product, fake: FakeStripe
) -> None:
    # axe injects a script, which the Content-Security-Policy would block.
    for page in visitor(browser, viewport=PHONE, bypass_csp=True):
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
        expect(page).to_have_url(PAYMENT_PAGE)
        page.goto(site + reverse("checkout_canceled"))
        accessible(page, "back from Stripe")
        come_back(page, site, only_order())
        accessible(page, "a waiting page")
        pay(fake)
        deliver(fake)
        come_back(page, site, only_order())
        expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
        accessible(page, "a paid order")


def accessible(page: Page, name: str) -> None:
    for scheme in each_scheme(page):
        found = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in violations(page, WCAG)]
        assert found == [], f"{name}, {scheme}"


@pytest.mark.parametrize("width", [320, 390])
def test_a_narrow_page_does_not_scroll_sideways(
    browser: Browser, site: str, shirt: Product, width: int
) -> None:
    """A page of 1280 pixels has 320 at 400 % zoom."""
    for page in visitor(browser, viewport={"width": width, "height": 700}):
        open_product(page, site, shirt)
        put_in(page, "M", 2)
        expect(page.get_by_role("dialog")).to_be_visible()
        assert page.evaluate("document.getElementById('cart-drawer').scrollWidth") <= width
        page.goto(site + reverse("cart"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_tap_targets_are_large_enough(phone: Page, site: str, shirt: Product, fake: FakeStripe) -> None:
    open_product(phone, site, shirt)
    put_in(phone, "M", 2)
    expect(phone.get_by_role("dialog")).to_be_visible()
    large_enough(phone.get_by_role("dialog"))
    phone.goto(site + reverse("cart"))
    large_enough(phone.locator("main"))
    go_to_payment(phone)
    come_back(phone, site, only_order())
    large_enough(phone.locator("main"))
    fake.expire(only_order().session_id or "")
    deliver(fake)
    come_back(phone, site, only_order())
    large_enough(phone.locator("main"))


def large_enough(place: Locator) -> None:
    targets = place.locator("a, button, select, input").filter(visible=True).all()
    boxes = [(target.evaluate("target => target.outerHTML"), target.bounding_box()) for target in targets]
    assert [html for html, box in boxes if not box or min(box["width"], box["height"]) < 43.9] == []


def test_an_order_is_printed_in_black_in_dark_mode_too(
    browser: Browser, site: str, shirt: Product, fake: FakeStripe
) -> None:
    for page in visitor(browser, viewport=DESKTOP, color_scheme="dark"):
        open_product(page, site, shirt)
        put_in(page, "M", 2)
        go_to_payment(page)
        come_back(page, site, only_order())
        page.emulate_media(media="print")
        colors = page.locator(".order .muted").evaluate_all(
            "texts => texts.map(text => getComputedStyle(text).color)"
        )
        assert set(colors) == {"rgb(68, 68, 68)"}
