"""The history of a size in the admin: all movements in explain_stock's words, and the stock over time."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from config.charts import bar_chart, step_chart
from inventory import stock_history
from inventory.stock import explain, ledger
from inventory.tests.factories import Shirt


@pytest.fixture(autouse=True)
def empty_cache(db: None) -> None:
    cache.clear()


def page(client: Client, shirt: Shirt, size: str = "M", query: str = "") -> str:
    answer = client.get(reverse("admin:inventory_stockitem_history", args=[shirt.item(size).pk]) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def rows(html: str) -> list[str]:
    table = html.partition('class="movements"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(strip_tags(row).split()) for row in table.split("</tr>")[:-1]]


def test_every_movement_is_shown_with_who_why_before_and_after(admin_client: Client, shirt: Shirt) -> None:
    shirt.sell("M", 2, order="order:77")
    shirt.settle()
    ledger.receive(shirt.item("M").pk, 5, reference="form:1", reason="Delivery 14", actor="ada")

    newest, sale, opening = rows(page(admin_client, shirt))

    assert newest.endswith("received +5 13 18 Delivery 14 by ada form:1 not yet at Stripe")
    assert sale.endswith("sale −2 15 13 order:77:0 update 2, applied")
    assert opening.endswith("opening count +15 0 15 by Stripe opened:prod_shirt:stock_M –")


def test_the_words_are_those_of_explain_stock(admin_client: Client, shirt: Shirt) -> None:
    shirt.sell("M", 2, order="order:77")
    shirt.settle()
    shirt.edit(M=20)
    shirt.settle()

    html = page(admin_client, shirt, query="?explain=1")

    for line in explain.ledger_lines(shirt.item("M")):
        assert line.kind in html and line.movement.reference in html and line.status in html
    for sentence in explain.current_state(shirt.item("M")):
        assert sentence in html


def test_a_sale_leads_to_its_order_and_an_edit_to_its_events(admin_client: Client, shirt: Shirt) -> None:
    order = uuid4()
    shirt.sell("M", 2, order=f"order:{order}")
    shirt.edit(M=20)
    shirt.settle()

    html = page(admin_client, shirt)

    assert f'href="{reverse("admin:checkout_order_change", args=[order])}"' in html
    assert f'href="{reverse("admin:inventory_stripeevent_changelist")}?q=prod_shirt"' in html


def test_the_chart_shows_the_stock_over_time_and_says_its_range(admin_client: Client, shirt: Shirt) -> None:
    shirt.sell("M", 9)

    html = page(admin_client, shirt)

    assert re.search(r'role="img"\s+aria-label="Stock since [^"]+: between 0 and 15 units."', html)
    assert re.search(r'class="chart-line" d="M0 0H[\d.]+V60H100"', html)


def test_a_long_history_has_pages(admin_client: Client, shirt: Shirt) -> None:
    for number in range(120):
        ledger.receive(shirt.item("M").pk, 1, reference=f"form:{number}")

    assert len(rows(page(admin_client, shirt))) == 100
    older = rows(page(admin_client, shirt, query="?page=2"))
    assert len(older) == 21 and "opening count" in older[-1]


def test_sums_are_counted_back_from_the_count_of_today(admin_client: Client, shirt: Shirt) -> None:
    for number in range(120):
        ledger.receive(shirt.item("M").pk, 1 + number % 3, reference=f"form:{number}")
    shirt.sell("M", 4, order="order:77")
    expected = [(line.before, line.after) for line in explain.ledger_lines(shirt.item("M"))][::-1]

    shown = []
    for query in ("?page=1", "?page=2"):
        html = page(admin_client, shirt, query=query)
        shown += re.findall(r'class="number">(\d+)</td>\s*<td class="number"><strong>(\d+)<', html)

    assert [(int(before), int(after)) for before, after in shown] == expected


def test_the_history_reads_the_movements_of_its_page_and_of_the_chart_only(
    admin_client: Client, shirt: Shirt
) -> None:
    for number in range(9):
        ledger.receive(shirt.item("M").pk, 1, reference=f"form:{number}")
    page(admin_client, shirt)

    with CaptureQueriesContext(connection) as queries:
        page(admin_client, shirt)

    found = [query["sql"] for query in queries if 'FROM "inventory_movement"' in query["sql"]]
    assert len(found) == 3 and all(" LIMIT " in sql for sql in found)


def test_the_chart_of_a_long_history_begins_with_the_newest_movements(
    admin_client: Client, shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_history, "CHART_MOVEMENTS", 3)
    shirt.sell("M", 15)
    for number in range(4):
        ledger.receive(shirt.item("M").pk, 1, reference=f"form:{number}")

    html = page(admin_client, shirt)

    assert re.search(r"Stock since [^:]+: between 0 and 4 units", html) is not None


def test_the_explanation_of_the_count_is_a_link_away(admin_client: Client, shirt: Shirt) -> None:
    html = page(admin_client, shirt)

    assert 'href="?explain=1#explanation"' in html and "movements published to Stripe" not in html
    assert "movements published to Stripe" in page(admin_client, shirt, query="?explain=1")


@pytest.mark.parametrize("query", ["?page=x", "?page=-1", "?page=999999999999"])
def test_an_odd_page_number_shows_a_page(admin_client: Client, shirt: Shirt, query: str) -> None:
    assert rows(page(admin_client, shirt, query=query))


def test_names_and_reasons_are_escaped(admin_client: Client, shirt: Shirt) -> None:
    ledger.receive(shirt.item("M").pk, 1, reference="form:<b>", reason="<script>alert(1)</script>")

    html = page(admin_client, shirt)

    assert "&lt;script&gt;" in html and "<script>alert" not in html and "form:&lt;b&gt;" in html


def test_a_size_without_a_count_says_why(admin_client: Client, shirt: Shirt) -> None:
    shirt.edit(M="ten")
    shirt.settle()

    html = page(admin_client, shirt)

    assert shirt.item("M").problem and "“ten”" in html and ">unknown</span>" in html


def test_a_size_that_does_not_exist_leads_back(admin_client: Client, shirt: Shirt) -> None:
    answer = admin_client.get(reverse("admin:inventory_stockitem_history", args=["none"]))

    assert answer.status_code == 302


def test_staff_without_the_permission_are_refused(client: Client, shirt: Shirt) -> None:
    client.force_login(User.objects.create_user("packer", password="x", is_staff=True))

    address = reverse("admin:inventory_stockitem_history", args=[shirt.item("M").pk])
    assert client.get(address).status_code == 403


def test_a_long_history_takes_as_many_queries_as_a_short_one(admin_client: Client, shirt: Shirt) -> None:
    page(admin_client, shirt)
    with CaptureQueriesContext(connection) as short:
        page(admin_client, shirt)
    for number in range(30):
        ledger.receive(shirt.item("M").pk, 1, reference=f"form:{number}")
    with CaptureQueriesContext(connection) as long:
        page(admin_client, shirt)

    assert len(short) == len(long)


def test_lists_lead_to_the_history(admin_client: Client, shirt: Shirt) -> None:
    address = reverse("admin:inventory_stockitem_history", args=[shirt.item("M").pk])

    assert address in admin_client.get(reverse("admin:inventory_stockitem_changelist")).content.decode()
    assert address in admin_client.get(reverse("admin:inventory_stock_grid")).content.decode()


def test_bars_are_drawn_from_the_bottom_and_never_below_it() -> None:
    chart = bar_chart([("a", "1", 1), ("b", "4", 4), ("c", "−2", -2)])

    assert [(bar.y, bar.height) for bar in chart.bars] == [("75", "25"), ("0", "100"), ("100", "0")]
    assert chart.top == 4 and chart.marks == ["a", "b", "c"]
    assert bar_chart([]).is_empty and bar_chart([("a", "0", 0)]).is_empty


def test_steps_have_room_for_values_below_zero() -> None:
    chart = step_chart([(0, 3), (50, -1)], until=100)

    assert (chart.top, chart.bottom) == (3, -1)
    assert chart.line == "M0 0H50V100H100" and chart.area == "M0 0H50V100H100V75H0Z"
    assert step_chart([], until=100).line == ""
    assert step_chart([(5, 0)], until=5).line == "M0 100H100"
