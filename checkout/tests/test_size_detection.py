"""Sizes of an external session's lines: where they are looked for, in which order, and when none is accepted."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from checkout.orders.size_detection import SessionLineFacts, SoldUnits, matching_size, sizes_sold
from checkout.stripe_objects import CustomField


def line(
    product_id: str = "prod_a", quantity: int = 1, *, has_sizes: bool = True, **metadata: str
) -> SessionLineFacts:
    price = {"size": metadata.pop("price_size")} if "price_size" in metadata else {}
    return SessionLineFacts(product_id, quantity, metadata, price, has_sizes)


def sizes(
    lines: list[SessionLineFacts],
    session: Mapping[str, str] | None = None,
    custom: Mapping[str, str] | None = None,
) -> list[tuple[str | None, int]]:
    """`custom`: label of each custom field, whose key has none of its blanks, and the text that was typed."""
    fields = [
        CustomField(label.replace(" ", "").casefold(), label, (text,))
        for label, text in (custom or {}).items()
    ]
    sold = sizes_sold(lines, session or {}, fields)
    return [(units.names[0] if units.names else None, units.quantity) for units in sold]


def test_the_lines_own_metadata_comes_first() -> None:
    metadata = {"item_0_size": "L", "item_0_product_id": "prod_a", "size": "XL"}

    assert sizes([line(size="S", price_size="M")], metadata, {"size": "XXL"}) == [("S", 1)]


def test_then_the_prices_metadata() -> None:
    assert sizes([line(price_size="M")], {"item_0_size": "L", "size": "XL"}) == [("M", 1)]


def test_then_the_sessions_list_by_product() -> None:
    metadata = {
        "item_0_size": "L",
        "item_0_product_id": "prod_b",
        "item_0_quantity": "1",
        "item_1_size": "S",
        "item_1_product_id": "prod_a",
        "item_1_quantity": "2",
        "size": "XL",
    }

    assert sizes([line("prod_a", 2), line("prod_b")], metadata) == [("S", 2), ("L", 1)]


def test_two_lines_of_one_product_take_their_entries_in_order() -> None:
    metadata = {
        "item_0_size": "S",
        "item_0_product_id": "prod_a",
        "item_1_size": "M",
        "item_1_product_id": "prod_a",
    }

    assert sizes([line(), line(quantity=3)], metadata) == [("S", 1), ("M", 3)]


def test_one_line_that_held_several_sizes_becomes_several() -> None:
    metadata = {
        "item_0_size": "S",
        "item_0_product_id": "prod_a",
        "item_0_quantity": "1",
        "item_1_size": "M",
        "item_1_product_id": "prod_a",
        "item_1_quantity": "2",
    }

    assert sizes([line(quantity=3)], metadata) == [("S", 1), ("M", 2)]


@pytest.mark.parametrize("missing", [{}, {"item_1_quantity": "0"}, {"item_1_quantity": "some"}])
def test_sizes_that_share_a_line_are_ignored_unless_each_gives_its_quantity(
    missing: Mapping[str, str],
) -> None:
    """No quantity means the whole line, and two of those would sell more than it held."""
    metadata = {
        "item_0_size": "M",
        "item_0_product_id": "prod_a",
        "item_0_quantity": "2",
        "item_1_size": "L",
        "item_1_product_id": "prod_a",
    }

    assert sizes([line(quantity=2)], {**metadata, **missing}) == [(None, 2)]


@pytest.mark.parametrize("first", [0, 1])
def test_entries_without_products_follow_the_lines_counted_from_zero_or_one(first: int) -> None:
    metadata = {f"item_{first}_size": "S", f"item_{first + 1}_size": "M"}

    assert sizes([line("prod_a"), line("prod_b")], metadata) == [("S", 1), ("M", 1)]


@pytest.mark.parametrize("product", [{}, {"item_0_product_id": "prod_a"}])
def test_a_quantity_that_was_changed_on_stripes_page_counts_in_the_size_that_was_told(
    product: Mapping[str, str],
) -> None:
    metadata = {"item_0_size": "M", "item_0_quantity": "1", **product}

    assert sizes([line(quantity=3)], metadata) == [("M", 3)]


def test_a_changed_quantity_that_no_size_explains_leaves_the_size_unknown() -> None:
    """Two sizes shared a line of 3, and the customer made it 4."""
    metadata = {
        "item_0_size": "S",
        "item_0_product_id": "prod_a",
        "item_0_quantity": "1",
        "item_1_size": "M",
        "item_1_product_id": "prod_a",
        "item_1_quantity": "2",
    }

    assert sizes([line(quantity=4)], metadata) == [(None, 4)]
    assert sizes([line(quantity=4)], {**metadata, "item_1_size": "S"}) == [("S", 4)]


def test_lines_in_another_order_than_their_entries_are_told_by_their_quantities() -> None:
    metadata = {
        "item_0_size": "S",
        "item_0_product_id": "prod_a",
        "item_0_quantity": "1",
        "item_1_size": "M",
        "item_1_product_id": "prod_a",
        "item_1_quantity": "2",
    }

    assert sizes([line(quantity=2), line(quantity=1)], metadata) == [("M", 2), ("S", 1)]
    assert sizes([line(quantity=3), line(quantity=2)], metadata) == [("S", 3), ("M", 2)]


def test_lines_in_another_order_with_equal_quantities_leave_their_sizes_unknown() -> None:
    metadata = {f"item_{n}_size": size for n, size in enumerate("SML")}
    metadata |= {f"item_{n}_product_id": "prod_a" for n in range(3)}
    metadata |= {f"item_{n}_quantity": quantity for n, quantity in enumerate("112")}

    lines = [line(quantity=1), line(quantity=2), line(quantity=1)]

    assert sizes(lines, metadata) == [(None, 1), ("L", 2), (None, 1)]


def test_then_the_sessions_size_if_there_is_a_single_line() -> None:
    assert sizes([line()], {"size": " M "}, {"size": "L"}) == [("M", 1)]
    assert sizes([line(), line("prod_b")], {"size": "M"}) == [(None, 1), (None, 1)]


def test_then_a_custom_field_called_size_if_only_one_line_has_sizes() -> None:
    assert sizes([line()], {}, {"Size": "L"}) == [("L", 1)]
    assert sizes([line(), line("prod_b", has_sizes=False)], {}, {"size": "L"}) == [("L", 1), (None, 1)]
    assert sizes([line(), line("prod_b")], {}, {"size": "L"}) == [(None, 1), (None, 1)]


@pytest.mark.parametrize(
    "label", ["size", " Size ", "Which size?", "T-shirt size", "Größe", "Schuhgröße", "Sizes"]
)
def test_a_custom_field_for_the_size_is_known_by_its_name(label: str) -> None:
    assert sizes([line()], {}, {label: "L", "Engraving": "M"}) == [("L", 1)]


@pytest.mark.parametrize("labels", [["Hat size", "Shirt size"], ["Engraving"], ["Oversized?"]])
def test_custom_fields_that_do_not_ask_for_one_size_leave_it_unknown(labels: list[str]) -> None:
    assert sizes([line()], {}, dict.fromkeys(labels, "L")) == [(None, 1)]


def test_a_field_called_size_comes_before_others_that_have_the_word() -> None:
    assert sizes([line()], {}, {"Box size": "L", "Size": "M"}) == [("M", 1)]


def test_of_a_drop_down_the_label_is_the_first_name_of_the_size() -> None:
    answer = CustomField("size", "Size", ("One Size", "onesize"))

    assert sizes_sold([line()], {}, [answer]) == [SoldUnits("prod_a", 1, ("One Size", "onesize"), 0)]


@pytest.mark.parametrize(
    "nonsense",
    [
        {"item_0_size": ""},
        {"item_x_size": "M"},
        {"item_0_quantity": "1"},
        {"item_9999_size": "M"},
        {"size": "  "},
    ],
)
def test_nonsense_leaves_the_size_unknown(nonsense: Mapping[str, str]) -> None:
    assert sizes([line()], nonsense) == [(None, 1)]


def test_every_part_knows_its_line() -> None:
    assert sizes_sold([line(size="S"), line("prod_b", 2, size="M")], {}, []) == [
        SoldUnits("prod_a", 1, ("S",), 0),
        SoldUnits("prod_b", 2, ("M",), 1),
    ]


def test_a_size_is_the_offered_one_exactly_or_the_only_one_that_differs_in_case() -> None:
    assert matching_size(["M"], ["S", "M", "m"]) == "M"
    assert matching_size(["xl"], ["L", "XL"]) == "XL"
    assert matching_size(["XX"], ["xx", "Xx"]) is None
    assert matching_size(["Q"], ["S"]) is None
    assert matching_size([], ["S"]) is None


def test_a_label_and_a_value_mean_a_size_unless_they_mean_two() -> None:
    assert matching_size(["10.5", "105"], ["10", "10.5"]) == "10.5"
    assert matching_size(["Medium", "m"], ["S", "M"]) == "M"
    assert matching_size(["1.5", "15"], ["1.5", "15"]) is None
