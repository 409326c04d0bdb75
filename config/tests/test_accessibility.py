"""The check of a page's accessibility finds what is wrong with it, and checks no page twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from config.tests import accessibility
from config.tests.accessibility import WCAG, violations

PAGE = '<!doctype html><html lang="en"><title>Shirts</title><main><h1>Shirts</h1>{}</main></html>'

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]


@pytest.fixture(autouse=True)
def no_known_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accessibility, "_folder", lambda: tmp_path)


def test_a_picture_without_a_text_is_found_once(page: Page) -> None:
    page.set_content(PAGE.format('<img src="data:,"><img src="data:," alt="A shirt">'))

    [rule] = violations(page)

    assert (rule["id"], rule["impact"]) == ("image-alt", "critical")
    assert [node["html"] for node in rule["nodes"]] == ['<img src="data:,">']


def test_only_rules_with_a_tag_are_asked_for(page: Page) -> None:
    page.set_content(PAGE.format("<h4>Sizes</h4>"))

    assert [rule["id"] for rule in violations(page)] == ["heading-order"]
    assert violations(page, WCAG) == []


ROW = (
    '<form><input type=hidden value="{token}"><label for="id_{key}">Units</label><input id="id_{key}" value="{key}">'
    '</form><p><a href="/orders/{key}/">Sent at {time}</a></p>'
)


def test_a_page_of_another_run_is_not_checked_again(page: Page) -> None:
    for row in ({"key": 17, "token": "a1", "time": "8:29"}, {"key": 12, "token": "b22", "time": "9:05"}):
        page.set_content(PAGE.format(ROW.format(**row)))
        page.evaluate("window.axe = undefined")
        assert violations(page) == []

    assert page.evaluate("typeof axe") == "undefined"


def test_a_page_with_violations_is_checked_again(page: Page) -> None:
    for _attempt in range(2):
        page.set_content(PAGE.format('<img src="data:,">'))
        assert len(violations(page)) == 1


GOOD = "<h2>Sizes</h2><label for=s1>S</label><input id=s1><label for=s2>M</label><input id=s2>"


@pytest.mark.parametrize(
    "changed",
    [
        GOOD.replace("h2", "h3"),
        GOOD.replace("id=s2", "id=s1"),
        GOOD.replace("for=s2", "for=s1"),
        GOOD.replace("<h2", "<h2 style='color: #eee'"),
        GOOD.replace("<h2", "<h2 aria-level=5"),
        GOOD.replace("<input id=s1", "<input id=s1 tabindex=3"),
        f"<style>h2 {{ color: #eee }}</style>{GOOD}",
        GOOD.replace("Sizes", "Sizes 1234567"),
        f"{GOOD}<script>document.getElementById('s2').focus()</script>",
        f"{GOOD}<script>document.getElementById('s2').value = 'twelve'</script>",
    ],
)
def test_a_page_that_axe_may_judge_otherwise_is_checked(page: Page, changed: str) -> None:
    page.set_content(PAGE.format(GOOD))
    key = accessibility._key_of(page, WCAG)

    page.set_content(PAGE.format(changed))

    assert accessibility._key_of(page, WCAG) != key


def test_how_far_a_page_may_be_enlarged_is_part_of_it(page: Page) -> None:
    def key(scale: int) -> str:
        page.set_content(PAGE.format(f'<meta name="viewport" content="maximum-scale={scale}">'))
        return accessibility._key_of(page, None)

    assert key(1) != key(5)


def test_a_page_is_checked_in_each_look_and_for_each_choice_of_rules(page: Page) -> None:
    page.set_content(PAGE.format(GOOD))
    keys = {accessibility._key_of(page, WCAG), accessibility._key_of(page, None)}
    page.emulate_media(color_scheme="dark")
    keys.add(accessibility._key_of(page, None))
    page.set_viewport_size({"width": 390, "height": 844})
    keys.add(accessibility._key_of(page, None))

    assert len(keys) == 4
