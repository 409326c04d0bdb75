"""`collectstatic` leaves out what no page links to, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

LINK = re.compile(r"""/static/([^"'?#\s]+)""")


@pytest.fixture
def collected(tmp_path: Path, settings: Settings) -> Path:
    settings.STATIC_ROOT = tmp_path
    call_command("collectstatic", "--no-input", verbosity=0)
    return tmp_path


@pytest.mark.django_db
def test_every_link_of_a_page_has_its_file(collected: Path, admin_client: Client, fake: object) -> None:
    user = User.objects.get()
    addresses = [
        "/",
        "/cart/",
        reverse("admin:index"),
        reverse("admin:auth_user_changelist"),
        reverse("admin:auth_user_change", args=[user.pk]),
        reverse("admin:inventory_stockitem_changelist"),
    ]
    pages = [admin_client.get(address).content.decode() for address in addresses]
    autocomplete = str(AutocompleteSelect(LogEntry._meta.get_field("user"), admin.site).media)

    linked = {link for page in [*pages, autocomplete] for link in LINK.findall(page)}

    assert {"admin/js/vendor/jquery/jquery.min.js", "django_htmx/htmx-2.min.js"} <= linked
    assert "admin/js/vendor/select2/select2.full.min.js" in linked
    assert [link for link in sorted(linked) if not (collected / link).is_file()] == []


def test_libraries_are_collected_in_their_short_form_only(collected: Path) -> None:
    names = {path.name for path in collected.rglob("*.js")}

    assert {name for name in names if name.replace(".js", ".min.js") in names} == set()
    assert {name for name in names if name.startswith("htm")} == {"htmx-2.min.js"}
