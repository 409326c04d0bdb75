"""Tests of the theme: text stays readable with any colors, and unknown color names have no swatch."""

import re

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from shop.models import Storefront
from shop.theme import DARK_BACKGROUND, FILLS, INK, contrast, mix, readable_on, stylesheet, swatch_color

colors = st.integers(min_value=0, max_value=0xFFFFFF).map(lambda number: f"#{number:06x}")


def test_contrast_follows_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_readable_color_is_not_changed() -> None:
    assert readable_on("#8a2d1a", "#f7f4ee") == "#8a2d1a"


@given(colors, colors)
def test_any_color_is_shifted_until_it_is_readable(color: str, paper: str) -> None:
    assert contrast(readable_on(color, paper), paper) >= 4.5


@given(colors)
def test_button_text_is_readable_on_any_color(accent: str) -> None:
    for block in stylesheet(accent, "").split("@media"):
        variables = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        assert contrast(variables["on-accent"], variables["accent"]) >= 4.5


def test_a_light_background_does_not_apply_in_dark_mode() -> None:
    light, dark = stylesheet("", "#ffeedd").split("@media (prefers-color-scheme: dark)")

    assert "--paper: #ffeedd;" in light
    assert f"--paper: {DARK_BACKGROUND};" in dark


def test_without_colors_the_stylesheet_is_empty() -> None:
    assert stylesheet("", "") == ""


def test_mix_returns_either_color_at_the_ends() -> None:
    assert (mix(INK, "#ffffff", 0), mix(INK, "#ffffff", 1)) == (INK, "#ffffff")


@pytest.mark.django_db
def test_pages_link_the_theme_and_a_change_has_a_new_url(client: Client) -> None:
    storefront = Storefront.objects.create(accent="#1f4b3f")
    first = re.search(r'href="(/theme.css\?v=[^"]*)"', client.get("/").content.decode())
    storefront.accent = "#203080"
    storefront.save()
    second = re.search(r'href="(/theme.css\?v=[^"]*)"', client.get("/").content.decode())

    assert first and second and first[1] != second[1]
    answer = client.get(second[1])
    assert answer["Content-Type"] == "text/css"
    assert "--accent: #203080;" in answer.content.decode()
    assert "immutable" in answer["Cache-Control"]


def test_a_background_that_is_too_dark_is_rejected() -> None:
    with pytest.raises(ValidationError, match="hard to read"):
        Storefront(background="#404040").clean()


@pytest.mark.parametrize("logo", ["http://x.example/a.png", "javascript:alert(1)"])
def test_the_logo_url_is_checked_like_product_images(logo: str) -> None:
    with pytest.raises(ValidationError, match="is not shown"):
        Storefront(logo=logo).clean()


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Plum", "plum"),
        ("TEAL", "teal"),
        ("Natural", "natural"),
        ("Heather Grey", "grey"),
        ("Heather", "heather"),
        ("Navy Heather", "navy"),
        ("Forest Green", "green"),
        ("off-white", "white"),
    ],
)
def test_the_last_known_word_decides_the_color(name: str, known: str) -> None:
    assert swatch_color(name) == FILLS[known]


@pytest.mark.parametrize("name", ["", "Dusk", "Black/White", "Black & White", "Red and Blue", "#000000"])
def test_unknown_names_and_combinations_have_no_swatch(name: str) -> None:
    assert swatch_color(name) == ""


def test_every_fill_is_a_hex_color() -> None:
    assert all(re.fullmatch("#[0-9a-f]{6}", fill) for fill in FILLS.values())
