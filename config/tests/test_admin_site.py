"""Old bookmarks of the admin lead to the pages of the renamed models."""

from __future__ import annotations

import pytest
from django.test import Client

from config.admin import RENAMED_PAGES


@pytest.mark.parametrize(("old", "new"), RENAMED_PAGES.items())
@pytest.mark.parametrize("rest", ["", "7/change/", "?closed=no", "a%2Fb/change/"])
def test_an_old_bookmark_is_redirected(old: str, new: str, rest: str) -> None:
    answer = Client().get(f"/admin/{old}{rest}")

    assert answer.status_code == 301
    assert answer["Location"] == f"/admin/{new}{rest.replace('%2F', '/')}"


@pytest.mark.django_db
@pytest.mark.parametrize("new", RENAMED_PAGES.values())
def test_the_new_page_exists(new: str, admin_client: Client) -> None:
    assert admin_client.get(f"/admin/{new}").status_code == 200


def test_a_bookmark_cannot_lead_to_another_site() -> None:
    answer = Client().get("/admin/inventory/case///evil.example/")

    assert answer["Location"].startswith("/admin/inventory/issue/")
