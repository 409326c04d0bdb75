"""manage.py import_products: exports of other shops become products at Stripe, as a whole and only once."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from config import stripe_client
from inventory.csv_files import Table
from inventory.imports.drafts import parse_amount
from inventory.imports.html_text import text_of
from inventory.imports.shopify import fits
from inventory.models import StockItem
from inventory.stripe_sync.catalog_sync import sync_catalog
from shop import gateway
from shop.models import Product

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

SAMPLES = Path(__file__).resolve().parents[2] / "demo" / "files"
PRODUCT = {
    "Handle": "tee", "Title": "Tee", "Option1 Name": "Size", "Option1 Value": "M", "Variant Price": "25.00",
    "Variant Inventory Tracker": "shopify", "Variant Inventory Qty": "5", "Variant Inventory Policy": "deny",
    "Variant SKU": "", "Option2 Name": "", "Option2 Value": "", "Option1 Linked To": "", "Body (HTML)": "",
    "Type": "Tops", "Published": "true", "Image Src": "", "Image Position": "", "Gift Card": "false",
    "Status": "active",
}  # fmt: skip
WOO = {
    "ID": "1", "Type": "simple", "SKU": "", "Name": "Crew", "Published": "1", "Description": "", "In stock?": "1",
    "Stock": "5", "Backorders allowed?": "0", "Sale price": "", "Regular price": "60", "Categories": "Knits",
    "Images": "", "Parent": "", "Attribute 1 name": "", "Attribute 1 value(s)": "", "Attribute 2 name": "",
    "Attribute 2 value(s)": "",
}  # fmt: skip

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inventory.imports.upload.time.sleep", lambda seconds: None)


def rows(base: dict[str, str], *changes: dict[str, str]) -> str:
    """A CSV file: one row for each of `changes`, put over `base`; `_` stands for a blank in a column's name."""
    out = io.StringIO()
    writer = csv.DictWriter(out, base.keys(), lineterminator="\n")
    writer.writeheader()
    for change in changes:
        writer.writerow(base | change)
    return out.getvalue()


def shopify(*changes: dict[str, str]) -> str:
    return rows(PRODUCT, *changes)


