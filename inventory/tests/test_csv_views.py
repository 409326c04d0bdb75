"""CSV out of and into the admin: formula-safe downloads, a preview that writes nothing, and a confirmation."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.csv_files import Table
from inventory.models import Movement, StockItem
from inventory.reports.csv_export import csv_lines
from inventory.stock import files
from inventory.stock.changes import Verb
from inventory.tests.factories import Shirt
from shop.models import Product
from shop.tests.factories import LONG_AGO

URL = "/admin/inventory/stockitem/file/"
STOCK, SHEET = "/admin/inventory/stockitem/stock.csv", "/admin/inventory/stockitem/count-sheet.csv"
MOVEMENTS = "/admin/inventory/movement/movements.csv"


@pytest.fixture
def owner(admin_client: Client) -> Client:
    return admin_client


def units(shirt: Shirt) -> list[int]:
    items = [shirt.item(size) for size in ("S", "M", "L")]
    return [(item.on_hand or 0) + item.pending for item in items]


def chosen(text: str, mode: str = "receive", encoding: str = "utf-8") -> dict[str, Any]:
    return {
        "file": SimpleUploadedFile("delivery.csv", text.encode(encoding)),
        "mode": mode,
        "reason": "Delivery 14",
    }


def preview(client: Client, text: str, mode: str = "receive", **options: Any) -> str:
    """The page after a file was chosen; asserts that it changed nothing."""
    before = list(StockItem.objects.values_list("pk", "pending")), Movement.objects.count()
    answer = client.post(URL, chosen(text, mode, **options))
    assert answer.status_code == 200
    assert before == (list(StockItem.objects.values_list("pk", "pending")), Movement.objects.count())
    return unescape(answer.content.decode())


def seen(html: str) -> dict[str, str]:
    [value] = re.findall(r'name="seen" value="([^"]+)"', html)
    return {"seen": str(value)}


def cells(html: str) -> list[tuple[str, ...]]:
    """Line, size, was, will be of each row of the preview."""
    row = r"<tr>\s*<td>(.*?)</td>\s*<th scope=\"row\">(.*?)</th>\s*<td>(.*?)</td>\s*<td>(.*?)</td>"
    return re.findall(row, html, re.DOTALL)


def download(client: Client, url: str) -> list[list[str]]:
    answer = client.get(url)
    assert answer.status_code == 200 and answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.streaming and "attachment" in answer["Content-Disposition"]
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))  # type: ignore[attr-defined]


# --- In -----------------------------------------------------------------------------------------


def test_a_file_is_shown_before_it_is_added(owner: Client, shirt: Shirt) -> None:
    html = preview(owner, "product,size,quantity\nprod_shirt,M,12\nBALM T-Shirt,l,6\nprod_shirt,S,\n")
    assert cells(html) == [("2", "BALM T-Shirt M", "15", "27"), ("3", "BALM T-Shirt L", "5", "11")]
    assert "confirmed: 2; units: +18." in html and "stay as they are: 1." in html

    answer = owner.post(URL, seen(html), follow=True)

    assert "2 counts changed." in answer.content.decode()
    assert units(shirt) == [10, 27, 11]
    movement = shirt.item("M").movements.latest("id")
    assert (movement.kind, movement.reason, movement.actor) == ("received", "Delivery 14", "admin")
    shirt.settle()
    assert (shirt.at_stripe("M"), shirt.at_stripe("L")) == ("27", "11")


def test_a_file_sets_counts(owner: Client, shirt: Shirt) -> None:
    html = preview(owner, "sku;size;count\nprod_shirt;S;8\nprod_shirt;L;0\n", "count")

    owner.post(URL, seen(html))

    assert units(shirt) == [8, 15, 0]
    assert shirt.movements("L", "counted") == [-5]


@pytest.mark.parametrize("mode", ["receive", "count"])
def test_counts_that_moved_since_the_preview_are_refused_and_shown_again(
    owner: Client, shirt: Shirt, mode: str
) -> None:
    html = preview(owner, "product,size,quantity\nprod_shirt,S,8\nprod_shirt,M,14\n", mode)
    shirt.sell("M", 2)

    answer = owner.post(URL, seen(html))

    again = unescape(answer.content.decode())
    assert "BALM T-Shirt M was 15, and is 13 now." in again
    assert units(shirt) == [10, 13, 5]
    assert ("–", "BALM T-Shirt M", "13", "27" if mode == "receive" else "14") in cells(again)

    owner.post(URL, seen(again))
    assert units(shirt) == ([18, 27, 5] if mode == "receive" else [8, 14, 5])


def test_a_second_click_counts_nothing(owner: Client, shirt: Shirt) -> None:
    form = seen(preview(owner, "product,size,quantity\nprod_shirt,M,12\n"))
    owner.post(URL, form)

    answer = owner.post(URL, form, follow=True)

    assert "Nothing changed: this file was saved before" in answer.content.decode()
    assert units(shirt) == [10, 27, 5]


def test_a_confirmation_works_on_another_web_machine_without_a_session_of_the_preview(
    owner: Client, shirt: Shirt, admin_user: User
) -> None:
    html = preview(owner, "product,size,quantity\nprod_shirt,M,12\n")
    other = Client()
    other.force_login(admin_user)

    other.post(URL, seen(html))

    assert units(shirt) == [10, 27, 5]


def test_a_preview_only_reads(owner: Client, shirt: Shirt) -> None:
    with CaptureQueriesContext(connection) as queries:
        preview(owner, "product,size,quantity\nprod_shirt,M,12\n")

    statements = [query["sql"].strip(" \n(") for query in queries.captured_queries]
    # DECLARE is a cursor of PostgreSQL for a SELECT.
    writes = [sql for sql in statements if not sql.startswith(("SELECT", "DECLARE"))]
    assert not writes, "it would wait for a write lock"
    assert not [sql for sql in statements if "FOR UPDATE" in sql]


def test_a_changed_or_foreign_or_old_preview_is_refused(
    owner: Client, shirt: Shirt, django_user_model: Any
) -> None:
    form = seen(preview(owner, "product,size,quantity\nprod_shirt,M,12\n"))
    colleague = Client()
    colleague.force_login(django_user_model.objects.create_superuser("colleague"))

    for client, value in ((owner, form["seen"][:-2] + "xx"), (owner, ""), (colleague, form["seen"])):
        answer = client.post(URL, {"seen": value}, follow=True)
        assert "The preview is too old, or not yours." in answer.content.decode()
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        owner.force_login(User.objects.get(username="admin"))
        answer = owner.post(URL, form, follow=True)
        assert "The preview is too old, or not yours." in answer.content.decode()
    assert units(shirt) == [10, 15, 5]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("prod_x,M,1", "Line 2: There is no product “prod_x”."),
        ("prod_shirt,XL,1", "Line 2: BALM T-Shirt has no size “XL”; it has S, M, L."),
        ("prod_shirt,,1", "Line 2: BALM T-Shirt comes in sizes. Say which: S, M, L."),
        ("prod_shirt,M,-3", "Line 2: “-3” is not a whole number of units."),
        ("prod_shirt,M,1.5", "Line 2: “1.5” is not a whole number of units."),
        ("prod_shirt,M,=1+1", "Line 2: “=1+1” is not a whole number of units."),
        ("prod_shirt,M,9999999", "Line 2: 9999999 is more than 999999"),
        ("prod_shirt,M,999990", "Line 2: BALM T-Shirt M: a count has six digits at most."),
        ("prod_shirt,M,0", "Line 2: BALM T-Shirt M: 0 units change nothing."),
        ("prod_shirt,M,1\nprod_shirt,m,2", "Line 3: BALM T-Shirt M is in line 2 already."),
        ("prod_shirt,M", "Line 2 of delivery.csv has 2 cells, but the first line has 3."),
        ("<b>,M,1", "Line 2: There is no product “<b>”."),
    ],
)
def test_every_bad_line_is_named_and_nothing_can_be_confirmed(
    owner: Client, shirt: Shirt, lines: str, sentence: str
) -> None:
    html = preview(owner, f"product,size,quantity\n{lines}\nprod_shirt,S,1\n")

    assert sentence in html and 'name="seen"' not in html
    assert "Correct these lines and choose the file again." in html


@pytest.mark.parametrize(
    ("text", "encoding", "sentence"),
    [
        ("", "utf-8", "delivery.csv is empty."),
        ("product,size,quantity\n", "utf-8", "has no line below the column names"),
        ("a,b\n1,2\n", "utf-8", "delivery.csv has no column “product”"),
        ("product,size,quantity\nprod_shirt,M,1\n", "utf-16", "Save it as “CSV UTF-8”."),
        ("product,size,quantity\nä,M,1\n", "latin-1", "is not UTF-8 text"),
        ('product,size,quantity\n"x', "utf-8", "cannot be read as CSV"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    owner: Client, shirt: Shirt, text: str, encoding: str, sentence: str
) -> None:
    assert sentence in preview(owner, text, encoding=encoding)


def test_a_form_without_a_file_says_so(owner: Client, shirt: Shirt) -> None:
    answer = owner.post(URL, {"mode": "receive", "reason": "r"})

    assert answer.status_code == 200 and "This field is required." in answer.content.decode()


def test_what_is_not_counted_is_named(owner: Client, new_shirt: Callable[..., Shirt]) -> None:
    new_shirt(S="unlimited", M="ten").sync()

    html = preview(owner, "product,size,quantity\nprod_shirt,S,1\nprod_shirt,M,1\n")

    assert "Line 2: BALM T-Shirt S is sold without counting." in html
    assert "Line 3: BALM T-Shirt M has no valid count. Enter the number at Stripe, as stock_M." in html


def test_the_count_sheet_leaves_out_what_was_sold_since_it_was_made(owner: Client, shirt: Shirt) -> None:
    sheet = download(owner, SHEET)
    assert sheet == [
        ["Product ID", "Product Name", "Size", "Was", "Count"],
        ["prod_shirt", "BALM T-Shirt", "S", "10", ""],
        ["prod_shirt", "BALM T-Shirt", "M", "15", ""],
        ["prod_shirt", "BALM T-Shirt", "L", "5", ""],
    ]
    shirt.sell("M", 2)
    sheet[1][4], sheet[2][4] = "9", "15"

    html = preview(owner, "\n".join(",".join(row) for row in sheet), "count")

    assert "Line 3: BALM T-Shirt M is left out: it was 15 when the file was made, and is 13 now." in html
    assert cells(html) == [("2", "BALM T-Shirt S", "10", "9")]
    owner.post(URL, seen(html))
    assert units(shirt) == [9, 13, 5]


def test_only_those_who_may_change_stock_see_the_page(client: Client, shirt: Shirt) -> None:
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_stockitem"))
    client.force_login(user)

    assert client.get(URL).status_code == 403
    assert client.post(URL, chosen("product,size,quantity\nprod_shirt,M,1\n")).status_code == 403
    assert client.get(STOCK).status_code == 200
    assert client.get(MOVEMENTS).status_code == 403
    assert Client().get(STOCK).status_code == 302


# --- Out ----------------------------------------------------------------------------------------


def test_stock_and_movements_are_downloaded(owner: Client, shirt: Shirt) -> None:
    shirt.sell("M", 2, order="order:x")

    assert download(owner, STOCK)[2] == ["prod_shirt", "BALM T-Shirt", "25.00", "M", "13", "IN STOCK"]
    rows = download(owner, MOVEMENTS)
    assert rows[0][:6] == ["When", "Product ID", "Product Name", "Size", "Kind", "Difference"]
    assert [row[1:6] for row in rows[1:]][-1] == ["prod_shirt", "BALM T-Shirt", "M", "sale", "-2"]
    assert rows[-1][8] == "order:x:0" and rows[-1][9] == ""


def test_a_download_has_the_filters_of_the_list(owner: Client, shirt: Shirt) -> None:
    shirt.sell("M", 2)

    page = owner.get("/admin/inventory/movement/?kind__exact=sale").content.decode()
    assert f'href="{MOVEMENTS}?kind__exact=sale"' in page
    assert [row[4] for row in download(owner, f"{MOVEMENTS}?kind__exact=sale")[1:]] == ["sale"]
    assert len(download(owner, f"{MOVEMENTS}?nonsense=1")) > 2


def test_formulas_in_names_and_reasons_are_defused(owner: Client, shirt: Shirt) -> None:
    Product.objects.update(name='=cmd|"x"')
    shirt.sell("M")
    Movement.objects.filter(kind="sale").first()

    assert {row[1] for row in download(owner, STOCK)[1:]} == {'\'=cmd|"x"'}
    assert {row[2] for row in download(owner, MOVEMENTS)[1:]} == {'\'=cmd|"x"'}
    sheet = download(owner, SHEET)
    assert {row[1] for row in sheet[1:]} == {'\'=cmd|"x"'}


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    [_header, line] = csv_lines(["a"], [[text]])

    assert next(csv.reader(io.StringIO(line, newline=""))) == [f"'{text}"]


def test_numbers_stay_numbers() -> None:
    assert list(csv_lines(["a", "b"], [[-2, None]])) == ["a,b\n", "-2,\n"]


# --- Large files --------------------------------------------------------------------------------


def stocked(products: int, sizes: int) -> None:
    rows = [
        Product(id=f"prod_{n}", name=f"Item {n}", active=True, created_at=LONG_AGO, fetched_at=LONG_AGO)
        for n in range(products)
    ]
    Product.objects.bulk_create(rows)
    items = (
        StockItem(
            product=row,
            key=f"stock_{size}",
            catalog_id=f"{row.id}-{size}",
            size=str(size),
            position=size,
            state="counted",
            on_hand=5,
        )
        for row in rows
        for size in range(sizes)
    )
    StockItem.objects.bulk_create(items, batch_size=2000)


def large_file(products: int, sizes: int) -> bytes:
    lines = (f"prod_{n},{size},3\n" for n in range(products) for size in range(sizes))
    return ("product,size,quantity\n" + "".join(lines)).encode()


def test_a_large_file_takes_few_statements(owner: Client, db: None) -> None:
    """The figures of 10,000 lines are those of `python -m benchmarks.files`."""
    stocked(125, 8)

    form = seen(preview(owner, large_file(125, 8).decode()))
    with CaptureQueriesContext(connection) as queries:
        answer = owner.post(URL, form, follow=True)

    assert "1000 counts changed." in answer.content.decode()
    assert StockItem.objects.filter(pending=3).count() == 1000
    assert len(queries.captured_queries) < 60
    assert len(form["seen"]) < 90_000, "the confirmation of 10,000 lines must fit into a form"


def test_the_lines_of_a_file_are_locked_in_batches(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    stocked(10, 8)
    monkeypatch.setattr(files, "BATCH_SIZE", 7)
    found = files.preview(Table(io.BytesIO(large_file(10, 8)), "f.csv"), Verb.TAKE, reference="r")
    lines: Iterator[files.Line] = ((one.item_id, one.number, one.was) for one in reversed(found.changes))

    assert files.record(lines, Verb.TAKE, reference="r", reason="", actor="") == 80
    assert StockItem.objects.filter(pending=-3).count() == 80
