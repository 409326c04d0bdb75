"""Paid sessions of goods that their lines do not name by a price of ours: inline prices, agents, subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from checkout import gateway
from checkout.models import Order
from checkout.orders.product_detection import products_sold
from checkout.stripe_objects import SessionLine
from checkout.tests.conftest import deliver, item_of, only_order, put_on_show
from checkout.tests.test_external_orders import a_line, open_externally, sales
from fake_stripe import FakeStripe
from inventory import worker
from inventory.models import Issue, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db


def inline(
    name: str, quantity: int = 1, amount: int = 2500, metadata: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A line with an inline price, as form fields. `metadata`: of the product that Stripe makes for it."""
    line = {
        "[price_data][currency]": "usd",
        "[price_data][unit_amount]": str(amount),
        "[price_data][product_data][name]": name,
        "[quantity]": str(quantity),
    }
    product = "[price_data][product_data]"
    return line | {f"{product}[metadata][{key}]": text for key, text in (metadata or {}).items()}


def items(*entries: tuple[str, str, int]) -> dict[str, str]:
    """The session's metadata of an older site: product, size and quantity of each item."""
    form = {}
    for number, (product_id, size, quantity) in enumerate(entries):
        form[f"metadata[item_{number}_product_id]"] = product_id
        form[f"metadata[item_{number}_size]"] = size
        form[f"metadata[item_{number}_quantity]"] = str(quantity)
    return {key: text for key, text in form.items() if text}


def unknown_sales() -> str:
    return Issue.objects.get(kind=Issue.Kind.UNKNOWN_SALE).text


# --- Inline prices ----------------------------------------------------------------------------


def test_an_inline_price_is_a_sale_of_the_product_that_the_session_names(
    fake: FakeStripe, shirt: Product, poster: Product
) -> None:
    """The shop that this one replaces opened such sessions for products without a price id."""
    fake.pay(
        open_externally(
            fake,
            [inline("BALM T-Shirt", 2), inline("Poster", 1, 1200), inline("Delivery", 1, 500)],
            **items((shirt.id, "M", 2), (poster.id, "", 1)),
        )
    )

    deliver(fake)

    order = only_order()
    assert sorted(sales()) == [("prod_balm", "M", 2), ("prod_poster", "", 1)]
    assert [line.name for line in order.lines.all()] == ["BALM T-Shirt", "Poster", "Delivery"]
    assert order.lines.get(position=0).unit_amount == 2500 and order.total == 6700
    assert not Issue.objects.exists()


@pytest.mark.parametrize("key", ["product", "product_id"])
def test_the_metadata_of_an_inline_product_names_ours(fake: FakeStripe, shirt: Product, key: str) -> None:
    line = inline("A shirt", 2, metadata={key: shirt.id}) | {"[metadata][size]": "L"}
    fake.pay(open_externally(fake, [line]))

    deliver(fake)

    assert sales() == [("prod_balm", "L", 2)]


def test_a_named_product_without_a_size_waits_for_the_owner(fake: FakeStripe, shirt: Product) -> None:
    fake.pay(open_externally(fake, [inline("A shirt")], **{"metadata[product_id]": shirt.id}))

    deliver(fake)

    line = only_order().lines.get()
    assert (line.product, line.needs_size) == (shirt, True) and sales() == []
    assert "BALM T-Shirt" in Issue.objects.get(kind=Issue.Kind.NEEDS_SIZE).text


def test_a_product_that_was_never_read_is_read_where_metadata_names_it(fake: FakeStripe) -> None:
    fake.add_product(id="prod_new", name="New", metadata={"stock": "4"})
    fake.pay(open_externally(fake, [inline("New")], **items(("prod_new", "", 1))))

    deliver(fake)

    # Its first reading is later than the payment, so Stripe's count includes the sale already.
    assert only_order().lines.get().item == item_of(Product.objects.get(id="prod_new"))


def test_a_paid_session_of_goods_of_which_nothing_is_known_is_an_order_to_look_at_once(
    fake: FakeStripe, shirt: Product
) -> None:
    fake.faults.add("twin", types=["checkout.session.completed"])
    fake.faults.add("duplicate", copies=3, times=None)
    fake.pay(open_externally(fake, [inline("Secret shirt", 2)]))

    deliver(fake)

    order = only_order()
    line = order.lines.get()
    assert (order.state, order.total) == (Order.State.PAID, 5000)
    assert (line.name, line.product, line.item, line.needs_size) == ("Secret shirt", None, None, False)
    assert sales() == []
    assert unknown_sales().count("2 × Secret shirt") == 1 and order.number in unknown_sales()


