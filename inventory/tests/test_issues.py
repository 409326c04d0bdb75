"""Opening issues and appending to them, in the language of the owner."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.translation import override

from inventory import issues
from inventory.db import insert_new
from inventory.models import Issue

pytestmark = pytest.mark.django_db


def test_issues_are_in_the_language_of_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.utils.translation import get_language

    monkeypatch.setattr(issues, "gettext", lambda sentence: f"{get_language()}: {sentence}")

    with override("fr"):
        issues.open_issue(Issue.Kind.OVERSOLD, "prod_shirt stock_M", "%(units)d were not there.", units=2)

    assert Issue.objects.get().text == "en: 2 were not there."


@pytest.mark.parametrize("facts", [{}, {"name": "50 % cotton"}])
def test_a_percent_sign_in_a_text_from_stripe_is_kept(facts: dict[str, Any]) -> None:
    issues.open_issue(
        Issue.Kind.EDIT_TO_REVIEW, "prod_shirt", "%(name)s" if facts else "50 % cotton", **facts
    )

    assert Issue.objects.get().text == "50 % cotton"


def test_a_repeated_text_is_added_once() -> None:
    assert issues.open_issue(Issue.Kind.EDIT_TO_REVIEW, "prod_shirt", "First.")
    for _time in range(2):
        assert not issues.open_issue(Issue.Kind.EDIT_TO_REVIEW, "prod_shirt", "Second.")

    assert Issue.objects.get().text == "First.\nSecond."


def test_an_issue_closed_during_an_addition_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    issues.open_issue(Issue.Kind.EDIT_TO_REVIEW, "prod_shirt", "First.")

    def close_after_the_insert(rows: list[Issue], **options: Any) -> list[Issue]:
        inserted = insert_new(rows, **options)
        if not inserted:
            issues.close(Issue.Kind.EDIT_TO_REVIEW, "prod_shirt")
        return inserted

    monkeypatch.setattr(issues, "insert_new", close_after_the_insert)

    assert issues.open_issue(Issue.Kind.EDIT_TO_REVIEW, "prod_shirt", "Second.")
    assert Issue.objects.get(closed_at=None).text == "Second."


def test_an_issue_is_shown_with_the_label_of_its_kind() -> None:
    issues.open_issue(Issue.Kind.FOREIGN_VERSION, "prod_shirt", "Another shop.")

    assert str(Issue.objects.get()) == "another shop updates this product: prod_shirt"


def test_an_issue_that_is_full_says_so_once() -> None:
    issues.open_issue(Issue.Kind.EDIT_TO_REVIEW, "prod_shirt", "x" * issues.MAX_LENGTH)

    for number in range(3):
        issues.open_issue(Issue.Kind.EDIT_TO_REVIEW, "prod_shirt", f"Report {number}.")

    assert Issue.objects.get().text.split("\n") == ["x" * issues.MAX_LENGTH, issues.FULL]
