"""Lists of the admin that only grow: what they read does not depend on the age of the shop."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.templatetags.admin_list import date_hierarchy
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from checkout.cart.cart import SESSION_KEY, Cart
from checkout.models import CustomerMail, Order, OrderLine
from config.paging import AHEAD, NearbyPaginator
from inventory.models import Movement, StockItem, StripeEvent
from inventory.stock import ledger
from shop.models import Product
from shop.templatetags.admin_dates import date_links

ORDERS, MAILS = "/admin/checkout/order/", "/admin/checkout/customermail/"
EVENTS, MOVEMENTS = "/admin/inventory/stripeevent/", "/admin/inventory/movement/"
LOG = "/admin/admin/logentry/"
START = datetime(2024, 1, 15, 12, tzinfo=UTC)


def events(number: int, **facts: Any) -> None:
    some = [
        StripeEvent(
            **{
                "id": f"evt_{place}",
                "type": "charge.refunded",
                "created_at": START,
                "livemode": False,
                "payload": {},
                "next_attempt_at": START,
                **facts,
            }
        )
        for place in range(number)
    ]
    StripeEvent.objects.bulk_create(some)


def order(at: datetime = START, **facts: Any) -> Order:
    made = Order.objects.create(currency="usd", **facts)
    Order.objects.filter(pk=made.pk).update(created_at=at)
    return made


def receive(shirt: Product, reference: str) -> None:
    ledger.receive(StockItem.objects.filter(product=shirt)[0].pk, 1, reference=reference)


def numbers(client: Client, query: str) -> list[str]:
    html = client.get(ORDERS + query).content.decode()
    return re.findall(r'class="field-number[^"]*"><a[^>]*>(\w+)</a>', html)


def about(table: str, queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if f'FROM "{table}"' in query["sql"]]


# --- Pages --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_rows_are_counted_ten_pages_ahead_of_the_page_that_is_shown() -> None:
    events(2 * AHEAD + 7)
    rows = StripeEvent.objects.order_by("pk")

    first, second, fourth = (NearbyPaginator(rows, 2, near=near) for near in ("1", "2", "4"))

    assert str(first.count) == "22+" and first.num_pages == 1 + AHEAD and first.page(1).has_next()
    assert str(second.count) == "24+"
    assert str(fourth.count) == "27" and fourth.num_pages == 14 and not fourth.page(14).has_next()


@pytest.mark.django_db
@pytest.mark.parametrize("near", [None, "", "x", "-1", "0", "9" * 40])
def test_an_odd_page_number_is_counted_for_as_well(near: str | None) -> None:
    events(3)

    assert NearbyPaginator(StripeEvent.objects.all(), 2, near=near).count == 3


def test_every_row_is_reached_by_the_numbers_below_the_list(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site.get_model_admin(StripeEvent), "list_per_page", 2)
    events(51)

    seen, page = set(), 1
    while page:
        html = admin_client.get(f"{EVENTS}?p={page}").content.decode()
        seen |= set(re.findall(r'field-id">(evt_\d+)<', html))
        numbers = [int(number) for number in re.findall(r'href="\?p=(\d+)"', html)]
        count = re.search(r"(\d+\+?)\s+Stripe events", html)
        assert count and count[1] == (f"{2 * (page + AHEAD)}+" if page + AHEAD < 26 else "51")
        page = page + 1 if page + 1 in numbers else 0

    assert len(seen) == 51


def test_actions_on_all_rows_do_not_name_a_number_that_is_too_small(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site.get_model_admin(StripeEvent), "list_per_page", 2)
    events(51)

    html = admin_client.get(EVENTS).content.decode()

    assert "Select all 22+ Stripe events" in html and "All 22+ selected" in html


def test_the_number_of_results_is_shown_beside_a_search_only(admin_client: Client) -> None:
    events(3)

    whole, found = (admin_client.get(EVENTS + query).content.decode() for query in ("", "?q=evt"))

    assert "3 results" in found and "3 results" not in whole and 'name="action"' in whole


def test_an_empty_list_has_no_actions(admin_client: Client) -> None:
    assert 'name="action"' not in admin_client.get(EVENTS).content.decode()


@pytest.mark.parametrize("address", [ORDERS, MAILS, EVENTS, MOVEMENTS, LOG])
def test_a_list_reads_no_more_than_its_page_and_counts_no_further_than_it_has_to(
    admin_client: Client, shirt: Product, address: str
) -> None:
    tables = {
        ORDERS: "checkout_order",
        MAILS: "checkout_customermail",
        EVENTS: "inventory_stripeevent",
        MOVEMENTS: "inventory_movement",
        LOG: "django_admin_log",
    }
    receive(shirt, "form:1")

    with CaptureQueriesContext(connection) as queries:
        assert admin_client.get(address).status_code == 200

    found = about(tables[address], queries)
    counts = [sql for sql in found if sql.startswith("SELECT COUNT") and "packed_at" not in sql]
    assert len(counts) == 1 and " LIMIT " in counts[0]
    assert not [sql for sql in found if re.search(r"\bMIN\(|\bMAX\(|DISTINCT|trunc", sql, re.IGNORECASE)]


@pytest.mark.parametrize("query", ["", "?state__exact=refunded", "?created_at__year=2024", "?p=2"])
def test_a_list_of_many_orders_takes_as_many_queries_as_one_of_few(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr(admin.site.get_model_admin(Order), "list_per_page", 2)
    taken = []
    for _time in range(2):
        for _order in range(6):
            order(state="refunded", refunded=1)
        admin_client.get(ORDERS + query)
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(ORDERS + query).status_code == 200
        taken.append(len(queries))

    assert taken[0] == taken[1]


# --- Indexes ------------------------------------------------------------------------------------


OTHERS = 300  # rows of each table, of which PostgreSQL's statistics tell


def fill(shirt: Product) -> None:
    """Rows that no filter and no search of the test below is about."""
    numbers, item = range(OTHERS), StockItem.objects.filter(product=shirt)[0]
    Order.objects.bulk_create(
        Order(
            currency="usd",
            state="paid",
            email=f"c{number}@shop.test",
            session_id=f"cs_old_{number}",
            payment_intent_id=f"pi_old_{number}",
            cart_token=f"cart{number}",
        )
        for number in numbers
    )
    StripeEvent.objects.bulk_create(
        StripeEvent(
            id=f"evt_old_{number}",
            type="product.updated",
            object_id=f"prod_{number}",
            state="handled",
            created_at=START,
            livemode=False,
            payload={},
            next_attempt_at=START,
        )
        for number in numbers
    )
    CustomerMail.objects.bulk_create(
        CustomerMail(
            kind="order_confirmed",
            reference=f"old:{number}",
            to=f"c{number}@shop.test",
            state="sent",
            language="en",
        )
        for number in numbers
    )
    Movement.objects.bulk_create(
        Movement(item=item, kind="received", delta=1, reference=f"old:{number}") for number in numbers
    )


def plans(table: str, sqls: list[str]) -> str:
    """How the database finds the rows of these queries. PostgreSQL would read a table as small as a test's as a whole."""
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    lines = []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {table}")
            cursor.execute("SET LOCAL enable_seqscan = off")
        for sql in sqls:
            cursor.execute(f"{explain} {sql}")
            lines += [" ".join(map(str, row)) for row in cursor.fetchall()]
    return "\n".join(lines)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "table", "index"),
    [
        (ORDERS, "checkout_order", "orders_by_time"),
        (f"{ORDERS}?created_at__year=2024", "checkout_order", "orders_by_time"),
        (f"{ORDERS}?state__exact=open", "checkout_order", "open_orders"),
        (f"{ORDERS}?state__exact=awaiting", "checkout_order", "orders_awaiting_payment"),
        (f"{ORDERS}?state__exact=refunded", "checkout_order", "orders_refunded_in_full"),
        (f"{ORDERS}?is_external__exact=1", "checkout_order", "external_orders"),
        (f"{ORDERS}?work=refunded", "checkout_order", "refunded_orders"),
        (f"{ORDERS}?q=ada@shop.test", "checkout_order", "orders_of_an_email"),
        (f"{ORDERS}?q=pi_1", "checkout_order", "order_of_a_payment"),
        (f"{MAILS}?state__exact=failed", "checkout_customermail", "mails_in_a_state"),
        (f"{MAILS}?q=ada@shop.test", "checkout_customermail", "mails_to_an_address"),
        (EVENTS, "inventory_stripeevent", "events_by_time"),
        (f"{EVENTS}?type=charge.refunded", "inventory_stripeevent", "events_by_time_and_type"),
        (f"{EVENTS}?state__exact=failed", "inventory_stripeevent", "events_that_failed"),
        (f"{EVENTS}?q=cs_1", "inventory_stripeevent", "events_about_an_object"),
        (f"{MOVEMENTS}?q=form:1", "inventory_movement", "a_movement_is_counted_once"),
    ],
)
def test_a_list_finds_its_rows_by_an_index(
    admin_client: Client, shirt: Product, address: str, table: str, index: str
) -> None:
    fill(shirt)
    order(state="paid", email="Ada@shop.test", payment_intent_id="pi_1")
    events(1, object_id="cs_1")
    CustomerMail.objects.create(kind="order_confirmed", reference="1", to="ada@shop.test", language="en")
    receive(shirt, "form:1")
    with CaptureQueriesContext(connection) as queries:
        assert admin_client.get(address).status_code == 200

    rows = [sql for sql in about(table, queries) if " ORDER BY " in sql and f'"{table}"."id"' in sql]
    plan = plans(table, rows)

    # SQLite names the index of a constraint after the table.
    assert index in plan or (index.startswith("a_") and "sqlite_autoindex" in plan)
    assert not re.search(rf"Seq Scan on {table}\b|SCAN {table}(?! USING)", plan)
    assert "TEMP B-TREE FOR ORDER BY" not in plan or "?q=" in address


