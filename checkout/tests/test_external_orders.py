"""Sales of sessions that this shop did not open: payment links, an older site, tests from the command line."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from checkout import gateway
from checkout.models import Order
from checkout.orders.fulfillment import apply_session
from checkout.tests.conftest import deliver, item_of, only_order, put_on_show
from config import fault_points
from fake_stripe import FakeStripe
from inventory import worker
from inventory.events import inbox
from inventory.models import Issue, Movement, StockItem, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db


def open_externally(fake: FakeStripe, lines: list[dict[str, str]], **session: str) -> str:
    """Another program opens a session. `lines` and `session` are Stripe's form fields. Returns its id."""
    form = {"mode": "payment", "success_url": "https://external.example", **session}
    for number, line in enumerate(lines):
        form |= {f"line_items[{number}]{name}": value for name, value in line.items()}
    status, answer = fake.call("POST", "/v1/checkout/sessions", urlencode(form))
    assert status == 200, answer
    # Only sales after the first refresh of a product count.
    fake.forward(2)
    return str(answer["id"])


def sales() -> list[tuple[str, str, int]]:
    movements = Movement.objects.filter(kind="sale").order_by("id").select_related("item")
    return [(sale.item.product_id, sale.item.size, -sale.delta) for sale in movements]


def a_line(price: Product | str, quantity: int = 1, size: str = "") -> dict[str, str]:
    """One line of the form, with the size in its metadata if there is one."""
    price_id = price if isinstance(price, str) else price.default_price_id
    line = {"[price]": price_id, "[quantity]": str(quantity)}
    return line | ({"[metadata][size]": size} if size else {})


def test_a_session_of_an_older_site_is_counted_by_its_metadata(
    fake: FakeStripe, shirt: Product, poster: Product
) -> None:
    session_id = open_externally(
        fake,
        [a_line(shirt, 2), a_line(poster)],
        **{
            "metadata[item_0_size]": "M",
            "metadata[item_0_product_id]": shirt.id,
            "metadata[item_0_quantity]": "2",
            "metadata[item_1_size]": "One Size",
            "metadata[item_1_product_id]": poster.id,
            "metadata[item_1_quantity]": "1",
        },
    )
    fake.pay(session_id, email="ada@example.com")

    deliver(fake)

    order = only_order()
    assert sorted(sales()) == [("prod_balm", "M", 2), ("prod_poster", "", 1)]
    assert (order.state, order.is_external, order.email) == ("paid", True, "ada@example.com")
    assert fake.products["prod_balm"]["metadata"]["stock_M"] == "13"


@pytest.mark.parametrize(
    ("line", "session"),
    [
        ("M", {}),
        ("", {"metadata[size]": "M"}),
        ("", {"metadata[size]": "m"}),
        ("", {"metadata[item_0_size]": "M"}),
        (
            "",
            {
                "custom_fields[0][key]": "size",
                "custom_fields[0][type]": "text",
                "custom_fields[0][label][type]": "custom",
                "custom_fields[0][label][custom]": "Which size?",
            },
        ),
    ],
)
def test_the_size_is_found_wherever_it_is_given(
    fake: FakeStripe, shirt: Product, line: str, session: dict[str, str]
) -> None:
    session_id = open_externally(fake, [a_line(shirt, 1, line)], **session)
    answers: dict[str, Any] = {"custom_fields": {"size": "M"}} if "custom_fields[0][key]" in session else {}
    fake.pay(session_id, **answers)

    deliver(fake)

    assert sales() == [("prod_balm", "M", 1)]


def drop_down(*options: tuple[str, str]) -> dict[str, str]:
    """A drop-down for the size, with the label and the value of each option, as Stripe's form fields."""
    form = {
        "custom_fields[0][key]": "size",
        "custom_fields[0][type]": "dropdown",
        "custom_fields[0][label][type]": "custom",
        "custom_fields[0][label][custom]": "Size",
    }
    for number, (label, value) in enumerate(options):
        option = f"custom_fields[0][dropdown][options][{number}]"
        form |= {f"{option}[label]": label, f"{option}[value]": value}
    return form


@pytest.mark.parametrize(
    ("label", "value"),
    [("10.5", "105"), ("One Size", "onesize"), ("XS/S", "xss"), ("M", "option2"), ("m", "option3")],
)
def test_a_drop_down_is_read_by_its_labels(fake: FakeStripe, label: str, value: str) -> None:
    """Stripe allows only letters and digits in the value of an option."""
    sizes = {"sizes": "10,10.5,One Size,XS/S,M"}
    counts = {f"stock_{size}": "5" for size in sizes["sizes"].split(",")}
    shoe = put_on_show(fake, "prod_shoe", "Shoe", sizes | counts)
    session_id = open_externally(fake, [a_line(shoe)], **drop_down(("10", "10"), (label, value)))
    fake.pay(session_id, custom_fields={"size": value})

    deliver(fake)

    assert sales() == [("prod_shoe", "M" if label == "m" else label, 1)]
    assert not Issue.objects.exists()


