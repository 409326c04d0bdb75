"""Each job of the owner's desk in a real browser: at a desk, on a phone, and on a phone without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from checkout.models import Order
from checkout.orders.refund_requests import send_waiting_refunds
from checkout.tests.conftest import Customer, create_roles, deliver, item_of, order_for, put_on_show
from checkout.tests.devices import EACH_DEVICE, check, opened
from checkout.tests.test_external_orders import a_line, open_externally
from checkout.tests.test_lists_that_grow import EVENTS, events
from fake_stripe import FakeStripe
from inventory.models import Movement, StripeEvent
from inventory.stock import ledger, oversold
from shop.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]

GRID = "admin:inventory_stock_grid"
TWELVE = "XXS,XS,S,M,L,XL,2XL,3XL,4XL,5XL,6XL,7XL"


@pytest.fixture(params=EACH_DEVICE)
def page(
    request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer, admin_client: Client
) -> Iterator[Page]:
    cache.clear()
    with opened(request.param, browser, live_server, admin_client) as page:
        yield page


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product) -> Order:
    return buy(fake, shirt, "M", 3)


def buy(fake: FakeStripe, shirt: Product, size: str, units: int) -> Order:
    order = order_for(Customer(), shirt, size, units)
    fake.pay(order.session_id or "")
    deliver(fake)
    return order


def units_of(product: Product, size: str) -> int:
    item = item_of(product, size)
    return (item.on_hand or 0) + item.pending


# --- Stock ------------------------------------------------------------------------------------


def test_stock_is_received_and_counted_in_the_grid(page: Page, fake: FakeStripe, shirt: Product) -> None:
    page.goto(reverse("admin:index"))
    check(page)
    page.get_by_role("link", name="Receive or count them").click()
    page.get_by_label("Product", exact=True).fill("balm")
    page.get_by_role("button", name="Show").click()
    page.get_by_label("BALM T-Shirt L").fill("-12")
    page.get_by_role("button", name="Add to stock").click()
    expect(page.get_by_label("BALM T-Shirt L")).to_have_accessible_description(
        "“-12” is not a whole number of units."
    )
    check(page)
    page.get_by_label("BALM T-Shirt L").fill("12")
    page.get_by_label("BALM T-Shirt L").press("Enter")
    expect(page.get_by_text("1 size changed, +12 units.")).to_be_visible()
    expect(page.get_by_text("12 on its way")).to_be_visible()
    check(page)
    deliver(fake)
    if not page.evaluate("matchMedia('(scripting: none)').matches"):
        expect(page.get_by_text("12 on its way")).to_be_hidden()
    page.reload()
    expect(page.get_by_text("12 on its way")).to_have_count(0)

    page.get_by_role("link", name="Count the shelves").click()
    ledger.sell("order:1", [ledger.SaleLine("order:1:0", item_of(shirt, "L").pk, 2)], now=timezone.now())
    page.get_by_label("BALM T-Shirt L").fill("13")
    page.get_by_role("button", name="Save counts").click()
    expect(page.get_by_label("BALM T-Shirt L")).to_have_accessible_description(
        "changed meanwhile from 14 to 12"
    )
    check(page)
    page.get_by_role("button", name="Save counts").click()
    expect(page.get_by_text("1 size changed, +1 units.")).to_be_visible()
    assert fake.products["prod_balm"]["metadata"]["stock_L"] == "14" and units_of(shirt, "L") == 13


def test_the_numbers_of_many_pages_stay_on_the_screen(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin.site._registry[StripeEvent], "list_per_page", 2)
    events(60)

    page.goto(f"{EVENTS}?p=12")

    last = page.locator(".paginator a").last.bounding_box()
    assert last and last["x"] + last["width"] <= page.evaluate("innerWidth")
    check(page)


@pytest.fixture
def two_products_in_12_sizes(fake: FakeStripe, db: None) -> list[Product]:
    """Balm and Cedar: one unit of each size."""
    stock = {f"stock_{size}": "1" for size in TWELVE.split(",")}
    return [
        put_on_show(fake, f"prod_{name.lower()}", name, {"sizes": TWELVE, **stock})
        for name in ("Balm", "Cedar")
    ]


def type_delivery(page: Page, key: str) -> int:
    """10, 11, 12 and so on into all 24 fields. Returns the keystrokes beyond the numbers."""
    page.goto(reverse(GRID))
    page.get_by_label("Balm XXS").click()
    for units in range(10, 34):
        page.keyboard.type(str(units))
        page.keyboard.press(key if units < 33 else "Enter")
    return 24


def check_delivery(page: Page, products: list[Product]) -> None:
    expect(page.get_by_text("24 sizes changed, +516 units.")).to_be_visible()
    assert [units_of(products[0], size) for size in ("XXS", "7XL")] == [11, 22]
    assert [units_of(products[1], size) for size in ("XXS", "7XL")] == [23, 34]
    assert Movement.objects.filter(kind="received").values("reference").distinct().count() == 1


def test_a_delivery_of_24_sizes_takes_26_keystrokes_beyond_the_numbers(
    page: Page, two_products_in_12_sizes: list[Product]
) -> None:
    assert type_delivery(page, "Tab") <= 26

    check_delivery(page, two_products_in_12_sizes)
    check(page)


def test_arrow_keys_move_over_the_grid_and_within_a_number(
    browser: Browser, live_server: LiveServer, admin_client: Client, two_products_in_12_sizes: list[Product]
) -> None:
    with opened("desk", browser, live_server, admin_client) as page:
        page.goto(reverse(GRID))
        page.get_by_label("Balm XXS").click()
        for key, label in [
            ("Down", "Cedar XXS"),
            ("Right", "Cedar XS"),
            ("Up", "Balm XS"),
            ("Left", "Balm XXS"),
        ]:
            page.keyboard.press(f"Arrow{key}")
            expect(page.get_by_label(label, exact=True)).to_be_focused()
        page.keyboard.type("12")
        page.keyboard.press("ArrowLeft")
        page.keyboard.type("0")
        expect(page.get_by_label("Balm XXS")).to_have_value("102")

        type_delivery(page, "ArrowRight")
        check_delivery(page, two_products_in_12_sizes)


def test_history_says_how_a_count_came_about(page: Page, paid: Order, shirt: Product) -> None:
    page.goto(reverse("admin:inventory_stockitem_changelist"))
    page.get_by_role("link", name="History").nth(1).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("History of BALM T-Shirt M")
    check(page)
    page.get_by_role("link", name="order:").first.click()
    expect(page.get_by_role("heading", name=paid.number)).to_be_visible()


# --- Orders -----------------------------------------------------------------------------------


def test_an_order_is_found_packed_sent_and_an_open_checkout_ended(
    page: Page, paid: Order, fake: FakeStripe, shirt: Product
) -> None:
    open_order = order_for(Customer(), shirt, "L", 2)
    page.goto(reverse("admin:checkout_order_changelist"))
    page.locator("#searchbar").fill(paid.session_id or "")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    check(page)
    page.get_by_role("link", name=paid.number).click()
    page.get_by_role("button", name="Mark as packed").click()
    expect(page.get_by_text("Marked as packed.")).to_be_visible()
    page.get_by_label("Carrier").select_option("dhl")
    page.get_by_label("Tracking number").fill("JD0140")
    page.get_by_role("button", name="Mark as sent").click()
    expect(page.get_by_role("link", name="JD0140")).to_be_visible()
    check(page)

    page.goto(reverse("admin:checkout_order_changelist"))
    page.get_by_role("link", name="Open checkouts").click()
    page.get_by_role("link", name=open_order.number).click()
    page.get_by_role("button", name="End it").click()
    expect(page.get_by_text("its checkout is ended, and its units are for sale again.")).to_be_visible()
    check(page)
    assert item_of(shirt, "L").held == 0 and fake.sessions[open_order.session_id or ""]["status"] == "expired"


def test_a_line_is_refunded_while_stripe_is_away_and_known_afterwards(
    page: Page, paid: Order, fake: FakeStripe, shirt: Product
) -> None:
    page.goto(reverse("admin:checkout_order_change", args=[paid.pk]))
    page.get_by_role("link", name="Refund some of it").click()
    page.get_by_label("Units to refund").fill("7")
    page.get_by_role("button", name="Review the refund").click()
    if page.evaluate("document.querySelector('input:invalid') === null"):
        expect(page.get_by_text("Nothing was refunded.")).to_be_visible()
    page.get_by_label("Units to refund").fill("2")
    page.get_by_label("Back to stock?").select_option("no")
    page.get_by_label("Another amount").fill("ten")
    page.get_by_role("button", name="Review the refund").click()
    expect(page.get_by_text("Type an amount such as 12.50.")).to_be_visible()
    check(page)
    page.get_by_label("Another amount").fill("40")
    page.get_by_role("button", name="Review the refund").click()
    fake.faults.add("cut", path="/v1/refunds", times=2)
    page.get_by_role("button", name="Refund $40.00 now").click()
    expect(page.get_by_text("Stripe has not confirmed the refund of $40.00 yet.")).to_be_visible()
    check(page)

    paid.refunds.update(next_attempt_at=timezone.now())
    assert send_waiting_refunds(timezone.now()) == 1
    page.reload()
    expect(page.locator("#refunds")).to_contain_text("$40.00, refunded")
    expect(page.locator("#refunds")).to_contain_text("2 × BALM T-Shirt M Black: not back to stock")
    assert len(fake.refunds) == 1 and units_of(shirt, "M") == 12


def test_oversold_units_are_refunded_promised_and_ignored(
    page: Page, fake: FakeStripe, shirt: Product
) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 5, "L")]))
    deliver(fake)
    large, order = item_of(shirt, "L"), Order.objects.get()

    page.goto(reverse("admin:checkout_oversold"))
    check(page)
    page.get_by_role("link", name=f"Refund {order.number}").click()
    expect(page.get_by_text("the first 3 that you refund do not go back")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Review the refund").click()
    expect(page.get_by_text("It never was on the shelf")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Refund $25.00 now").click()
    expect(page.get_by_text("$25.00 are refunded.")).to_be_visible()

    page.goto(reverse("admin:checkout_oversold"))
    page.get_by_label("Units").fill("1")
    page.get_by_role("button", name="Send from the next delivery").click()
    expect(page.get_by_text("1 unit is taken off the next delivery.")).to_be_visible()
    page.get_by_role("button", name="Ignore").click()
    expect(page.get_by_text("Say why, so that it can be understood later.")).to_be_visible()
    check(page)
    page.get_by_label("Reason").fill("two were in the other box")
    page.get_by_role("button", name="Ignore").click()
    expect(page.get_by_text("1 of BALM T-Shirt L: ignored.")).to_be_visible()
    assert (units_of(shirt, "L"), oversold.undecided(large.pk), oversold.owed(large.pk)) == (0, 0, 1)
    page.goto(reverse(GRID))
    expect(page.get_by_text("1 is for an oversold order")).to_be_visible()
    check(page)


# --- Events, reports and roles ----------------------------------------------------------------


def test_an_event_is_read_and_replayed_and_a_size_assigned(
    page: Page, fake: FakeStripe, shirt: Product
) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 1)]))
    deliver(fake)
    event = StripeEvent.objects.get(type="checkout.session.completed")

    page.goto(reverse("admin:inventory_stripeevent_changelist"))
    check(page)
    page.goto(reverse("admin:inventory_stripeevent_change", args=[event.pk]))
    expect(page.get_by_text('"payment_status": "paid"')).to_be_visible()
    check(page)
    page.get_by_role("button", name="Handle this event again").click()
    expect(page.get_by_text("The worker handles it again within seconds.")).to_be_visible()
    deliver(fake)

    page.get_by_role("link", name="Orders of this payment").click()
    page.get_by_role("link", name=Order.objects.get().number).click()
    page.get_by_role("button", name="M (15)").click()
    expect(page.get_by_text("Counted as BALM T-Shirt M.")).to_be_visible()
    check(page)
    assert units_of(shirt, "M") == 14


def test_each_report_is_read_and_downloaded(page: Page, paid: Order) -> None:
    for report in ("sales", "sell-through", "size-curve", "days-left", "stock-value", "dead-stock"):
        page.goto(reverse("admin:checkout_report", args=[report]))
        check(page)
        if report == "dead-stock":
            expect(page.get_by_text("Nothing in this report.")).to_be_visible()
            continue
        with page.expect_download() as download:
            page.get_by_role("link", name="Download as CSV").click()
        assert "," in download.value.path().read_text()


@pytest.mark.parametrize("device", EACH_DEVICE)
def test_packer_and_bookkeeper_see_their_work_and_are_refused_the_rest(
    device: str, browser: Browser, live_server: LiveServer, paid: Order, shirt: Product
) -> None:
    create_roles()
    order = reverse("admin:checkout_order_change", args=[paid.pk])
    with opened(device, browser, live_server, login("Packer")) as page:
        page.goto(reverse("admin:index"))
        expect(page.get_by_text("Last 7 days")).to_have_count(0)
        check(page)
        page.goto(order)
        expect(page.get_by_text("Refund everything")).to_have_count(0)
        page.get_by_role("button", name="Mark as packed").click()
        page.get_by_role("button", name="It is not packed after all").click()
        check(page)
        assert status(page, reverse(GRID)) == status(page, f"{order.replace('change', 'refund')}") == 403
        assert status(page, reverse("admin:checkout_report", args=["sales"])) == 403
    with opened(device, browser, live_server, login("Bookkeeper")) as page:
        page.goto(reverse("admin:index"))
        expect(page.get_by_text("Last 7 days")).to_be_visible()
        check(page)
        page.goto(order)
        expect(page.get_by_role("button", name="Mark as packed")).to_have_count(0)
        assert status(page, reverse("admin:checkout_report", args=["sales"])) == 200
        assert status(page, reverse(GRID)) == status(page, reverse("admin:checkout_send_orders")) == 403


def login(role: str) -> Client:
    user, _new = User.objects.get_or_create(username=role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def status(page: Page, address: str) -> int:
    answer = page.goto(address)
    assert answer
    return answer.status
