"""Tests of choosing the price of a size."""

from shop.prices import Price, price_for, problems_of, ranges_of

STANDARD = Price("price_a", "usd", 2500)
LARGE = Price("price_b", "usd", 2800, size="3XL")


def test_the_price_of_a_size_takes_precedence_over_the_default_price() -> None:
    assert price_for("3XL", [STANDARD, LARGE], "price_a") == LARGE
    assert price_for("S", [STANDARD, LARGE], "price_a") == STANDARD


def test_a_price_that_is_neither_sized_nor_default_is_not_used() -> None:
    assert price_for("S", [Price("price_old", "usd", 1000), LARGE], "price_a") is None


def test_a_price_with_a_problem_falls_back_to_the_default() -> None:
    broken = Price("price_b", "eur", 2800, size="3XL", problem="it is in EUR.")

    assert price_for("3XL", [STANDARD, broken], "price_a") == STANDARD


def test_a_product_without_sizes_has_the_default_price() -> None:
    assert price_for("", [STANDARD, LARGE], "price_a") == STANDARD


def test_the_range_covers_the_listed_sizes() -> None:
    assert ranges_of(["usd"], ["S", "3XL"], [STANDARD, LARGE], "price_a") == {"usd": (2500, 2800)}
    assert ranges_of(["usd"], ["S"], [STANDARD, LARGE], "price_a") == {"usd": (2500, 2500)}
    assert ranges_of(["usd"], ["S"], [], "") == {}


def test_each_problem_of_the_prices_is_listed() -> None:
    twice = Price("price_c", "usd", 2900, size="3XL")
    other = Price("price_d", "usd", 2900, size="4XL")
    euro = Price("price_e", "eur", 2900, problem="it is in EUR, the shop sells in USD.")

    assert problems_of(["S", "3XL"], [LARGE, twice, other, euro], "price_a") == [
        "The price price_e cannot be used: it is in EUR, the shop sells in USD.",
        "A price is for size 4XL, which is not in “sizes”.",
        "Size 3XL has several prices.",
        "There is no price for S.",
    ]


def test_a_product_without_a_usable_price_is_a_problem() -> None:
    assert problems_of([], [], "") == ["It has no default price that can be used."]
