"""Tests of the shop's admin panels."""

import re
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from shop.models import Product

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def a_product(name: str, problems: list[str], *, active: bool = True) -> Product:
    return Product.objects.create(
        id=f"prod_{name}",
        name=name,
        active=active,
        problems=problems,
        created_at=LONG_AGO,
        fetched_at=LONG_AGO,
    )


def test_the_first_page_names_products_with_problems(admin_client: Client) -> None:
    a_product("Fern", [])
    a_product("Comet", ["It has no name."])

    page = admin_client.get(reverse("admin:index")).content.decode()

    assert re.search(r">Comet</a>\s*<span class=\"row-more\">It has no name.</span>", page)
    assert ">Fern<" not in page


def test_archived_products_are_not_listed(admin_client: Client) -> None:
    a_product("Comet", ["It has no name."], active=False)

    assert "It has no name." not in admin_client.get(reverse("admin:index")).content.decode()


def test_names_and_problems_are_escaped(admin_client: Client) -> None:
    a_product("<script>", ["It has <b>odd</b> sizes."])

    page = admin_client.get(reverse("admin:index")).content.decode()

    assert "&lt;script&gt;</a>" in page and "It has &lt;b&gt;odd&lt;/b&gt; sizes." in page


def test_only_urgent_panels_are_shown_on_every_page(admin_client: Client) -> None:
    a_product("Comet", ["It has no name."])

    page = admin_client.get(reverse("admin:shop_product_changelist")).content.decode()

    assert "No worker is running" in page
    assert "attention-heading" not in page


def test_a_missing_webhook_secret_is_shown(admin_client: Client, settings: Settings) -> None:
    title = "STRIPE_WEBHOOK_SECRET is not set"
    assert title not in admin_client.get(reverse("admin:index")).content.decode()

    settings.STRIPE_WEBHOOK_SECRETS = []
    assert title in admin_client.get(reverse("admin:index")).content.decode()

    settings.STRIPE_SECRET_KEY = ""  # Without a key, the missing key is reported first.
    assert title not in admin_client.get(reverse("admin:index")).content.decode()


def test_panels_are_hidden_on_the_login_page(client: Client) -> None:
    a_product("Comet", ["It has no name."])

    page = client.get(reverse("admin:login")).content.decode()

    assert "admin-panel__title" not in page
