"""manage.py stock: receive, count and take, from arguments and from files, as a whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from inventory.models import Movement
from inventory.tests.factories import Shirt
from shop.models import Product


def stock(*arguments: str | Path) -> str:
    out = io.StringIO()
    call_command("stock", *map(str, arguments), stdout=out, no_color=True)
    return out.getvalue()


def refused(*arguments: str | Path) -> str:
    """The error; asserts that nothing was recorded."""
    before = Movement.objects.count()
    with pytest.raises(CommandError) as caught:
        stock(*arguments)
    assert Movement.objects.count() == before
    return str(caught.value)


def units(shirt: Shirt) -> list[int]:
    items = [shirt.item(size) for size in ("S", "M", "L")]
    return [(item.on_hand or 0) + item.pending for item in items]


def test_a_delivery_is_received_and_reaches_stripe_through_the_worker(shirt: Shirt) -> None:
    said = stock("receive", "prod_shirt", "M=12", "L=6", "--reason", "delivery 14")

    assert said.splitlines() == [
        "BALM T-Shirt M: was 15, is now 27",
        "BALM T-Shirt L: was 5, is now 11",
        "The worker updates Stripe within seconds; --publish does it at once.",
    ]
    movement = shirt.item("M").movements.latest("id")
    assert (movement.kind, movement.delta, movement.reason) == ("received", 12, "delivery 14")
    assert movement.actor.endswith("(command)")
    shirt.settle()
    assert (shirt.at_stripe("M"), shirt.at_stripe("L")) == ("27", "11")


def test_counted_shelves_set_totals(shirt: Shirt) -> None:
    stock("count", "prod_shirt", "S=8", "M=15", "L=0")

    assert units(shirt) == [8, 15, 0]
    assert shirt.movements("M", "counted") == []


def test_samples_are_taken(shirt: Shirt) -> None:
    stock("take", "prod_shirt", "M=2", "--reason", "sample")

    assert units(shirt) == [10, 13, 5] and shirt.movements("M", "adjusted") == [-2]


def test_publish_updates_stripe_at_once(shirt: Shirt) -> None:
    said = stock("receive", "prod_shirt", "M=1", "--publish")

    assert said.splitlines()[-1] == "Stripe accepted the counts of prod_shirt."
    assert shirt.at_stripe("M") == "16"


def test_publish_says_what_stripe_refused_and_keeps_the_change(shirt: Shirt) -> None:
    shirt.fake.faults.add("error_500", path="/v1/products/prod_shirt", when="before", times=None)

    with pytest.raises(CommandError, match="Recorded here, but not yet at Stripe"):
        stock("receive", "prod_shirt", "M=1", "--publish")
    assert units(shirt) == [10, 16, 5] and shirt.at_stripe("M") == "15"


def test_a_dry_run_shows_what_would_be_and_changes_nothing(shirt: Shirt) -> None:
    said = stock("receive", "prod_shirt", "M=12", "--dry-run")

    assert said == "BALM T-Shirt M: was 15, will be 27\nDry run: nothing was changed.\n"
    assert units(shirt) == [10, 15, 5] and shirt.movements("M", "received") == []


def test_a_command_with_a_reference_counts_once(shirt: Shirt) -> None:
    stock("receive", "prod_shirt", "M=12", "--reference", "delivery-14")

    said = stock("receive", "prod_shirt", "M=12", "--reference", "delivery-14")

    assert said == "BALM T-Shirt M: 27, recorded before under this reference\n"
    assert units(shirt) == [10, 27, 5]


def test_a_reference_is_not_used_for_another_number(shirt: Shirt) -> None:
    stock("receive", "prod_shirt", "M=12", "--reference", "delivery-14")

    said = refused("receive", "prod_shirt", "M=10", "--reference", "delivery-14")

    assert "was used for BALM T-Shirt M before, with +12" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["take", "prod_shirt", "S=1", "M=16"], "Nothing was changed. BALM T-Shirt M: Only 15 in stock."),
        (["receive", "prod_shirt", "M=999999"], "six digits"),
        (["receive", "prod_shirt", "M=0"], "Nothing was changed."),
        (["receive", "prod_shirt", "M=-3"], "“-3” is not a whole number of units."),
        (["receive", "prod_shirt", "M=1.5"], "“1.5” is not a whole number of units."),
        (["receive", "prod_shirt", "M=٣"], "“٣” is not a whole number of units."),
        (["count", "prod_shirt", "M=12345678"], "more than 999999"),
        (["receive", "prod_shirt", "XL=3"], "BALM T-Shirt has no size “XL”; it has S, M, L."),
        (["receive", "prod_shirt", "3"], "BALM T-Shirt comes in sizes. Say which: S, M, L."),
        (["receive", "prod_shirt"], "Say how many, such as M=12"),
        (["receive", "prod_shirt", "M=1", "m=2"], "BALM T-Shirt M is named twice."),
        (["receive", "prod_x", "M=1"], "There is no product “prod_x”."),
        (["receive"], "Name a product with sizes, or a --file."),
        (["receive", "prod_shirt", "M=1", "--reference", " "], "--reference must not be empty."),
        (["receive", "prod_shirt", "M=1", "--reference", "x" * 300], "at most 240"),
    ],
)
def test_a_refusal_says_why_and_changes_nothing(shirt: Shirt, arguments: list[str], sentence: str) -> None:
    assert sentence in refused(*arguments)
    assert units(shirt) == [10, 15, 5]


def test_a_product_is_found_by_sku_or_name(shirt: Shirt) -> None:
    shirt.edit_keys({"sku": "BALM-1"})
    shirt.settle()

    stock("receive", "BALM-1", "M=1")
    stock("receive", "balm t-shirt", "M=1")

    assert units(shirt) == [10, 17, 5]


def test_a_name_that_two_products_have_is_not_guessed(new_shirt: Callable[..., Shirt]) -> None:
    new_shirt("prod_a", S=1).sync()
    new_shirt("prod_b", S=1).sync()

    assert "is more than one product (prod_a, prod_b)" in refused("receive", "BALM T-Shirt", "S=1")


def test_a_product_without_sizes_takes_a_bare_number(shirt: Shirt) -> None:
    shirt.fake.add_product(id="prod_poster", name="Poster", metadata={"stock": "4"})
    Shirt(shirt.fake, "prod_poster").sync()

    assert stock("receive", "prod_poster", "6").startswith("Poster: was 4, is now 10\n")


# --- files ------------------------------------------------------------------------------------


def file_with(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "delivery.csv"
    file.write_bytes(text.encode(encoding))
    return file


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("product,size,quantity\nprod_shirt,M,12\nprod_shirt,L,6\n", "utf-8"),
        ("Product;Size;Quantity\r\nprod_shirt;M;12\r\nprod_shirt;L;6", "utf-8-sig"),
        ("Product ID\tSize\tUnits\tNote\nprod_shirt\tM\t12\t\n\nprod_shirt\tL\t6\tlate\n", "utf-8"),
        ('Product Name,Size,Stock\n"BALM T-Shirt",M,12\n"BALM T-Shirt",L,6\n', "utf-8"),
    ],
)
def test_a_delivery_file_is_received_as_a_whole(
    shirt: Shirt, tmp_path: Path, text: str, encoding: str
) -> None:
    stock("receive", "--file", file_with(tmp_path, text, encoding), "--reference", "delivery-14")

    assert units(shirt) == [10, 27, 11]


def test_every_bad_line_of_a_file_is_named_and_none_is_applied(shirt: Shirt, tmp_path: Path) -> None:
    text = "product,size,quantity\nprod_shirt,M,12\nprod_x,M,1\nprod_shirt,XL,1\nprod_shirt,L,many\n"

    said = refused("receive", "--file", file_with(tmp_path, text))

    assert "Line 3: There is no product “prod_x”" in said
    assert "Line 4: BALM T-Shirt has no size “XL”" in said
    assert "Line 5: “many” is not a whole number" in said
    assert units(shirt) == [10, 15, 5]


@pytest.mark.parametrize(
    ("text", "encoding", "sentence"),
    [
        ("product,size,quantity\n", "utf-8", "has no line below the column names"),
        ("", "utf-8", "is empty"),
        ("a,b,c\n1,2,3\n", "utf-8", "delivery.csv has no column “product”"),
        ("product,size,quantity\nprod_shirt,M\n", "utf-8", "Line 2 of delivery.csv has 2 cells"),
        ("product,size,quantity\nprod_shirt,M,1,2\n", "utf-8", "has 4 cells, but the first line has 3"),
        ("product,size,quantity\nprod_shirt,M,12\n", "utf-16", "Save it as “CSV UTF-8”"),
        ("product,size,quantity\nHemd ä,M,12\n", "latin-1", "is not UTF-8 text"),
        ("product,size,quantity\nprod_shirt,M,=1+1\n", "utf-8", "“=1+1” is not a whole number"),
        ('product,size,quantity\n"prod_shirt,M,1\n', "utf-8", "cannot be read as CSV"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    shirt: Shirt, tmp_path: Path, text: str, encoding: str, sentence: str
) -> None:
    assert sentence in refused("receive", "--file", file_with(tmp_path, text, encoding))


def test_a_file_that_is_not_there_is_named(shirt: Shirt, tmp_path: Path) -> None:
    assert "There is no file" in refused("receive", "--file", tmp_path / "none.csv")


def test_a_file_applied_twice_under_one_reference_counts_once(shirt: Shirt, tmp_path: Path) -> None:
    file = file_with(tmp_path, "product,size,quantity\nprod_shirt,M,12\n")

    stock("receive", "--file", file, "--reference", "delivery-14")
    stock("receive", "--file", file, "--reference", "delivery-14")

    assert units(shirt) == [10, 27, 5]


def test_the_csv_of_the_report_can_be_counted_in_again(shirt: Shirt, tmp_path: Path) -> None:
    Product.objects.update(name="=Shirt")
    out = io.StringIO()
    call_command("inventory_report", "--csv", stdout=out)

    stock("count", "--file", file_with(tmp_path, out.getvalue().replace(",15,", ",14,")))

    assert units(shirt) == [10, 14, 5]