# --- Search -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "{number}", "{lower}", "{id}", "{hex}", "ADA@shop.test", "ada@", "lovel", "Ada Lovelace", "cs_1", "cs_", "pi_1",
        "i_1", "1Z99", "Poster",
    ],
)  # fmt: skip
def test_an_old_order_is_found_by_whatever_the_owner_has(admin_client: Client, text: str) -> None:
    old = order(
        email="ada@shop.test", name="Ada Lovelace", session_id="cs_1", payment_intent_id="pi_1", tracking_number="1Z99"
    )  # fmt: skip
    OrderLine.objects.create(order=old, position=0, name="Poster", quantity=1)
    order(email="b@shop.test", name="B")
    known = {"number": old.number, "lower": old.number.lower(), "id": str(old.pk), "hex": old.pk.hex}

    assert numbers(admin_client, f"?q={text.format(**known)}") == [old.number]


@pytest.mark.django_db
def test_a_text_that_looks_like_a_number_is_searched_for_everywhere(admin_client: Client) -> None:
    old = order(name="Deadbeef", tracking_number="12345678")

    assert numbers(admin_client, "?q=deadbeef") == numbers(admin_client, "?q=12345678") == [old.number]


def test_a_search_keeps_to_the_filter(admin_client: Client) -> None:
    order(email="ada@shop.test", state="paid")

    assert numbers(admin_client, "?q=ada@shop.test&state__exact=refunded") == []