def more(**values: str) -> dict[str, str]:
    """A further row of the product “tee”, with the columns that Shopify leaves empty there."""
    blank = dict.fromkeys(
        ["Title", "Body (HTML)", "Type", "Published", "Gift Card", "Status", "Option1 Name"], ""
    )
    return {**blank, **{name.replace("_", " "): value for name, value in values.items()}}


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def make(text: str, name: str = "products.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return make


def run(*arguments: str | Path) -> str:
    out = io.StringIO()
    call_command("import_products", *map(str, arguments), stdout=out, no_color=True)
    return out.getvalue()


def refused(fake: FakeStripe, *arguments: str | Path) -> str:
    """The error; asserts that Stripe was not written to."""
    fake.forget_calls()
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert [call.path for call in fake.calls if call.method == "POST"] == []
    assert caught.value.returncode == 1
    return str(caught.value)


def metadata(fake: FakeStripe, product_id: str) -> dict[str, str]:
    product: dict[str, Any] = fake.products[product_id]
    found: dict[str, str] = product["metadata"]
    return found


def amounts(fake: FakeStripe, product_id: str) -> dict[str, int]:
    """Size to amount of the active prices; "" is the default price."""
    prices = [price for price in fake.prices.values() if price["product"] == product_id and price["active"]]
    return {price["metadata"].get("size", ""): price["unit_amount"] for price in prices}


# --- What comes of an export --------------------------------------------------------------------


def test_a_shopify_export_becomes_products_with_prices_and_counts(fake: FakeStripe) -> None:
    said = run(SAMPLES / "shopify-products.csv")

    assert said.splitlines() == [
        "Line 9: Gift Card: gift cards are left out.",
        "Line 10: Next Drop: left out, its status is draft.",
        "3 products to create, with 6 counts, in USD.",
        "3 products created at Stripe.",
        "The worker reads them within seconds; “manage.py sync_catalog” does it at once.",
    ]
    tee = fake.products["prod_dune-tee"]
    assert tee["name"] == "Dune Tee" and tee["active"]
    assert tee["description"] == "Washed cotton, cut wide.\n• 180 g\n• Cold wash"
    assert [image[-10:] for image in tee["images"]] == ["dune-1.jpg", "dune-2.jpg", "dune-3.jpg"]
    assert tee["metadata"] == {
        "category": "Tops", "sizes": "S,M,L,2XL", "stock_S": "4", "stock_M": "9", "stock_L": "0",
        "stock_2XL": "3", "import_handle": "dune-tee", "sku_S": "DUNE-S", "sku_M": "DUNE-M", "sku_L": "DUNE-L",
        "sku_2XL": "DUNE-2XL",
    }  # fmt: skip
    assert amounts(fake, "prod_dune-tee") == {"": 2800, "2XL": 3100}
    assert metadata(fake, "prod_canvas-tote")["stock"] == "25"
    assert metadata(fake, "prod_canvas-tote")["sku"] == "TOTE"
    assert metadata(fake, "prod_print-file")["stock"] == "unlimited"
    assert sync_catalog().problems == []


def test_the_newer_column_names_and_the_counts_of_locations(fake: FakeStripe) -> None:
    products, counts = SAMPLES / "shopify-products-2026.csv", SAMPLES / "shopify-inventory.csv"
    said = refused(fake, products, "--inventory", counts)
    assert "has counts at Warehouse, Market stall. Say which of them this shop sells from" in said

    run(products, "--inventory", counts, "--location", "warehouse")

    assert metadata(fake, "prod_harbor-sneaker") == {
        "category": "Shoes", "sizes": "41,42,42.5", "stock_41": "6", "stock_42": "11", "stock_42.5": "0",
        "colors": "Sand", "import_handle": "harbor-sneaker", "sku_41": "HARBOR-41", "sku_42": "HARBOR-42",
        "sku_42.5": "HARBOR-42-5",
    }  # fmt: skip
    assert sync_catalog().problems == []


def test_several_locations_are_added_up_if_the_owner_names_them(fake: FakeStripe) -> None:
    products, counts = SAMPLES / "shopify-products-2026.csv", SAMPLES / "shopify-inventory.csv"

    run(products, "--inventory", counts, "--location", "Warehouse", "--location", "Market stall")

    assert metadata(fake, "prod_harbor-sneaker")["stock_41"] == "8"


@pytest.mark.parametrize(
    "inventory",
    [
        (
            "Handle,Option1 Name,Option1 Value,Location,Incoming,Unavailable,Committed,Available,On hand\n"
            "tee,Size,M,Store,0,0,1,7,8\n"
        ),
        (
            "Handle,Option1 Name,Option1 Value,Location,Available (not editable),On hand (current),On hand (new)\n"
            "tee,Size,M,Store,7,8,\n"
        ),
        "Handle,Title,Option1 Name,Option1 Value,SKU,HS Code,COO,Store\ntee,Tee,Size,M,,,,7\n",
    ],
    ids=["a row per location", "with columns to edit", "a column per location"],
)
def test_every_form_of_the_inventory_export_is_read(fake: FakeStripe, file: Any, inventory: str) -> None:
    run(file(shopify({"Variant Inventory Qty": ""})), "--inventory", file(inventory, "inventory.csv"))

    assert metadata(fake, "prod_tee")["stock_M"] == "7"


def test_a_woocommerce_export_becomes_products(fake: FakeStripe) -> None:
    said = run(SAMPLES / "woocommerce-products.csv")

    assert "Line 8: Winter Coat: left out, it is a draft." in said
    assert fake.products["prod_woo-31"]["description"] == "Brushed inside.\n\nKnitted in one piece."
    assert metadata(fake, "prod_woo-31") == {
        "category": "Knits", "sizes": "S,M,L", "stock_S": "5", "stock_M": "8", "stock_L": "0",
        "import_handle": "woo-31", "sku_S": "ORCHARD-S", "sku_M": "ORCHARD-M", "sku_L": "ORCHARD-L",
    }  # fmt: skip
    assert metadata(fake, "prod_woo-40")["stock"] == "120" and amounts(fake, "prod_woo-40") == {"": 750}
    assert metadata(fake, "prod_woo-41")["stock"] == "unlimited"
    assert sync_catalog().problems == []


@pytest.mark.parametrize("option", ["Shoe size", "Talla", "Tamanho", "Größe", "SIZE", "サイズ", "Edition"])
def test_the_size_is_found_by_its_name_in_many_languages(fake: FakeStripe, file: Any, option: str) -> None:
    first = {"Option1 Name": option, "Option1 Value": "36", "Option2 Name": "Color", "Option2 Value": "Red"}

    run(file(shopify(first, more(Option1_Value="37", Option2_Value="Red"))))

    facts = metadata(fake, "prod_tee")
    assert (facts["sizes"], facts["colors"]) == ("36,37", "Red")


def test_colors_without_counts_are_a_choice(fake: FakeStripe, file: Any) -> None:
    untracked = {"Option2 Name": "Color", "Variant Inventory Tracker": ""}
    text = shopify({**untracked, "Option2 Value": "Black"}, more(**untracked, Option2_Value="White"))

    run(file(text))

    facts = metadata(fake, "prod_tee")
    assert (facts["sizes"], facts["stock_M"], facts["colors"]) == ("M", "unlimited", "Black,White")


def test_more_than_eight_pictures_are_named(fake: FakeStripe, file: Any) -> None:
    pictures = [
        {
            **more(Option1_Value="", Variant_Price="", Variant_Inventory_Tracker=""),
            "Image Src": f"https://a.example/{n}.jpg",
        }
        for n in range(10)
    ]

    said = run(file(shopify({}, *pictures)))

    assert "Line 2: Tee has 10 pictures; the first 8 are used." in said
    assert len(fake.products["prod_tee"]["images"]) == 8


def test_pictures_that_the_shop_would_not_show_are_named(fake: FakeStripe, file: Any, settings: Any) -> None:
    settings.ALLOWED_IMAGE_ORIGINS = ["https://img.example.com"]

    said = run(file(shopify({"Image Src": "https://cdn.example.com/a.jpg"})))

    assert "is not shown: its origin is not in ALLOWED_IMAGE_ORIGINS" in said
    assert fake.products["prod_tee"]["images"] == []


@pytest.mark.parametrize(("beyond", "count"), [("counted", "5"), ("unlimited", "unlimited")])
def test_what_is_sold_below_zero_is_asked(fake: FakeStripe, file: Any, beyond: str, count: str) -> None:
    path = file(shopify({"Variant Inventory Policy": "continue"}))
    assert "Line 2: Tee is sold after its count has reached 0. Say what" in refused(fake, path)

    run(path, "--beyond", beyond)

    assert metadata(fake, "prod_tee")["stock_M"] == count


# --- Traps: named with their line, before anything is written -----------------------------------

COLOR = {"Option2 Name": "Color", "Option2 Value": "Black"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            shopify(COLOR, more(Option2_Value="White")),
            "Lines 2 and 3: Tee M is counted per color (Black, White). This shop counts sizes",
        ),
        (shopify({}, more()), "Lines 2 and 3: Tee M stands there 2 times."),
        (shopify({}, {"Title": "Cap", "Option1 Value": "L"}), "“tee” is the handle of 2 products: Tee, Cap."),
        (shopify({"Variant Inventory Qty": "-2"}), "Line 2: the count -2 of Tee is below 0"),
        (
            shopify({"Variant Inventory Qty": "1000000"}),
            "Line 2: the count 1000000 of Tee is more than 999999",
        ),
        (shopify({"Variant Inventory Qty": "ten"}), "Line 2: the count “ten” of Tee is not a whole number."),
        (shopify({"Variant Inventory Qty": ""}), "Line 2: Tee is counted, but the file has no count of it."),
        (
            shopify({"Variant Price": "1,234.50"}),
            "Line 2: the price “1,234.50” of Tee is not an amount in USD.",
        ),
        (shopify({"Variant Price": "1.234"}), "Line 2: the price “1.234” of Tee is not an amount in USD."),
        (shopify({"Variant Price": "-5"}), "Line 2: the price “-5” of Tee is not an amount in USD."),
        (shopify({"Variant Price": ""}), "Line 2: Tee has no price."),
        (shopify({"Title": "=cmd|' /C calc'!A0"}), "Line 2: “=cmd|' /C calc'!A0” is a spreadsheet formula"),
        (shopify({"Option1 Value": "#REF!"}), "Line 2: “#REF!” is a spreadsheet formula or its error"),
        (shopify({"Title": ""}), "Line 2: tee has no name."),
        (shopify({"Option1 Value": "6,5"}), "Line 2: the size “6,5” of Tee has a comma"),
        (shopify({"Option1 Value": "x" * 35}), "is longer than 34 characters"),
        (shopify({}, more(Option1_Value="m")), "“sizes” has M and m, which differ only in case."),
        (shopify({}, more(Option1_Value="")), "Line 3: a variant of Tee has no “Size”."),
        (
            shopify({"Option2 Name": "Fit", "Option2 Value": "Slim"}, more(Option2_Value="Wide")),
            "Line 2: Tee has variants by “Size” and “Fit”.",
        ),
        (
            shopify({}, {"Handle": "TEE", "Title": "Cap"}, {"Handle": "Tee", "Title": "Cup"}),
            "",
        ),
        (rows(WOO, {"Stock": "parent"}), "Line 2: the stock is that of the parent: Crew has one count"),
        (rows(WOO, {"Type": "variation", "Parent": "id:9"}), "Line 2: its parent “id:9” is not in the file."),
        (rows(WOO, {}, {"Name": "Cap"}), "Lines 2 and 3 have the same ID 1."),
        (
            rows(
                WOO,
                {"Type": "variable", "Attribute 1 name": "Size", "Attribute 1 value(s)": "S, M"},
                {"ID": "2", "Type": "variation", "Parent": "id:1", "Attribute 1 name": "Size"},
            ),
            "Line 3: the variation is for any “Size”",
        ),
    ],
)
def test_a_trap_is_named_with_its_line_and_nothing_is_created(
    fake: FakeStripe, file: Any, text: str, sentence: str
) -> None:
    if not sentence:
        run(file(text))
        assert len({*fake.products}) == 3
        return
    said = refused(fake, file(text))

    assert said.startswith("Nothing was created.") and sentence in said


