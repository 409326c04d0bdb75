"""The reports: figures, the split of the next order, odd input, CSV, and who may see them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from checkout.models import Order, OrderLine
from checkout.reports.pages import REPORTS
from checkout.reports.sales import SoldLine, sales_by
from checkout.tests.conftest import item_of, put_on_show
from fake_stripe import FakeStripe
from inventory.models import Movement
from inventory.reports import stock_flow
from inventory.reports.stock_flow import split_order
from inventory.stock import ledger
from shop.models import Product


def page(client: Client, name: str, **asked: Any) -> str:
    answer = client.get(reverse("admin:checkout_report", args=[name]), asked)
    assert answer.status_code == 200
    return answer.content.decode()


def csv(client: Client, name: str, **asked: Any) -> list[str]:
    answer: Any = client.get(reverse("admin:checkout_report", args=[name]), {**asked, "format": "csv"})
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/csv")
    return b"".join(answer.streaming_content).decode().splitlines()


def rows(html: str) -> list[str]:
    table = html.partition('class="report-table"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(strip_tags(row).split()) for row in table.split("</tr>")[:-1]]


def sold(product: Product, size: str, units: int, *, days_ago: float = 0, **facts: Any) -> OrderLine:
    """A paid order of one line, and its movement, some days ago."""
    when = timezone.now() - timedelta(days=days_ago)
    order = Order.objects.create(state=Order.State.PAID, currency="usd", total=2500 * units, paid_at=when)
    item = item_of(product, size)
    line = OrderLine.objects.create(
        order=order,
        position=0,
        product=product,
        item=item,
        name=product.name,
        size=size,
        quantity=units,
        unit_amount=2500,
        **{"color": "Black", **facts},
    )
    ledger.sell(order.reference, [ledger.SaleLine(line.reference, item.pk, units)], now=when)
    moved(Movement.objects.filter(reference=line.reference), when)
    return line


def moved(movements: Any, when: datetime) -> None:
    """Date movements back, which the ledger itself never does."""
    with connection.cursor() as cursor:
        for pk in movements.values_list("pk", flat=True):
            cursor.execute(
                "UPDATE inventory_movement SET created_at = %s WHERE id = %s",
                [connection.ops.adapt_datetimefield_value(when), pk],
            )


@pytest.fixture
def old_shirt(shirt: Product) -> Product:
    """The shirt, opened a hundred days ago: 15 in M, 2 in L, none in S."""
    moved(Movement.objects.all(), timezone.now() - timedelta(days=100))
    return shirt


# --- Sales ------------------------------------------------------------------------------------


def test_sales_by_product_size_and_color_leave_refunds_out(old_shirt: Product) -> None:
    sold(old_shirt, "M", 3)
    sold(old_shirt, "M", 2, color="White", quantity_refunded=1)
    sold(old_shirt, "L", 1, quantity_refunded=1)
    Order.objects.filter(pk=sold(old_shirt, "M", 5).order_id).update(state=Order.State.REFUNDED)
    sold(old_shirt, "M", 4, days_ago=40)
    today = timezone.localdate()

    assert sales_by("product", today, today) == [SoldLine(("BALM T-Shirt",), 4, 10000, "usd")]
    assert sales_by("size", today, today) == [SoldLine(("M",), 4, 10000, "usd")]
    assert sales_by("color", today, today) == [
        SoldLine(("Black",), 3, 7500, "usd"),
        SoldLine(("White",), 1, 2500, "usd"),
    ]
    assert sales_by("size", today - timedelta(days=41), today)[0].units == 8


def test_the_page_of_sales_has_a_chart_bars_and_a_download(old_shirt: Product, admin_client: Client) -> None:
    sold(old_shirt, "M", 3)
    sold(old_shirt, "L", 1)

    html = page(admin_client, "sales", by="variant")

    assert rows(html) == ["BALM T-Shirt M Black 3 $75.00", "BALM T-Shirt L Black 1 $25.00"]
    assert re.findall(r'<rect class="chart-bar" width="([\d.]+)"', html) == ["100.0", "33.3"]
    assert 'aria-label="Sales by day: $100.00 in 30 days."' in html and "style=" not in html
    assert csv(admin_client, "sales", by="variant") == [
        "Product,Size,Color,Units,Sales",
        "BALM T-Shirt,M,Black,3,75.00",
        "BALM T-Shirt,L,Black,1,25.00",
    ]


# --- Stock ------------------------------------------------------------------------------------


def test_sell_through_is_what_was_sold_of_what_was_there(old_shirt: Product, admin_client: Client) -> None:
    ledger.receive(item_of(old_shirt, "M").pk, 3, reference="form:1")
    sold(old_shirt, "M", 5, days_ago=5)
    sold(old_shirt, "L", 1, days_ago=50)

    assert rows(page(admin_client, "sell-through")) == ["BALM T-Shirt 16 3 5 14 26%"]


def test_a_size_that_sold_out_early_is_wanted_more_than_its_sales_say(fake: FakeStripe, db: None) -> None:
    shirt = put_on_show(fake, "prod_c", "Crane", {"sizes": "S,M", "stock_S": "5", "stock_M": "50"})
    now = timezone.now()
    moved(Movement.objects.all(), now - timedelta(days=20))
    sold(shirt, "S", 5, days_ago=10)
    sold(shirt, "M", 10, days_ago=1)

    small, medium = stock_flow.size_curve(now - timedelta(days=20), now, order=30, product_id=shirt.pk)

    # Both sold half a unit a day while there were any.
    assert (small.size, small.sold, round(small.days), round(small.share, 2)) == ("S", 5, 10, 0.5)
    assert (medium.size, medium.sold, round(medium.days), round(medium.share, 2)) == ("M", 10, 20, 0.5)
    # 40 in M are more than half of 70, so the order fills up S.
    assert (small.order, medium.order) == (30, 0)


@pytest.mark.parametrize(
    ("shares", "stock", "order", "split"),
    [
        ({"S": 0.25, "M": 0.5, "L": 0.25}, {}, 100, {"S": 25, "M": 50, "L": 25}),
        ({"S": 0.25, "M": 0.5, "L": 0.25}, {"S": 10, "M": 20, "L": 10}, 4, {"S": 1, "M": 2, "L": 1}),
        ({"S": 0.5, "M": 0.5}, {"S": 100}, 10, {"M": 10}),
        ({"S": 1 / 3, "M": 1 / 3, "L": 1 / 3}, {}, 10, {"S": 3, "M": 3, "L": 4}),
        ({"S": 0.5, "M": 0.5, "L": 0}, {}, 3, {"M": 2, "S": 1}),
        ({"S": 0}, {}, 10, {}),
        ({}, {}, 10, {}),
    ],
)
def test_an_order_fills_the_stock_up_to_the_shares(
    shares: dict[str, float], stock: dict[str, int], order: int, split: dict[str, int]
) -> None:
    found = split_order(shares, stock, order)

    assert sum(found.values()) == (order if split else 0)
    assert {size: units for size, units in found.items() if units} == split


def test_days_left_begin_with_what_is_sold_out_first(old_shirt: Product, admin_client: Client) -> None:
    sold(old_shirt, "M", 7, days_ago=3)
    sold(old_shirt, "L", 2, days_ago=3)

    assert rows(page(admin_client, "days-left")) == [
        "BALM T-Shirt L 0 2 0",
        "BALM T-Shirt M 8 7 32",
        "BALM T-Shirt S 0 0 –",
    ]


def test_the_stock_has_a_value(old_shirt: Product, poster: Product, admin_client: Client) -> None:
    html = page(admin_client, "stock-value")

    assert rows(html) == ["BALM T-Shirt 17 $425.00 0", "Poster 3 $36.00 0"]
    assert "<strong>$461.00</strong>" in html


def test_dead_stock_was_not_sold_for_a_while(old_shirt: Product, admin_client: Client) -> None:
    sold(old_shirt, "M", 1, days_ago=50)

    assert [row.partition("BALM T-Shirt ")[2][:4] for row in rows(page(admin_client, "dead-stock"))] == [
        "M 14",
        "L 2 ",
    ]
    assert rows(page(admin_client, "dead-stock", days=60))[0].startswith("BALM T-Shirt L 2 – $50.00")
    assert rows(page(admin_client, "dead-stock", days=101)) == []


# --- All of them ------------------------------------------------------------------------------


def test_every_report_opens_without_any_data(admin_client: Client) -> None:
    for name in REPORTS:
        assert "Nothing in this report." in page(admin_client, name)
        assert len(csv(admin_client, name)) == 1


ODD = [
    {"first": "x", "last": "2026-13-45"},
    {"first": "2026-05-05", "last": "2026-05-01"},
    {"first": "0001-01-01"},
    {"last": "9999-12-31"},
    {"order": "-5", "days": "0", "by": "nothing", "of": "product:nothing"},
    {"order": "9" * 30, "days": "9" * 30, "of": "\0"},
]


def test_odd_input_is_named_beside_its_field(old_shirt: Product, admin_client: Client) -> None:
    for name in REPORTS:
        for asked in ODD:
            html = page(admin_client, name, **asked)

            fields = set(re.findall(r'name="(\w+)"', html.partition('class="report-form"')[2]))
            assert bool(fields & asked.keys()) == ("errorlist" in html), (name, asked)


def test_a_report_that_does_not_exist_is_not_found(admin_client: Client) -> None:
    assert admin_client.get(reverse("admin:checkout_report", args=["nothing"])).status_code == 404


def test_names_from_stripe_are_escaped_and_defused(fake: FakeStripe, admin_client: Client, db: None) -> None:
    put_on_show(fake, "prod_x", "=<b>1</b>", {"stock": "3"})

    assert "=&lt;b&gt;1&lt;/b&gt;" in page(admin_client, "stock-value")
    assert csv(admin_client, "stock-value")[1].startswith("'=<b>1</b>,3,")


def test_reports_ask_for_a_permission(client: Client, db: None) -> None:
    staff = User.objects.create_user("packer", password="x", is_staff=True)
    staff.user_permissions.set(Permission.objects.exclude(codename="view_reports"))
    client.force_login(staff)

    for name in REPORTS:
        assert client.get(reverse("admin:checkout_report", args=[name])).status_code == 403
    assert ">Reports<" not in client.get(reverse("admin:index")).content.decode()


def test_a_report_takes_as_many_queries_however_much_was_sold(
    fake: FakeStripe, old_shirt: Product, admin_client: Client
) -> None:
    def queries() -> dict[str, int]:
        taken = {}
        for name in REPORTS:
            with CaptureQueriesContext(connection) as captured:
                page(admin_client, name)
            taken[name] = len(captured)
        return taken

    queries()
    few = queries()
    for number in range(5):
        put_on_show(
            fake, f"prod_{number}", f"Shirt {number}", {"sizes": "S,M", "stock_S": "3", "stock_M": "4"}
        )
        sold(old_shirt, "M", 1, days_ago=number)

    assert queries() == few
