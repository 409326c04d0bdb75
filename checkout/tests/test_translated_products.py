"""Tests of products with a name in the customer's language: cart, order page and mails have it, the owner's pages do not."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override
from pytest_django import Settings

from checkout.mail.render import Renderer
from checkout.models import CustomerMail, Order, Refund
from checkout.order_links import order_path
from checkout.orders import mails
from checkout.restock import signups
from checkout.tests.conftest import Customer, deliver, item_of, order_for, put_on_show
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mails_on")]


@pytest.fixture
def shirt(fake: FakeStripe, settings: Settings) -> Product:
    settings.SHOP_LANGUAGES, settings.RESTOCK_SIGNUPS = ["en", "de", "fr"], True
    texts = {"sizes": "S,M", "stock_S": "0", "stock_M": "15", "name_de": "BALM Hemd"}
    return put_on_show(fake, "prod_balm", "BALM T-Shirt", texts)


def paid(fake: FakeStripe, customer: Customer, shirt: Product, language: str) -> Order:
    with override(language):
        order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com", name="Ada Lovelace")
    deliver(fake)
    order.refresh_from_db()
    return order


def text_of(mail: CustomerMail) -> str:
    rendered = Renderer.load().render(mail)
    return rendered.text + re.sub(r"\s+", " ", unescape(rendered.html))


def test_cart_order_page_and_mails_name_it_in_the_language_of_the_order(
    fake: FakeStripe, shirt: Product, customer: Customer, admin_client: Client
) -> None:
    order = paid(fake, customer, shirt, "de")

    assert order.lines.get().name == "BALM T-Shirt"
    mail = text_of(CustomerMail.objects.get(order=order))
    assert "BALM Hemd" in mail and "T-Shirt" not in mail
    with override("de"):
        page = Client().get(order_path(order)).content.decode()
        thanks = customer.come_back(order).content.decode()
    assert '<p class="line__name">BALM Hemd</p>' in page and "BALM Hemd" in thanks
    owner = admin_client.get(reverse("admin:checkout_order_change", args=[order.pk])).content.decode()
    assert "BALM T-Shirt" in owner and "BALM Hemd" not in owner
    # Stripe's Dashboard is the owner's, too.
    assert "BALM T-Shirt" in order.session_params["metadata"]["items"]


def test_without_a_translation_it_is_the_products_own_name_in_its_language(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = paid(fake, customer, shirt, "fr")

    assert "BALM T-Shirt" in text_of(CustomerMail.objects.get(order=order))
    with override("fr"):
        page = Client().get(order_path(order)).content.decode()
    assert '<p class="line__name" lang="en">BALM T-Shirt</p>' in page


def test_a_product_that_was_renamed_since_keeps_the_name_it_was_sold_by(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = paid(fake, customer, shirt, "de")
    Product.objects.update(name="OIL T-Shirt", translations={"de": {"name": "OIL Hemd"}})

    with override("de"):
        page = Client().get(order_path(order)).content.decode()

    assert '<p class="line__name">BALM T-Shirt</p>' in page


def test_messages_of_the_cart_and_mails_about_single_lines_have_it(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    with override("de"):
        customer.put_in(shirt, "M")
        assert "BALM Hemd, M liegt in deinem Warenkorb" in customer.messages()
        assert "BALM Hemd" in customer.get(reverse("restock", args=[shirt.pk])).content.decode()
    order = paid(fake, Customer(), shirt, "de")
    line = order.lines.get()
    assert mails.out_of_stock_context(line, note="")["item"] == "BALM Hemd M"
    refund = Refund.objects.create(order=order, amount=2500, created_at=timezone.now())
    refund.lines.create(line=line, quantity=1)
    mails.tell_refunded(refund)
    assert CustomerMail.objects.latest("pk").context["parts"] == ["1 × BALM Hemd M"]
    assert signups.item_name(item_of(shirt, "S"), "de") == "BALM Hemd S"
    assert signups.item_name(item_of(shirt, "S"), "fr") == "BALM T-Shirt S"