@pytest.mark.parametrize(
    ("text", "encoding", "sentence"),
    [
        ("", "utf-8", "products.csv is empty."),
        (shopify(), "utf-8", "products.csv has no line below the column names."),
        (shopify({}), "utf-16", "products.csv is UTF-16 text or no text at all."),
        (shopify({"Title": "Größe"}), "cp1252", "products.csv is not UTF-8 text (byte"),
        (
            shopify({}).rstrip("\n") + ",x\n",
            "utf-8",
            "Line 2 of products.csv has 20 cells, but the first line has 19.",
        ),
        (shopify({}) + "tee,x\n", "utf-8", "Line 3 of products.csv has 2 cells"),
        (shopify({}) + 'tee,"x\n', "utf-8", "products.csv cannot be read as CSV after line 2"),
        ("a,b\n1,2\n", "utf-8", "products.csv is not a product export with English column names"),
        ("Typ,Artikelnummer,Name\nsimple,1,Hemd\n", "utf-8", "set your own language to English"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    fake: FakeStripe, file: Any, text: str, encoding: str, sentence: str
) -> None:
    assert sentence in refused(fake, file(text, encoding=encoding))


def test_a_large_file_is_refused_before_it_is_read(fake: FakeStripe, tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    with path.open("wb") as large:
        large.truncate(100 * 1024 * 1024)

    assert "products.csv is larger than 20 MB." in refused(fake, path)


@pytest.mark.parametrize(
    ("separator", "start"), [(",", ""), (";", ""), ("\t", ""), (",", "\ufeff"), (";", "\ufeff")]
)
def test_separators_marks_and_decimal_commas_of_spreadsheets(
    fake: FakeStripe, file: Any, separator: str, start: str
) -> None:
    table = csv.reader(io.StringIO(shopify({"Variant Price": "25,50", "Body (HTML)": "a\u2028b\x0bc"})))
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(table)

    run(file(start + out.getvalue()))

    assert amounts(fake, "prod_tee") == {"": 2550}


@pytest.mark.parametrize(
    ("inventory", "sentence"),
    [
        (
            "Handle,Option1 Value,Location,Available\ncap,M,Store,1\n",
            "Line 2 of inventory.csv: cap m is not in the",
        ),
        (
            "Handle,Option1 Value,Location,Available\ntee,M,Store,x\n",
            "Line 2 of inventory.csv: “x” is not a count.",
        ),
        (
            "Handle,Option1 Value,Location,Available\ntee,M,Store,1\ntee,M,Store,1\n",
            "Lines 2 and 3 of inventory.csv are the same variant at Store.",
        ),
        ("Handle,SKU\ntee,1\n", "inventory.csv is not an inventory export"),
        ("Handle,Option1 Value,Location,Available\ntee,M,Store,-1\n", "the count -1 of Tee is below 0"),
    ],
)
def test_traps_of_the_inventory_export(fake: FakeStripe, file: Any, inventory: str, sentence: str) -> None:
    assert sentence in refused(fake, file(shopify({})), "--inventory", file(inventory, "inventory.csv"))


def test_a_location_that_is_not_there_is_named(fake: FakeStripe, file: Any) -> None:
    inventory = file("Handle,Option1 Value,Location,Available\ntee,M,Store,1\n", "inventory.csv")

    said = refused(fake, file(shopify({})), "--inventory", inventory, "--location", "Stor")

    assert "inventory.csv has no location “stor”; it has Store." in said


def test_every_problem_is_named_at_once(fake: FakeStripe, file: Any) -> None:
    said = refused(
        fake, file(shopify({"Variant Price": "x"}, {"Handle": "cap", "Variant Inventory Qty": "-1"}))
    )

    assert [line.split(":")[0] for line in said.splitlines()] == ["Nothing was created.", "Line 2", "Line 3"]


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("25", "usd", 2500), ("25.5", "usd", 2550), ("25,50", "usd", 2550), ("0", "usd", 0), ("2500", "jpy", 2500),
        ("2500.00", "jpy", 2500), ("2500.50", "jpy", None), ("1.000", "usd", None), ("1,000", "usd", None),
        ("1.250", "kwd", 1250), ("1.255", "kwd", None), ("5.50", "isk", None), ("٣", "usd", None),
        ("1e3", "usd", None), ("", "usd", None), (" 7 ", "usd", 700), ("9999999999", "usd", None),
    ],
)  # fmt: skip
def test_amounts(text: str, currency: str, amount: int | None) -> None:
    assert parse_amount(text, currency) == amount


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain\r\ntext &amp; more", "plain\ntext & more"),
        ("<p>One</p>\n<p>Two<br>three</p>", "One\n\nTwo\nthree"),
        ("<script>alert(1)</script><b>Bold</b>", "Bold"),
        ("3 < 4 & 5", "3 < 4 & 5"),
        ("<table><tr><td>S</td><td>27</td></tr></table>", "S 27"),
    ],
)
def test_descriptions_become_text(html: str, text: str) -> None:
    assert text_of(html) == text


