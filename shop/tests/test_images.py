"""Which images may be shown."""

import pytest

from shop.images import sort_images


def test_any_https_image_is_shown_unless_origins_are_listed() -> None:
    assert sort_images(["https://a.example/1.jpg", "https://b.example/2.jpg"], []) == (
        ["https://a.example/1.jpg", "https://b.example/2.jpg"],
        [],
    )


def test_listed_origins_narrow_it() -> None:
    shown, problems = sort_images(
        ["https://a.example/1.jpg", "https://b.example/2.jpg"], ["https://a.example"]
    )

    assert shown == ["https://a.example/1.jpg"]
    assert problems == ["The image https://b.example/2.jpg is not shown: its origin is not in IMAGE_ORIGINS."]


def test_an_address_of_this_machine_is_shown_only_when_it_is_listed() -> None:
    local = "http://127.0.0.1:9000/shirt.svg"

    assert sort_images([local], [])[0] == []
    assert sort_images([local], ["http://127.0.0.1:9000"])[0] == [local]


@pytest.mark.parametrize(
    "address",
    [
        "http://a.example/1.jpg",
        "javascript:alert(1)",
        "data:image/svg+xml,<svg>",
        'https://a.example/"onerror=alert(1)',
        "https://a.example/1.jpg; script-src *",
        "https://user:password@a.example/1.jpg",
        "https://[broken/1.jpg",
        "//a.example/1.jpg",
        "",
    ],
)
def test_what_is_not_a_plain_https_address_is_a_problem(address: str) -> None:
    shown, problems = sort_images([address], [])

    assert shown == []
    assert len(problems) == 1
