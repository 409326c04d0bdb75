"""Tests of the checks of image URLs."""

import pytest

from shop.images import partition_images


def test_without_origins_any_https_image_is_allowed() -> None:
    assert partition_images(["https://a.example/1.jpg", "https://b.example/2.jpg"], []) == (
        ["https://a.example/1.jpg", "https://b.example/2.jpg"],
        [],
    )


def test_with_origins_other_images_are_problems() -> None:
    shown, problems = partition_images(
        ["https://a.example/1.jpg", "https://b.example/2.jpg"], ["https://a.example"]
    )

    assert shown == ["https://a.example/1.jpg"]
    assert problems == [
        "The image https://b.example/2.jpg is not shown: its origin is not in ALLOWED_IMAGE_ORIGINS."
    ]


def test_a_local_http_url_is_allowed_only_if_its_origin_is_listed() -> None:
    local = "http://127.0.0.1:9000/shirt.svg"

    assert partition_images([local], [])[0] == []
    assert partition_images([local], ["http://127.0.0.1:9000"])[0] == [local]


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
def test_anything_but_a_plain_https_url_is_a_problem(address: str) -> None:
    shown, problems = partition_images([address], [])

    assert shown == []
    assert len(problems) == 1