def test_a_drop_down_whose_label_and_value_are_two_sizes_waits_for_the_owner(fake: FakeStripe) -> None:
    metadata = {"sizes": "1.5,15", "stock_1.5": "5", "stock_15": "5"}
    ring = put_on_show(fake, "prod_ring", "Ring", metadata)
    session_id = open_externally(fake, [a_line(ring)], **drop_down(("1.5", "15"), ("15", "150")))
    fake.pay(session_id, custom_fields={"size": "15"})

    deliver(fake)

    assert sales() == [] and only_order().lines.get().needs_size
    assert "“1.5 / 15”" in Issue.objects.get().text


def test_a_size_is_not_asked_for_where_there_is_one(fake: FakeStripe) -> None:
    cap = put_on_show(fake, "prod_cap", "Cap", {"sizes": "One Size", "stock_One Size": "5"})
    fake.pay(open_externally(fake, [a_line(cap, 2)]))

    deliver(fake)

    assert sales() == [("prod_cap", "One Size", 2)] and not Issue.objects.exists()


def test_a_quantity_changed_on_stripes_page_counts(fake: FakeStripe, shirt: Product) -> None:
    line = {**a_line(shirt, 1), "[adjustable_quantity][enabled]": "true"}
    metadata = {"metadata[item_0_size]": "M", "metadata[item_0_quantity]": "1"}
    session_id = open_externally(fake, [line], **metadata)
    fake.pay(session_id, quantities={0: 3})

    deliver(fake)

    order = only_order()
    assert sales() == [("prod_balm", "M", 3)] and not Issue.objects.exists()
    assert (order.subtotal, order.total) == (7500, 7500)


def test_the_metadata_of_a_price_gives_the_size(fake: FakeStripe, shirt: Product) -> None:
    large = fake.add_price(shirt.id, unit_amount=2800, currency="usd", metadata={"size": "L"})
    fake.pay(open_externally(fake, [a_line(large["id"])]))

    deliver(fake)

    assert sales() == [("prod_balm", "L", 1)]
    assert only_order().lines.get().unit_amount == 2800


def test_an_external_session_is_read_from_stripe_by_the_worker_task_that_may_call_it(
    fake: FakeStripe, shirt: Product
) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, size="M")]))
    fake.deliver_due()
    fake.forget_calls()

    inbox.process_local(timezone.now())
    assert fake.calls == [] and not Order.objects.exists()
    assert StripeEvent.objects.get(type="checkout.session.completed").needs_stripe

    inbox.process_remote(timezone.now())
    assert sales() == [("prod_balm", "M", 1)]


def test_an_external_session_is_counted_once_however_often_it_is_reported(
    fake: FakeStripe, shirt: Product
) -> None:
    fake.faults.add("duplicate", copies=3, times=None)
    fake.faults.add("twin", types=["checkout.session.completed"])
    session_id = open_externally(fake, [a_line(shirt, size="M")])
    fake.pay(session_id)

    deliver(fake)
    with inbox.allow_stripe_calls():
        apply_session(gateway.fetch_session(session_id), now=timezone.now())

    assert sales() == [("prod_balm", "M", 1)] and Order.objects.count() == 1


def test_a_database_that_lost_the_order_gives_it_the_same_id_again(fake: FakeStripe, shirt: Product) -> None:
    session_id = open_externally(fake, [a_line(shirt, size="M")])
    fake.pay(session_id)
    deliver(fake)
    first = only_order()
    Order.objects.all().delete()

    with inbox.allow_stripe_calls():
        apply_session(gateway.fetch_session(session_id), now=timezone.now())

    assert only_order().id == first.id and sales() == [("prod_balm", "M", 1)]


def test_a_sale_without_a_size_waits_for_the_owner(fake: FakeStripe, shirt: Product) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 2)]))

    deliver(fake)

    line = only_order().lines.get()
    assert (line.item, line.needs_size, line.quantity) == (None, True, 2)
    assert sales() == []
    issue = Issue.objects.get()
    assert issue.kind == "needs_size" and "2 × BALM T-Shirt" in issue.text


def test_an_unknown_size_is_named_in_the_issue(fake: FakeStripe, shirt: Product) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, size="XS")]))

    deliver(fake)

    assert sales() == [] and "“XS”" in Issue.objects.get().text


