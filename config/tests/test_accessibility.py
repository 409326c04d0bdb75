"""The check of a page's accessibility finds what is wrong with it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from config.tests.accessibility import WCAG, violations

PAGE = '<!doctype html><html lang="en"><title>Shirts</title><main><h1>Shirts</h1>{}</main></html>'

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]


def test_a_picture_without_a_text_is_found_once(page: Page) -> None:
    page.set_content(PAGE.format('<img src="data:,"><img src="data:," alt="A shirt">'))

    [rule] = violations(page)

    assert (rule["id"], rule["impact"]) == ("image-alt", "critical")
    assert [node["html"] for node in rule["nodes"]] == ['<img src="data:,">']


def test_only_rules_with_a_tag_are_asked_for(page: Page) -> None:
    page.set_content(PAGE.format("<h4>Sizes</h4>"))

    assert [rule["id"] for rule in violations(page)] == ["heading-order"]
    assert violations(page, WCAG) == []