def test_unknown_sales_share_one_issue(fake: FakeStripe, shirt: Product) -> None:
    """An account that sells other things as well sends one mail and not thousands."""
    for name in ("First", "Second"):
        fake.pay(open_externally(fake, [inline(name)]))

    deliver(fake)

    assert Order.objects.count() == 2
    assert "First" in unknown_sales() and "Second" in unknown_sales()


def test_the_issue_leads_to_the_orders_of_other_programs(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    fake.pay(open_externally(fake, [inline("Secret shirt")]))
    deliver(fake)
    issue = Issue.objects.get()

    page = owner.get(reverse("admin:inventory_issue_change", args=[issue.id])).content.decode()

    link = f"{reverse('admin:checkout_order_changelist')}?is_external__exact=1"
    assert f'href="{link}"' in page
    assert only_order().number in owner.get(link).content.decode()


def test_a_name_of_a_product_that_does_not_exist_is_an_order_to_look_at(
    fake: FakeStripe, shirt: Product
) -> None:
    fake.pay(open_externally(fake, [inline("Shirt")], **items(("prod_gone/../x", "M", 1))))

    deliver(fake)

    assert StripeEvent.objects.get(type="checkout.session.completed").state == "handled"
    assert sales() == [] and "Shirt" in unknown_sales()


def a_sold_line(product_id: str = "", quantity: int = 1, **metadata: str) -> SessionLine:
    return SessionLine(quantity, "", 100, "usd", "price_1", product_id, metadata, {})


def test_entries_that_contradict_the_lines_do_not_name_their_products() -> None:
    metadata = {
        "item_0_product_id": "prod_a",
        "item_0_quantity": "1",
        "item_1_product_id": "prod_b",
        "item_1_quantity": "2",
    }
    known = ["prod_a", "prod_b", "prod_c"]

    assert products_sold([a_sold_line(), a_sold_line(quantity=2)], metadata, known) == ["prod_a", "prod_b"]
    assert products_sold([a_sold_line(quantity=2), a_sold_line()], metadata, known) == ["", ""]
    assert products_sold([a_sold_line("prod_b"), a_sold_line()], metadata, known) == ["prod_b", "prod_a"]
    assert products_sold([a_sold_line(product="prod_c")], metadata, known) == ["prod_c"]
    assert products_sold([a_sold_line(product="prod_x")], {}, known) == [""]


# --- What the owner does ----------------------------------------------------------------------


@pytest.fixture
def owner() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("owner"))
    return client


def test_the_owner_counts_an_unknown_line_as_one_of_the_stock_items(
    fake: FakeStripe, shirt: Product, poster: Product, owner: Client
) -> None:
    fake.pay(open_externally(fake, [inline("Secret shirt", 2)]))
    deliver(fake)
    order, line = only_order(), only_order().lines.get()
    address = reverse("admin:checkout_order_assign_size", args=[order.id])
    page = owner.get(reverse("admin:checkout_order_change", args=[order.id])).content.decode()
    assert "BALM T-Shirt M" in page and "Poster" in page
    assert order.fulfillment is None and not Order.objects.to_pack().exists()

    for item in (item_of(shirt, "M"), item_of(poster)):
        owner.post(address, {"line": line.id, "item": item.id})

    line.refresh_from_db()
    assert (line.product, line.size) == (shirt, "M") and sales() == [("prod_balm", "M", 2)]
    assert Order.objects.to_pack().get() == order


# --- Agents -----------------------------------------------------------------------------------


def articles(*references: str, quantity: int = 1) -> list[dict[str, Any]]:
    named = [
        {"name": "Agent tee", "unit_amount": 2500, "quantity": quantity, "reference": reference}
        for reference in references
    ]
    return [*named, {"name": "Delivery", "unit_amount": 500}]


def sell_through_agent(fake: FakeStripe, *references: str, **options: Any) -> None:
    """A sale some time after the products were first read, which is when sales begin to count."""
    fake.forward(2)
    fake.sell_through_agent(articles(*references), **options)
    deliver(fake)


@pytest.fixture
def shirt_with_skus(fake: FakeStripe) -> Product:
    metadata = {
        "sizes": "M,L",
        "stock_M": "5",
        "stock_L": "5",
        "sku": "TEE",
        "sku_M": "TEE-M",
        "sku_L": "TEE-L",
    }
    return put_on_show(fake, "prod_tee", "Tee", metadata)


@pytest.mark.parametrize("active_products", [False, True])
def test_a_sale_of_an_agent_is_found_by_the_sku_of_a_size(
    fake: FakeStripe, shirt_with_skus: Product, active_products: bool
) -> None:
    sell_through_agent(fake, "TEE-M", "TEE-L", active_products=active_products)

    assert sales() == [("prod_tee", "M", 1), ("prod_tee", "L", 1)]
    assert only_order().total == 5500 and not Issue.objects.exists()


