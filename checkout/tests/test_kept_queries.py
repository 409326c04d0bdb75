"""A kept query answers as its queryset does, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet, Sum
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from checkout.models import Order
from config import kept_queries
from config.kept_queries import KeptQuery, any_rows, count_rows

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def orders() -> list[Order]:
    """Three orders over 10, 20 and 30, an hour apart; the last one has an address."""
    return [
        Order.objects.create(
            total=1000 * number,
            paid_at=NOON + timedelta(hours=number),
            email=f"{number}@example.com",
            address={"city": "Berlin"} if number == 3 else {},
        )
        for number in (1, 2, 3)
    ]


BY_KEY = KeptQuery(lambda key: Order.objects.filter(pk=key))
SINCE = KeptQuery(
    lambda moment, least: Order.objects.filter(paid_at__gte=moment, total__gte=least).order_by("-total")
)


def test_a_row_has_all_its_fields_as_from_the_queryset(orders: list[Order]) -> None:
    for order in orders:
        expected = Order.objects.get(pk=order.pk)
        kept = BY_KEY.get(order.pk)
        assert {field.attname: getattr(kept, field.attname) for field in Order._meta.concrete_fields} == {
            field.attname: getattr(expected, field.attname) for field in Order._meta.concrete_fields
        }
        kept.name = "Ada"
        kept.save()
        assert Order.objects.get(pk=order.pk).name == "Ada"


def test_its_rows_are_those_of_the_values_in_its_order(orders: list[Order]) -> None:
    _first, second, third = orders

    assert SINCE.all(NOON, 0) == orders[::-1]
    assert SINCE.all(NOON + timedelta(hours=2), 2000) == [third, second]
    assert SINCE.first(NOON, 0) == third and SINCE.first(NOON, 9000) is None
    assert (SINCE.exists(NOON, 3000), SINCE.exists(NOON, 3001)) == (True, False)
    assert (SINCE.count(NOON, 2000), SINCE.count(NOON, 3001)) == (2, 0)


def test_exactly_one_row_is_got(orders: list[Order]) -> None:
    with pytest.raises(Order.DoesNotExist):
        BY_KEY.get(uuid4())
    with pytest.raises(Order.MultipleObjectsReturned):
        SINCE.get(NOON, 0)


def test_values_are_tuples(orders: list[Order]) -> None:
    total = KeptQuery(
        lambda least: Order.objects.filter(total__gte=least).values_list("state").annotate(Sum("total"))
    )

    assert total.all(2000) == [("open", 5000)]


def test_some_fields_are_enough(orders: list[Order], django_assert_num_queries: object) -> None:
    only = KeptQuery(lambda key: Order.objects.filter(pk=key).only("email"))
    order = only.get(orders[0].pk)

    assert order.get_deferred_fields() >= {"total"} and order.email == "1@example.com" and order.total == 1000


def test_its_sql_is_built_once_and_never_holds_a_value(orders: list[Order]) -> None:
    calls = []

    def build(email: object) -> QuerySet[Order, Order]:
        calls.append(email)
        return Order.objects.filter(email=email)

    kept = KeptQuery(build)
    for email in ("1@example.com", "2@example.com", "'; DROP TABLE checkout_order; --"):
        with CaptureQueriesContext(connection) as captured:
            kept.all(email)
        assert len(captured) == 1
    assert len(calls) == 1
    assert Order.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_rows_are_locked_only_in_a_transaction() -> None:
    order = Order.objects.create()
    locked = KeptQuery(lambda key: Order.objects.filter(pk=key).select_for_update())

    with pytest.raises(TransactionManagementError):
        locked.get(order.pk)
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        assert locked.get(order.pk) == order
    assert ("FOR UPDATE" in captured[0]["sql"]) == (connection.vendor == "postgresql")


def test_related_rows_are_refused() -> None:
    from checkout.models import OrderLine

    with pytest.raises(ValueError, match="own fields only"):
        KeptQuery(lambda: OrderLine.objects.select_related("order")).all()


def paid(state: str = Order.State.PAID) -> QuerySet[Order]:
    return Order.objects.filter(state=state).order_by("-paid_at")


def test_rows_are_asked_for_and_counted_without_parameters(orders: list[Order]) -> None:
    assert (any_rows(paid), count_rows(paid)) == (False, 0)
    Order.objects.filter(total__gte=2000).update(state=Order.State.PAID)
    assert (any_rows(paid), count_rows(paid)) == (True, 2)
    assert kept_queries._kept(paid) is kept_queries._kept(paid)