def test_the_movements_of_an_order_are_found_by_its_reference(admin_client: Client, shirt: Product) -> None:
    receive(shirt, "order:77:0")
    receive(shirt, "order:778:0")

    html = admin_client.get(f"{MOVEMENTS}?q=order:77").content.decode()

    assert "order:77:0" in html and "order:778:0" not in html


def test_the_filter_of_events_names_the_types_that_the_shop_asks_for(admin_client: Client) -> None:
    events(1, type="charge.refunded")

    html = admin_client.get(f"{EVENTS}?type=charge.refunded").content.decode()

    assert 'href="?type=product.updated"' in html and "evt_0" in html
    assert "evt_0" not in admin_client.get(f"{EVENTS}?type=product.updated").content.decode()


# --- Years, months and days -----------------------------------------------------------------------


def changelist(query: str) -> Any:
    request: HttpRequest = RequestFactory().get(ORDERS + query)
    request.user = User(is_staff=True, is_superuser=True)
    return admin.site.get_model_admin(Order).get_changelist_instance(request)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?created_at__year=2024",
        "?created_at__year=2025&created_at__month=2",
        "?created_at__year=2025&created_at__month=2&created_at__day=3",
        "?created_at__year=2024&q=ada",
    ],
)
@pytest.mark.parametrize("days", [0, 20, 200, 500])
def test_the_links_to_years_months_and_days_are_those_of_django(query: str, days: int) -> None:
    for day in range(days + 1):
        order(at=START + timedelta(days=day), name="Ada")
    cl = changelist(query)
    if not cl.queryset.exists():
        return

    shown, expected = date_links(cl), date_hierarchy(cl) or {}

    titles = [(row["title"], row.get("link") or "") for row in expected["choices"]]
    assert [(row["title"], row["link"]) for row in shown["choices"]] == titles
    assert shown["back"] == expected["back"]


