"""The owner's colours can be read whatever was chosen."""

import re

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from shop.colours import DARK_PAPER, INK, against, contrast, mix, stylesheet
from shop.models import Storefront

colours = st.integers(min_value=0, max_value=0xFFFFFF).map(lambda number: f"#{number:06x}")


def test_contrast_is_the_one_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert against("#8a2d1a", "#f7f4ee") == "#8a2d1a"


@given(colours, colours)
def test_any_colour_is_moved_until_it_can_be_read(colour: str, paper: str) -> None:
    assert contrast(against(colour, paper), paper) >= 4.5


@given(colours)
def test_words_on_a_button_can_be_read_whatever_its_colour(accent: str) -> None:
    for block in stylesheet(accent, "").split("@media"):
        found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        assert contrast(found["on-accent"], found["accent"]) >= 4.5


def test_a_light_paper_does_not_reach_the_dark() -> None:
    light, dark = stylesheet("", "#ffeedd").split("@media (prefers-color-scheme: dark)")

    assert "--paper: #ffeedd;" in light
    assert f"--paper: {DARK_PAPER};" in dark


def test_without_a_choice_there_is_no_stylesheet() -> None:
    assert stylesheet("", "") == ""


def test_mixing_goes_from_one_colour_to_the_other() -> None:
    assert (mix(INK, "#ffffff", 0), mix(INK, "#ffffff", 1)) == (INK, "#ffffff")


@pytest.mark.django_db
def test_pages_link_the_owners_colours_and_a_change_is_another_address(client: Client) -> None:
    storefront = Storefront.objects.create(accent="#1f4b3f")
    first = re.search(r'href="(/look.css\?v=[^"]*)"', client.get("/").content.decode())
    storefront.accent = "#203080"
    storefront.save()
    second = re.search(r'href="(/look.css\?v=[^"]*)"', client.get("/").content.decode())

    assert first and second and first[1] != second[1]
    answer = client.get(second[1])
    assert answer["Content-Type"] == "text/css"
    assert "--accent: #203080;" in answer.content.decode()
    assert "immutable" in answer["Cache-Control"]


def test_a_paper_too_dark_to_read_on_is_refused() -> None:
    with pytest.raises(ValidationError, match="hard to read"):
        Storefront(paper="#404040").clean()


@pytest.mark.parametrize("logo", ["http://x.example/a.png", "javascript:alert(1)"])
def test_a_logo_follows_the_rules_of_images(logo: str) -> None:
    with pytest.raises(ValidationError, match="is not shown"):
        Storefront(logo=logo).clean()
