"""What does the owner see first? The desk names what needs a person; what cannot wait stands on every page."""

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
        id=f"prod_{name}", name=name, active=active, problems=problems, created_at=LONG_AGO, read_at=LONG_AGO
    )


def test_the_desk_names_the_products_with_problems_and_their_first_reason(admin_client: Client) -> None:
    a_product("Fern", [])
    a_product("Comet", ["It has no name."])

    desk = admin_client.get(reverse("admin:index")).content.decode()

    assert "1 product has a problem at Stripe" in desk
    assert "Comet: It has no name." in desk
    assert "Fern:" not in desk


def test_what_is_archived_needs_nobody(admin_client: Client) -> None:
    a_product("Comet", ["It has no name."], active=False)

    assert "problem at Stripe" not in admin_client.get(reverse("admin:index")).content.decode()


def test_a_name_from_stripe_stays_text_on_the_desk(admin_client: Client) -> None:
    a_product("<script>", ["It has <b>odd</b> sizes."])

    desk = admin_client.get(reverse("admin:index")).content.decode()

    assert "&lt;script&gt;: It has &lt;b&gt;odd&lt;/b&gt; sizes." in desk


def test_only_what_cannot_wait_stands_on_every_page(admin_client: Client) -> None:
    a_product("Comet", ["It has no name."])

    page = admin_client.get(reverse("admin:shop_product_changelist")).content.decode()

    assert "No worker is at work" in page
    assert "problem at Stripe" not in page


def test_a_shop_that_sells_and_cannot_hear_of_payments_says_so(
    admin_client: Client, settings: Settings
) -> None:
    told = "STRIPE_WEBHOOK_SECRET is not set"
    assert told not in admin_client.get(reverse("admin:index")).content.decode()

    settings.STRIPE_WEBHOOK_SECRETS = []
    assert told in admin_client.get(reverse("admin:index")).content.decode()

    settings.STRIPE_SECRET_KEY = ""  # One step after the other: this shop says already that it cannot sell.
    assert told not in admin_client.get(reverse("admin:index")).content.decode()


def test_a_visitor_who_is_not_logged_in_learns_nothing(client: Client) -> None:
    a_product("Comet", ["It has no name."])

    page = client.get(reverse("admin:login")).content.decode()

    assert "desk-panel__title" not in page