@pytest.mark.django_db
def test_a_list_without_rows_has_no_links_to_years(admin_client: Client) -> None:
    assert date_links(changelist(""))["choices"] == []
    assert admin_client.get(ORDERS).status_code == 200


def test_the_filters_of_the_log_offer_who_and_what_it_names(admin_client: Client) -> None:
    named = [User.objects.get(), User.objects.create_user("packer")]
    other = User.objects.create_user("other")
    kinds = [ContentType.objects.get_for_model(model) for model in (Order, StockItem)]
    for user, kind in zip(named, kinds, strict=True):
        LogEntry.objects.create(user=user, content_type=kind, object_repr="x", action_flag=CHANGE)

    html = admin_client.get(reverse("admin:admin_logentry_changelist")).content.decode()

    assert all(f'"?user__id__exact={user.pk}"' in html for user in named)
    assert f'"?user__id__exact={other.pk}"' not in html
    assert set(re.findall(r"content_type__id__exact=(\d+)", html)) == {str(kind.pk) for kind in kinds}


# --- Orders of one cart, one payment ---------------------------------------------------------------


def test_the_orders_of_a_cart_and_of_a_payment_are_found_by_an_index(shirt: Product) -> None:
    fill(shirt)
    request: Any = RequestFactory().get("/")
    request.session = {SESSION_KEY: {"token": "token"}}
    cart = Cart(request)
    with CaptureQueriesContext(connection) as queries:
        Order.objects.of_cart("token").exclude(state=Order.State.CANCELED).first()
        Order.objects.of_payment("pi_1").first()
        assert not cart.own_reserved

    of_cart, of_payment = about("checkout_order", queries)
    [lines_of_cart] = about("checkout_orderline", queries)

    for sql, index in [
        (of_cart, "orders_of_a_cart"),
        (of_payment, "order_of_a_payment"),
        (lines_of_cart, "orders_of_a_cart"),
    ]:
        assert index in plans("checkout_order", [sql])


@pytest.mark.django_db
def test_no_token_and_no_payment_is_that_of_no_order() -> None:
    order(is_external=True)

    assert not Order.objects.of_cart("").exists() and not Order.objects.of_payment("").exists()
