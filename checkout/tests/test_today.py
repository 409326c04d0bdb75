"""The admin's first page: orders to pack, sales, low sizes, what needs attention, and what each user may see."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from pytest_django import Settings

from checkout.models import Order, OrderLine, SalesSummary
from checkout.reports import sales
from checkout.reports.sales import SUMMARY_AGE, write_summary
from checkout.tests.conftest import Customer, deliver, item_of, order_for, put_on_show
from fake_stripe import FakeStripe
from inventory.models import ProductSync
from inventory.stock import ledger
from shop.models import Product

MAX_QUERIES = 15


@pytest.fixture(autouse=True)
def empty_cache(db: None) -> None:
    cache.clear()


def page(client: Client) -> str:
    answer = client.get(reverse("admin:index"))
    assert answer.status_code == 200
    return answer.content.decode()


def section(html: str, heading: str) -> str:
    """The text of a section, by its heading."""
    [match] = re.findall(rf'<section[^>]*aria-labelledby="{heading}-heading".*?</section>', html, re.DOTALL)
    return " ".join(strip_tags(match).split())


def figures(html: str) -> list[str]:
    return [
        " ".join(strip_tags(part).split())
        for part in re.findall(r'<div class="figure">(.*?)</div>', html, re.DOTALL)
    ]


def paid_order(product: Product, *, days_ago: float = 0, total: int = 5000, **facts: Any) -> Order:
    order = Order.objects.create(
        state=Order.State.PAID,
        currency=facts.pop("currency", "usd"),
        total=total,
        paid_at=facts.pop("paid_at", timezone.now() - timedelta(days=days_ago)),
        **facts,
    )
    OrderLine.objects.create(
        order=order, position=0, product=product, item=item_of(product, "M"), name="BALM", quantity=2
    )
    return order


def test_a_paid_order_is_to_be_packed_and_counted_today(
    fake: FakeStripe, shirt: Product, customer: Customer, admin_client: Client
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)

    html = page(admin_client)

    assert section(html, "to-pack").startswith(f"To pack 1 {order.number}")
    assert "2 units, $50.00" in section(html, "to-pack")
    assert reverse("admin:checkout_order_change", args=[order.pk]) in html
    assert figures(html)[0].startswith("Today $50.00 1 order, 2 units")


def test_sales_are_added_up_by_day_and_compared_with_the_days_before(
    shirt: Product, admin_client: Client
) -> None:
    paid_order(shirt, days_ago=0)
    paid_order(shirt, days_ago=6, refunded=1000)
    paid_order(shirt, days_ago=12, total=3000)
    paid_order(shirt, days_ago=55, total=6000)
    paid_order(shirt, days_ago=61, total=100000)

    today, week, month = figures(page(admin_client))

    assert today.startswith("Today $50.00 1 order, 2 units")
    assert week.startswith("Last 7 days $90.00 2 orders, 4 units +200% on the 7 days before")
    assert month.startswith("Last 30 days $120.00 3 orders, 6 units +100% on the 30 days before")


def test_a_shop_that_has_just_opened_is_not_compared(shirt: Product, admin_client: Client) -> None:
    paid_order(shirt, days_ago=0)
    paid_order(shirt, days_ago=8)
    paid_order(shirt, days_ago=35)

    assert " on the " not in page(admin_client)


def test_a_chart_has_a_table_behind_it(shirt: Product, admin_client: Client) -> None:
    paid_order(shirt, total=5000)

    html = page(admin_client)

    assert 'role="img" aria-label="Sales by day, last 30 days: $50.00 in 1 order."' in html
    assert html.count('class="chart-bar"') == 30 and "style=" not in html
    assert re.search(r"<td>\$50.00, 1 order</td>", html) and html.count("<td>$0.00, 0 orders</td>") == 29


def test_another_currency_has_figures_of_its_own(shirt: Product, admin_client: Client) -> None:
    paid_order(shirt, total=5000)
    paid_order(shirt, total=700, currency="eur")

    shown = figures(page(admin_client))

    assert len(shown) == 6
    assert "$50.00 1 order" in shown[0] and "€7.00 1 order" in shown[3]


def test_refunded_open_and_canceled_orders_are_not_to_be_packed(shirt: Product, admin_client: Client) -> None:
    for state in (Order.State.OPEN, Order.State.CANCELED, Order.State.REFUNDED):
        Order.objects.filter(pk=paid_order(shirt).pk).update(state=state, refunded=5000)

    html = page(admin_client)

    assert "Every paid order is packed." in section(html, "to-pack")
    assert figures(html)[0].startswith("Today $0.00 1 order")


def test_sizes_that_run_low_show_how_long_they_last(
    fake: FakeStripe, shirt: Product, admin_client: Client
) -> None:
    # 15 in M, of which 9 are sold within the four weeks: 6 last 18 days, the 2 in L are low, and S was always sold out.
    ledger.sell("order:1", [ledger.SaleLine("order:1:0", item_of(shirt, "M").pk, 9)], now=timezone.now())
    assert "M 6 left" not in section(page(admin_client), "low")

    cache.clear()
    ledger.sell("order:2", [ledger.SaleLine("order:2:0", item_of(shirt, "M").pk, 4)], now=timezone.now())

    low = section(page(admin_client), "low")
    assert "Low and sold out 3 BALM T-Shirt" in low
    assert "S sold out M 2 left 4 days L 2 left" in low


def test_a_size_that_sells_fast_is_shown_before_it_is_low(
    fake: FakeStripe, admin_client: Client, db: None
) -> None:
    product = put_on_show(fake, "prod_fast", "Fast", {"sizes": "M", "stock_M": "90"})
    ledger.sell("order:1", [ledger.SaleLine("order:1:0", item_of(product, "M").pk, 70)], now=timezone.now())

    assert "M 20 left 8 days" in section(page(admin_client), "low")


def test_what_needs_attention_is_named_with_a_link(
    fake: FakeStripe, shirt: Product, admin_client: Client
) -> None:
    fake.dashboard.edit_product(shirt.pk, metadata={"stock_M": "ten"})
    deliver(fake)
    ledger.sell("order:1", [ledger.SaleLine("order:1:0", item_of(shirt, "L").pk, 5)], now=timezone.now())
    ProductSync.objects.update(pause_reason="refused", pause_detail="no")

    attention = section(page(admin_client), "attention")

    assert "oversold: prod_balm stock_L" in attention
    assert "BALM T-Shirt M is not for sale" in attention and "“ten”" in attention
    assert "Stripe rejected an update: no" in attention


def test_a_quiet_shop_says_so(fake: FakeStripe, admin_client: Client, db: None) -> None:
    html = page(admin_client)

    assert "Nothing. The shop runs by itself." in section(html, "attention")
    assert "Every size has enough." in section(html, "low")
    assert "No sales in these days." in html and "Never" in section(html, "sync")


@pytest.mark.parametrize(
    ("key", "badge"), [("sk_test_x", "Test mode"), ("sk_live_x", "Live"), ("rk_live_x", "Live"), ("", "")]
)
def test_every_page_says_whether_money_is_real(
    admin_client: Client, settings: Settings, key: str, badge: str
) -> None:
    settings.STRIPE_SECRET_KEY = key

    for name in ("admin:index", "admin:shop_product_changelist"):
        shown = re.findall(
            r'class="mode mode--\w+">\s*([\w ]+)</span>', admin_client.get(reverse(name)).content.decode()
        )
        assert shown == ([badge] if badge else [])


def test_products_lead_to_the_dashboard(fake: FakeStripe, shirt: Product, admin_client: Client) -> None:
    assert 'href="https://dashboard.stripe.com/test/products/prod_balm"' in page(admin_client)


def test_a_user_sees_only_what_is_permitted(shirt: Product, client: Client) -> None:
    paid_order(shirt, total=5000)
    packer = User.objects.create_user("packer", password="x", is_staff=True)
    packer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(packer)

    html = page(client)

    assert "To pack 1" in section(html, "to-pack")
    assert figures(html) == [] and "low-heading" not in html and "attention-heading" not in html
    assert re.findall(r"<caption>(.*?)</caption>", html) == ["Sell"]


def test_pages_are_grouped_by_work(admin_client: Client) -> None:
    html = page(admin_client)

    assert re.findall(r"<caption>(.*?)</caption>", html) == ["Sell", "Stock", "Catalog", "Look", "Plumbing"]
    assert reverse("admin:inventory_stock_grid") in html and reverse("admin:auth_user_changelist") in html


@pytest.mark.parametrize("app", ["checkout", "inventory", "shop", "auth"])
def test_the_page_of_an_app_still_opens(admin_client: Client, app: str) -> None:
    assert admin_client.get(reverse("admin:app_list", args=[app])).status_code == 200


def test_past_days_come_from_the_workers_summary_and_today_is_read(
    shirt: Product, admin_client: Client
) -> None:
    paid_order(shirt, days_ago=3, total=1000)
    write_summary(timezone.now())
    paid_order(shirt, days_ago=3, total=200)
    paid_order(shirt, total=50)

    assert figures(page(admin_client))[1].startswith("Last 7 days $10.50 2 orders")
    write_summary(timezone.now())
    cache.clear()
    assert figures(page(admin_client))[1].startswith("Last 7 days $12.50 3 orders")


def test_without_a_worker_the_page_writes_the_summary_once_it_is_old(
    shirt: Product, admin_client: Client
) -> None:
    paid_order(shirt, days_ago=3, total=1000)
    page(admin_client)
    SalesSummary.objects.update(written_at=timezone.now() - SUMMARY_AGE - timedelta(seconds=1))
    paid_order(shirt, days_ago=3, total=200)
    cache.clear()

    assert figures(page(admin_client))[1].startswith("Last 7 days $12.00 2 orders")


def test_the_summary_of_the_day_before_midnight_misses_nothing_after_it(
    shirt: Product, admin_client: Client
) -> None:
    """What was sold in the minutes between the summary and midnight is of a day that the summary does not have."""
    midnight = sales.start_of(timezone.localdate() + timedelta(days=1))
    write_summary(midnight - timedelta(minutes=2))
    paid_order(shirt, total=1000, paid_at=midnight - timedelta(minutes=1))

    found = sales.recent_sales_by_day(midnight + timedelta(minutes=1))

    assert found[timezone.localdate(midnight - timedelta(minutes=1)), "usd"].amount == 1000


def test_the_first_page_takes_few_queries_however_much_there_is(
    fake: FakeStripe, shirt: Product, client: Client
) -> None:
    owner = User.objects.create_user("owner", password="x", is_staff=True)
    owner.user_permissions.set(Permission.objects.all())
    client.force_login(owner)
    ledger.sell("order:1", [ledger.SaleLine("order:1:0", item_of(shirt, "L").pk, 5)], now=timezone.now())
    ProductSync.objects.update(pause_reason="refused")
    for number in range(20):
        paid_order(shirt, days_ago=number)

    page(client)
    cache.clear()
    with CaptureQueriesContext(connection) as cold:
        page(client)
    with CaptureQueriesContext(connection) as warm:
        page(client)

    # Once in five minutes: the pace of the sizes, and the summary of the past days.
    assert len(warm) <= MAX_QUERIES and len(cold) <= MAX_QUERIES + 2