def test_a_sale_of_an_agent_is_found_by_the_id_of_our_feeds(
    fake: FakeStripe, shirt_with_skus: Product, poster: Product
) -> None:
    sell_through_agent(fake, item_of(shirt_with_skus, "L").catalog_id, item_of(poster).catalog_id)

    assert sales() == [("prod_tee", "L", 1), ("prod_poster", "", 1)] and not Issue.objects.exists()


@pytest.mark.parametrize("reference", ["prod_poster", "POSTER-1"])
def test_a_product_in_one_size_is_found_by_its_id_or_its_sku(
    fake: FakeStripe, poster: Product, reference: str
) -> None:
    fake.dashboard.edit_product(poster.id, metadata={"sku": "POSTER-1"})
    deliver(fake)

    sell_through_agent(fake, reference)

    assert sales() == [("prod_poster", "", 1)]


def test_a_sku_that_leaves_the_size_open_waits_for_the_owner(
    fake: FakeStripe, shirt_with_skus: Product
) -> None:
    sell_through_agent(fake, "TEE")

    assert only_order().lines.get(position=0).needs_size and sales() == []


def test_an_unknown_reference_is_named_in_the_issue(fake: FakeStripe, shirt_with_skus: Product) -> None:
    sell_through_agent(fake, "TEE-M", "OTHER-9", active_products=True)

    assert sales() == [("prod_tee", "M", 1)]
    assert "1 × Agent tee (OTHER-9)" in unknown_sales() and "Delivery" not in unknown_sales()


def test_a_reference_that_two_sizes_have_is_not_counted(fake: FakeStripe, shirt_with_skus: Product) -> None:
    put_on_show(fake, "prod_copy", "Copy", {"sizes": "M", "stock_M": "5", "sku_M": "TEE-M"})

    sell_through_agent(fake, "TEE-M")

    assert sales() == [] and "(TEE-M)" in unknown_sales()


@pytest.mark.parametrize("active_products", [False, True])
def test_an_account_without_preview_versions_gets_an_issue_that_says_so(
    fake: FakeStripe, shirt_with_skus: Product, active_products: bool
) -> None:
    fake.api.previews = False

    sell_through_agent(fake, "TEE-M", active_products=active_products)

    assert only_order().state == Order.State.PAID and sales() == []
    assert StripeEvent.objects.get(type="checkout.session.completed").state == "handled"
    assert "Invalid Stripe API version: 2025-12-15.preview" in unknown_sales()


def test_products_that_stripe_makes_for_a_sale_are_not_put_on_the_shelf(
    fake: FakeStripe, poster: Product, client: Client
) -> None:
    sell_through_agent(fake, "OTHER-9", active_products=True)
    worker.drain(hourly=True)

    made = Product.objects.exclude(pk=poster.pk)
    assert made.exists() and not made.visible().exists()
    assert "Agent tee" not in client.get(reverse("product_list")).content.decode()


def test_all_pages_of_lines_are_read_in_the_preview_version(
    fake: FakeStripe, shirt_with_skus: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = fake.sell_through_agent(articles("A", "B", "C"))

    monkeypatch.setattr(gateway, "PAGE_SIZE", 2)

    lines = gateway.session_lines_of_agents(session["id"])
    assert [line.reference for line in lines] == ["A", "B", "C", ""]
    assert {line.reference for line in gateway.session_lines(session["id"])} == {""}


# --- Subscriptions ----------------------------------------------------------------------------


def test_a_shirt_in_a_subscription_session_is_a_sale(fake: FakeStripe, shirt: Product) -> None:
    club = fake.add_product(name="Club", prices=[])
    monthly = fake.add_price(club["id"], unit_amount=500, recurring={"interval": "month"})
    session_id = open_externally(fake, [a_line(monthly["id"]), a_line(shirt, 2, "M")], mode="subscription")
    fake.pay(session_id)

    deliver(fake)

    order = only_order()
    assert sales() == [("prod_balm", "M", 2)] and order.state == Order.State.PAID
    assert [line.name for line in order.lines.all()] == ["Club", "BALM T-Shirt"]
    assert not Issue.objects.exists()


@pytest.mark.parametrize("stocked", [False, True])
def test_what_is_paid_repeatedly_is_not_taken_from_stock(
    fake: FakeStripe, shirt: Product, stocked: bool
) -> None:
    club = {"id": shirt.id} if stocked else fake.add_product(name="Club", prices=[])
    monthly = fake.add_price(club["id"], unit_amount=500, recurring={"interval": "month"})
    fake.pay(open_externally(fake, [a_line(monthly["id"])], mode="subscription"))

    deliver(fake)

    assert sales() == [] and not Order.objects.exists() and not Issue.objects.exists()
