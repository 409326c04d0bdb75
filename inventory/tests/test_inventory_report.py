"""manage.py inventory_report: table, CSV, JSON, mail, exit codes, and what differs from Stripe."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries

from inventory.models import StockItem
from inventory.tests.factories import Shirt
from shop.models import Product


def report(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("inventory_report", *arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_the_table_marks_low_and_sold_out_sizes_in_words(new_shirt: Callable[..., Shirt]) -> None:
    new_shirt(S=10, M=3, L=0).sync()

    table, _err = report()

    assert table.splitlines() == [
        "BALM T-Shirt  prod_shirt",
        "  S 10   M 3 low   L 0 out",
        "1 products, 3 sizes, 13 units worth $325.00; 1 low, 1 out of stock.",
    ]


def test_csv_has_the_columns_of_the_replaced_shop(new_shirt: Callable[..., Shirt]) -> None:
    new_shirt(S=10, M=5, L=0).sync()

    text, _err = report("--csv")

    assert text == (
        "Product ID,Product Name,Price,Size,Stock,Status\n"
        'prod_shirt,"BALM T-Shirt",25.00,S,10,IN STOCK\n'
        'prod_shirt,"BALM T-Shirt",25.00,M,5,LOW STOCK\n'
        'prod_shirt,"BALM T-Shirt",25.00,L,0,OUT OF STOCK\n'
    )


def test_csv_says_what_is_not_tracked_or_unreadable(new_shirt: Callable[..., Shirt]) -> None:
    new_shirt(S="unlimited", M="ten").sync()

    assert [row[4:] for row in cells(report("--csv")[0])[1:]] == [["", "NOT TRACKED"], ["", "UNREADABLE"]]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('The "Big" shirt, blue', 'The "Big" shirt, blue'),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("Hemd ×2", "Hemd ×2"),
    ],
)
def test_csv_keeps_any_name_and_runs_no_formula(shirt: Shirt, name: str, cell: str) -> None:
    Product.objects.update(name=name)

    text, _err = report("--csv")

    assert {row[1] for row in cells(text)[1:]} == {cell}
    assert "\r" not in text and not text.startswith("\ufeff")


def test_units_on_their_way_to_stripe_are_in_the_report(shirt: Shirt) -> None:
    shirt.sell("M", 2)

    assert cells(report("--csv", "--product", "prod_shirt")[0])[2][4] == "13"


def test_json_has_rows_and_totals(shirt: Shirt) -> None:
    shirt.sell("M", 2)

    shown = json.loads(report("--json")[0])

    assert [row["units"] for row in shown["rows"]] == [10, 13, 5]
    assert shown["rows"][1] == {
        "product_id": "prod_shirt",
        "name": "BALM T-Shirt",
        "size": "M",
        "metadata_key": "stock_M",
        "units": 13,
        "held": 0,
        "on_its_way": -2,
        "price": "25.00",
        "currency": "usd",
        "status": "IN STOCK",
    }
    assert shown["totals"] == {"products": 1, "sizes": 3, "units": 28, "low": 1, "out": 0, "value": 70000}


def test_only_low_sizes_can_be_shown(shirt: Shirt) -> None:
    assert [row[3] for row in cells(report("--csv", "--low")[0])[1:]] == ["L"]


@pytest.mark.parametrize("name", ["prod_shirt", "balm t-shirt"])
def test_one_product_is_found_by_id_or_name(new_shirt: Callable[..., Shirt], name: str) -> None:
    new_shirt(S=10).sync()
    other = new_shirt("prod_other", S=1)
    other.fake.dashboard.edit_product("prod_other", name="Other")
    other.sync()

    assert {row[0] for row in cells(report("--csv", "--product", name)[0])[1:]} == {"prod_shirt"}


def test_an_unknown_product_is_an_error(shirt: Shirt) -> None:
    with pytest.raises(CommandError, match="There is no product “prod_x”"):
        report("--product", "prod_x")


def test_cron_learns_of_low_stock_from_the_exit_code(shirt: Shirt) -> None:
    with pytest.raises(CommandError, match="1 low and 0 out of stock"):
        report("--fail-on-low")

    StockItem.objects.filter(size="L").update(on_hand=6)
    report("--fail-on-low")


def test_live_names_counts_that_differ_from_stripe(shirt: Shirt) -> None:
    shirt.sell("S", 1)
    shirt.edit(M=9, L="five")

    _out, err = report("--live")

    assert err.splitlines() == [
        "BALM T-Shirt (prod_shirt), stock_M: Stripe has 9, this shop 15.",
        "BALM T-Shirt (prod_shirt), stock_L: Stripe has no valid count, this shop 5.",
    ]


def test_live_without_an_answer_is_an_error(shirt: Shirt) -> None:
    shirt.fake.faults.add("error_500", path="/v1/prices", when="before", times=None)

    with pytest.raises(CommandError):
        report("--live")


def test_the_report_is_mailed_with_the_csv(shirt: Shirt, settings: pytest.FixtureRequest) -> None:
    settings.OWNER_EMAILS = ["owner@example.com", "Ada <ada@example.com>"]  # type: ignore[attr-defined]

    out, _err = report("--email")

    [sent] = mail.outbox
    assert out == "Sent to owner@example.com, Ada <ada@example.com>.\n"
    assert sent.to == ["owner@example.com", "Ada <ada@example.com>"]
    assert "S 10   M 15   L 5 low" in sent.body
    name, content, _kind = sent.attachments[0]
    assert name == "stock.csv" and cells(str(content))[2][4] == "15"


def test_without_a_recipient_nothing_is_mailed(shirt: Shirt, settings: pytest.FixtureRequest) -> None:
    settings.OWNER_EMAILS = []  # type: ignore[attr-defined]

    with pytest.raises(CommandError, match="OWNER_EMAIL is not set"):
        report("--email")
    assert mail.outbox == []


def test_control_characters_in_a_name_do_not_reach_the_terminal(shirt: Shirt) -> None:
    Product.objects.update(name="Shirt\x1b[2J")

    assert "\x1b" not in report()[0]


def test_the_report_takes_two_queries_however_many_products(
    new_shirt: Callable[..., Shirt], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        new_shirt(f"prod_{number}", S=1, M=2).sync()

    with django_assert_num_queries(2):
        report("--csv")


def test_the_value_is_that_of_the_units_in_stock(shirt: Shirt) -> None:
    shown = json.loads(report("--json")[0])

    assert Decimal(shown["totals"]["value"]) == (10 + 15 + 5) * 2500