def test_a_test_from_the_command_line_counts_nothing_and_opens_no_issue(
    fake: FakeStripe, shirt: Product
) -> None:
    """`stripe trigger checkout.session.completed` creates a product without metadata and buys two of it."""
    product = fake.add_product(name="myproduct", prices=[{"unit_amount": 1500, "currency": "usd"}], emit=True)
    price = next(price["id"] for price in fake.prices.values() if price["product"] == product["id"])
    fake.pay(open_externally(fake, [a_line(price, 2)]))

    deliver(fake)

    event = StripeEvent.objects.get(type="checkout.session.completed")
    assert event.state == "handled"
    assert sales() == [] and not Issue.objects.exists() and not Order.objects.exists()


def test_an_external_bank_debit_is_counted_when_it_succeeds(fake: FakeStripe, shirt: Product) -> None:
    session_id = open_externally(fake, [a_line(shirt, size="M")])
    fake.pay(session_id, delayed=True)
    deliver(fake)
    assert only_order().state == Order.State.AWAITING_PAYMENT and sales() == []

    fake.settle_delayed(session_id)
    deliver(fake)

    assert only_order().state == Order.State.PAID and sales() == [("prod_balm", "M", 1)]


def test_an_external_session_that_expires_creates_no_order(fake: FakeStripe, shirt: Product) -> None:
    fake.expire(open_externally(fake, [a_line(shirt)]))

    deliver(fake)

    assert not Order.objects.exists()


def test_a_sale_of_a_product_that_was_never_read_refreshes_it(fake: FakeStripe, db: None) -> None:
    product_id = pay_for_a_new_shirt(fake)

    deliver(fake)

    assert only_order().lines.get().item == item_of(Product.objects.get(id=product_id), "S")


def test_a_crash_during_that_refresh_leaves_no_sale_without_its_size(
    fake: FakeStripe, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The product is stored and its stock items are not: the next attempt refreshes it again."""
    product_id = pay_for_a_new_shirt(fake)

    def crash(name: str) -> None:
        if name == "refresh.stored":
            raise Crashed

    with monkeypatch.context() as patched, pytest.raises(Crashed):
        patched.setattr(fault_points, "visit", crash)
        deliver(fake)
    assert Product.objects.get(id=product_id) and not StockItem.objects.exists()
    StripeEvent.objects.update(lease_until=None)

    deliver(fake)

    line = only_order().lines.get()
    assert line.item == item_of(Product.objects.get(id=product_id), "S") and not line.needs_size
    assert not Issue.objects.filter(kind="needs_size").exists()


class Crashed(BaseException):
    """Not caught by the code under test, like the end of the process."""


def pay_for_a_new_shirt(fake: FakeStripe) -> str:
    """Sell, outside the shop, a Small of a product that the shop has not read. Returns its id."""
    product = fake.add_product(
        name="New Shirt",
        metadata={"sizes": "S", "stock_S": "5"},
        prices=[{"unit_amount": 900, "currency": "usd"}],
    )
    price = next(price["id"] for price in fake.prices.values() if price["product"] == product["id"])
    fake.pay(open_externally(fake, [a_line(price, size="S")]))
    return str(product["id"])


def test_more_lines_than_a_page_holds_are_all_read(
    fake: FakeStripe, shirt: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = open_externally(fake, [a_line(shirt, size="M")] * 5)

    monkeypatch.setattr(gateway, "PAGE_SIZE", 2)

    assert len(gateway.session_lines(session_id)) == 5


def test_a_sale_while_a_products_only_count_is_gone_is_counted_once_it_is_back(
    fake: FakeStripe, poster: Product
) -> None:
    """The owner empties the field and enters the count again. In between a payment link sells two."""
    before = item_of(poster).on_hand or 0
    fake.dashboard.edit_product(poster.id, metadata={"stock": ""})
    deliver(fake)
    worker.drain()
    fake.pay(open_externally(fake, [a_line(poster, 2)]))
    deliver(fake)
    worker.drain()
    fake.dashboard.edit_product(poster.id, metadata={"stock": str(before)})
    deliver(fake)
    worker.drain(hourly=True)

    assert sales() == [(poster.id, "", 2)]
    assert fake.products[poster.id]["metadata"]["stock"] == str(before - 2)


def test_origin_fault_22_stripes_objects_are_translated_although_they_are_no_dicts(
    fake: FakeStripe, shirt: Product
) -> None:
    """The library's objects have had no .get and no .items since version 15. `fake` answers the real library."""
    session_id = open_externally(fake, [a_line(shirt, size="M")])
    fake.pay(session_id)

    session, lines = gateway.fetch_session(session_id), gateway.session_lines(session_id)

    assert session.is_paid and session.total == 2500 and session.paid_at is not None
    assert type(session.metadata) is dict and type(session.address) is dict
    assert (lines[0].product_id, lines[0].quantity, dict(lines[0].metadata)) == (shirt.id, 1, {"size": "M"})