# --- Repeated, interrupted, limited -------------------------------------------------------------


def test_a_dry_run_creates_nothing(fake: FakeStripe) -> None:
    fake.forget_calls()

    said = run(SAMPLES / "shopify-products.csv", "--dry-run")

    assert said.splitlines()[-2:] == [
        "3 products to create, with 6 counts, in USD.",
        "Dry run: nothing was created.",
    ]
    assert {call.method for call in fake.calls} == {"GET"}


def test_a_repeated_import_changes_nothing_not_even_counts_that_were_sold(fake: FakeStripe) -> None:
    run(SAMPLES / "shopify-products.csv")
    fake.dashboard.edit_product("prod_dune-tee", metadata={"stock_M": "7"})
    fake.forget_calls()

    said = run(SAMPLES / "shopify-products.csv")

    assert "0 products to create" in said and "3 products at Stripe already, left as they are." in said
    assert {call.method for call in fake.calls} == {"GET"}
    assert metadata(fake, "prod_dune-tee")["stock_M"] == "7"


def test_a_product_of_another_origin_is_not_taken_over(fake: FakeStripe, file: Any) -> None:
    fake.add_product(id="prod_tee", name="Another")

    said = refused(fake, file(shopify({})))

    assert "Line 2: Tee: Stripe has another product with the id prod_tee." in said


