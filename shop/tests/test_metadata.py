"""Tests of parsing product metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.metadata import MAX_LENGTH_SIZE, MAX_SIZES, ProductMetadata, parse


def test_the_metadata_of_the_origin_is_parsed() -> None:
    facts = parse(
        {
            "category": "clothing",
            "sizes": "S,M,L,XL,2XL,3XL",
            "stock_S": "0",
            "colors": "Black,White,Navy",
            "details": "2.9 oz fabric\n100 % polyester",
        }
    )

    assert facts == ProductMetadata(
        category="clothing",
        sizes=("S", "M", "L", "XL", "2XL", "3XL"),
        colors=("Black", "White", "Navy"),
        details="2.9 oz fabric\n100 % polyester",
    )


def test_origin_fault_19_spaces_around_commas_are_ignored() -> None:
    assert parse({"sizes": "S, M ,L", "colors": "Black, White"}) == ProductMetadata(
        sizes=("S", "M", "L"), colors=("Black", "White")
    )


@pytest.mark.parametrize("key", ["Sizes", "SIZES", " sizes"])
def test_origin_fault_19_a_key_in_another_case_is_a_problem(key: str) -> None:
    facts = parse({key: "S,M"})

    assert facts.sizes == ()
    assert facts.problems == (f"The key “{key}” is ignored; it must be “sizes”.",)


def test_the_british_spelling_of_colors_is_a_problem() -> None:
    assert parse({"colours": "Black"}).problems == ("The key “colours” is ignored; it must be “colors”.",)


def test_a_repeated_size_is_used_once_and_is_a_problem() -> None:
    facts = parse({"sizes": "S,M,S"})

    assert facts.sizes == ("S", "M")
    assert facts.problems == ("“sizes” lists S twice.",)


def test_sizes_that_differ_only_in_case_are_kept_and_are_a_problem() -> None:
    facts = parse({"sizes": "S,s"})

    assert facts.sizes == ("S", "s")
    assert facts.problems == ("“sizes” has S and s, which differ only in case.",)


@pytest.mark.parametrize(
    ("text", "sizes", "problem"),
    [
        ("S,,M", ("S", "M"), "“sizes” has an empty entry between its commas."),
        (",", (), "“sizes” lists no size."),
        ("S,M[1]", ("S",), "“sizes” has 'M[1]', with characters that are not allowed in a size or color."),
        ("S,<b>", ("S",), "“sizes” has '<b>', with characters that are not allowed in a size or color."),
        ("S,M\x00", ("S",), "“sizes” has 'M\\x00', with characters that are not allowed in a size or color."),
        (
            "S," + "X" * 35,
            ("S",),
            f"“sizes” has “{'X' * 20}…”, which is longer than {MAX_LENGTH_SIZE} characters.",
        ),
    ],
)
def test_an_invalid_size_is_left_out_and_is_a_problem(
    text: str, sizes: tuple[str, ...], problem: str
) -> None:
    facts = parse({"sizes": text})

    assert facts.sizes == sizes
    assert problem in facts.problems


def test_too_many_sizes_are_cut_and_are_a_problem() -> None:
    facts = parse({"sizes": ",".join(str(number) for number in range(45))})

    assert len(facts.sizes) == MAX_SIZES
    assert facts.problems == ("“sizes” has 45 sizes; the first 40 are used.",)


def test_a_product_without_sizes_has_no_problem() -> None:
    assert parse({"stock": "4"}) == ProductMetadata()


@pytest.mark.parametrize("key", ["link", "streamUrl", "stream_url"])
def test_each_key_of_the_link_is_accepted(key: str) -> None:
    assert parse({key: "https://music.example/album"}).link == "https://music.example/album"


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http://x.example", 'https://x"onclick=', "https://"]
)
def test_a_link_that_is_not_https_is_a_problem(address: str) -> None:
    facts = parse({"link": address})

    assert facts.link == ""
    assert facts.problems == ("“link” is not a URL that begins with https://.",)


@pytest.mark.parametrize(("text", "featured"), [("yes", True), ("1", True), ("no", False), ("", False)])
def test_featured_is_anything_but_no(text: str, featured: bool) -> None:
    assert parse({"featured": text}).featured is featured


@given(
    st.dictionaries(st.sampled_from(["sizes", "colors", "details", "category", "link", "Sizes"]), st.text())
)
def test_any_text_can_be_parsed(metadata: dict[str, str]) -> None:
    facts = parse(metadata)

    assert len(set(facts.sizes)) == len(facts.sizes) <= MAX_SIZES
    assert all(size == size.strip() and size.isprintable() for size in facts.sizes)