class Killed(BaseException):
    """Stands for a kill: no code of ours or of the library catches it."""


TWO_PRICES = [
    {},
    more(Option1_Value="L", Variant_Price="27.00"),
    more(Option1_Value="XL", Variant_Price="29.00"),
]


def killed_at_call(number: int, *, after: bool, fake: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next run be killed right before or after its call of this number."""
    client, calls = fake.http_client(), iter(range(1, 100))
    request = client.request

    def interrupted(*args: Any, **rest: Any) -> Any:
        is_last = next(calls) == number
        if is_last and not after:
            raise Killed
        answer = request(*args, **rest)
        if is_last:
            raise Killed
        return answer

    monkeypatch.setattr(client, "request", interrupted)
    use(client, monkeypatch)


def use(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_client, "http_client", lambda: client)
    stripe_client._client.cache_clear()


# Two lists, a product, its two further prices, the end of it, and a second product.
@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_after_a_kill_at_any_call_the_next_run_completes_what_was_begun(
    fake: FakeStripe, file: Any, monkeypatch: pytest.MonkeyPatch, number: int, after: bool
) -> None:
    path = file(shopify(*TWO_PRICES, {"Handle": "cap", "Title": "Cap"}))
    killed_at_call(number, after=after, fake=fake, monkeypatch=monkeypatch)
    with pytest.raises(Killed):
        run(path)
    begun = fake.products.get("prod_tee")
    if begun and len(amounts(fake, "prod_tee")) < 3:
        assert not begun["active"], "a size could be sold at the price of another"
    use(fake.http_client(), monkeypatch)

    run(path)

    assert {*fake.products} == {"prod_tee", "prod_cap"} and len(fake.prices) == 4
    assert amounts(fake, "prod_tee") == {"": 2500, "L": 2700, "XL": 2900}
    assert all(product["active"] for product in fake.products.values())
    assert not any("import_unfinished" in product["metadata"] for product in fake.products.values())
    assert sync_catalog().problems == []


def test_the_kills_reach_every_call(fake: FakeStripe, file: Any) -> None:
    fake.forget_calls()

    run(file(shopify(*TWO_PRICES, {"Handle": "cap", "Title": "Cap"})))

    assert len(fake.calls) == 7


def test_a_product_that_the_owner_archived_stays_archived(fake: FakeStripe, file: Any) -> None:
    path = file(shopify(*TWO_PRICES))
    run(path)
    fake.dashboard.edit_product("prod_tee", active=False)

    run(path)

    assert not fake.products["prod_tee"]["active"]


def test_an_interrupted_import_with_other_prices_is_not_mixed(fake: FakeStripe, file: Any) -> None:
    fake.faults.add("error_500", path="/v1/products/prod_tee", when="before", times=None)
    with pytest.raises(CommandError, match="Stopped after 0 of 1 products"):
        run(file(shopify(*TWO_PRICES)))
    fake.faults.clear()

    said = refused(fake, file(shopify({}, more(Option1_Value="L", Variant_Price="30"), TWO_PRICES[2])))

    assert "an interrupted import gave L another price" in said


@pytest.mark.parametrize("kind", ["error_500", "cut", "error_429", "lock_timeout"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("path", ["/v1/products", "/v1/prices", "/v1/products/*"])
def test_calls_that_fail_for_a_while_are_repeated_and_double_nothing(
    fake: FakeStripe, file: Any, kind: str, when: str, path: str
) -> None:
    fake.faults.add(kind, method="POST", path=path, when=when, times=2)

    run(file(shopify(*TWO_PRICES)))

    assert len(fake.products) == 1 and len(fake.prices) == 3
    assert amounts(fake, "prod_tee") == {"": 2500, "L": 2700, "XL": 2900}
    assert fake.products["prod_tee"]["active"]


def test_a_product_that_stripe_refuses_does_not_stop_the_others(
    fake: FakeStripe, file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inventory.imports.drafts.MAX_VALUE", 600)
    path = file(shopify({"Type": "x" * 501}, {"Handle": "cap", "Title": "Cap"}))

    with pytest.raises(CommandError) as caught:
        run(path)

    assert "1 of 2 products were created; Stripe refused the others:\nLine 2: Tee: Stripe refused it:" in str(
        caught.value
    )
    assert {*fake.products} == {"prod_cap"}


def test_ctrl_c_leaves_a_sentence_and_a_state_to_continue_from(
    fake: FakeStripe, file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(shopify({}, {"Handle": "cap", "Title": "Cap"}))
    create, calls = gateway.create_product, iter(range(9))

    def interrupted(*args: Any, **options: Any) -> None:
        if next(calls):
            raise KeyboardInterrupt
        create(*args, **options)

    monkeypatch.setattr(gateway, "create_product", interrupted)
    with pytest.raises(
        CommandError, match=r"Stopped after 1 of 2 products\. Run the same command again"
    ) as caught:
        run(path)
    monkeypatch.undo()

    assert caught.value.returncode == 130
    use(fake.http_client(), monkeypatch)
    assert "1 product to create" in run(path)
    assert {*fake.products} == {"prod_tee", "prod_cap"}


def test_a_key_without_permission_is_named(fake: FakeStripe, file: Any, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_unknown"

    assert "Stripe does not accept the key" in refused(fake, file(shopify({})))


def catalog_of(products: int) -> tuple[str, int]:
    """A file of products in five sizes, a fifth of them with a dearer XXL, and its number of rows.

    The first five lack the XXL, so that 321 products have 1,600 rows.
    """
    changes = []
    for n in range(products):
        sizes = ["S", "M", "L", "XL", "XXL"][: 5 if n >= 5 else 4]
        for place, size in enumerate(sizes):
            names = {"Handle": f"item-{n}", "Title": "" if place else f"Item {n}", "Option1 Value": size}
            price = {"Variant Price": "29.00"} if n % 5 == 0 and size == "XXL" else {}
            changes.append({**(more() if place else {}), **names, **price})
    return shopify(*changes), len(changes)


@pytest.mark.parametrize("products", [25, pytest.param(321, marks=pytest.mark.slow)])
def test_an_import_stays_within_the_rate_limit_and_needs_few_calls(
    fake: FakeStripe, file: Any, monkeypatch: pytest.MonkeyPatch, products: int
) -> None:
    text, number = catalog_of(products)
    fake.clock._start = fake.clock.exact()  # Frozen: only the importer's own pauses let time pass.
    fake.api.limits.enforced = True
    monkeypatch.setattr("inventory.imports.upload.time.monotonic", fake.clock.exact)
    monkeypatch.setattr("inventory.imports.upload.time.sleep", fake.forward)
    fake.forget_calls()

    run(file(text))

    assert len(fake.calls) / products <= 2.2
    assert {call.status for call in fake.calls} == {200}
    fake.api.limits.enforced = False
    summary = sync_catalog()
    assert (summary.counts["created"], summary.problems) == (products, [])
    assert StockItem.objects.filter(state="counted", on_hand=5).count() == number
    assert Product.objects.filter(active=True).count() == products


def test_a_table_is_read_line_by_line() -> None:
    table = Table(io.BytesIO(shopify(*[{}] * 3).encode()), "products.csv")

    assert fits(table)
    assert [row.line for row in table.rows()] == [2, 3, 4]
    assert [row.line for row in table.rows()] == [2, 3, 4]
