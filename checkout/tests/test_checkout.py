"""Tests of starting a checkout: the request to Stripe, the hold, and what happens to the cart."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from pytest_django.asserts import assertContains

from checkout.cart.cart import Cart
from checkout.models import Order
from checkout.orders import checkout
from checkout.tests.conftest import (
    Customer,
    held,
    item_of,
    only_order,
    order_for,
    put_on_show,
)
from fake_stripe import FakeStripe
from inventory.models import Issue, StockItem
from inventory.stock import ledger
from shop.models import Product

pytestmark = pytest.mark.django_db


def test_going_to_payment_holds_the_units_and_sends_the_customer_to_stripe(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)

    assert held(shirt, "M") == 2
    assert (order.state, order.session_id) == ("open", next(iter(fake.sessions)))
    assert customer.lines() == [[item_of(shirt, "M").id, "Black", 2]]


def test_a_checkout_domain_of_the_account_is_reached_through_a_page_that_links_to_it(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    fake.base_url = "https://pay.shop.example"
    customer.put_in(shirt, "M")

    answer = customer.go_to_payment()

    assert answer["Location"] == reverse("checkout_start")
    page = customer.get(answer["Location"])
    session_url = only_order().session_url
    assert session_url.startswith("https://pay.shop.example/")
    assertContains(page, f'<meta http-equiv="refresh" content="0; url={session_url}">', html=True)
    assertContains(page, f'<a class="button" href="{session_url}">Continue to payment</a>', html=True)
    assert "no-store" in page["Cache-Control"]
    assert held(shirt, "M") == 1


def test_the_session_has_the_order_under_every_key_that_is_read(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)

    session = fake.sessions[order.session_id or ""]
    line = fake.lines(session["id"])[0]
    assert session["client_reference_id"] == str(order.id)
    assert session["metadata"] == {
        "order": str(order.id),
        "items": "2 × BALM T-Shirt M Black",
        "size": "M",
        "item_0_size": "M",
        "item_0_product_id": "prod_balm",
        "item_0_quantity": "2",
    }
    assert line["metadata"] == {"size": "M", "color": "Black", "product": "prod_balm"}
    assert (line["quantity"], line["price"]["id"]) == (2, shirt.default_price_id)
    assert session["shipping_address_collection"] == {"allowed_countries": ["US", "DE"]}


def test_the_payment_has_the_order_in_its_metadata(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt)

    fake.pay(order.session_id or "")

    intent = next(iter(fake.payment_intents.values()))
    assert intent["metadata"]["order"] == str(order.id)


def test_the_session_expires_after_the_minutes_of_the_setting(
    fake: FakeStripe, shirt: Product, customer: Customer, settings: Settings
) -> None:
    settings.CHECKOUT_EXPIRES_MINUTES = 50

    order = order_for(customer, shirt)

    session = fake.sessions[order.session_id or ""]
    assert 49 * 60 <= session["expires_at"] - session["created"] <= 50 * 60
    assert order.expires_at is not None and int(order.expires_at.timestamp()) == session["expires_at"]


def test_payment_methods_quantities_and_recovery_are_left_to_the_dashboard(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt)

    params = order.session_params
    assert not {"payment_method_types", "after_expiration", "ui_mode"} & set(params)
    assert all("adjustable_quantity" not in line for line in params["line_items"])


def test_shipping_tax_promotion_codes_and_phone_number_follow_the_settings(
    shirt: Product, customer: Customer, settings: Settings
) -> None:
    from checkout.session_params import session_params

    order = order_for(customer, shirt)
    settings.SHIPPING_RATES = ["shr_post", "shr_courier"]
    settings.STRIPE_AUTOMATIC_TAX = settings.ALLOW_PROMOTION_CODES = settings.COLLECT_PHONE_NUMBER = True
    settings.SHIPPING_COUNTRIES = []
    assert order.expires_at

    params = session_params(order, list(order.lines.all()), expires_at=order.expires_at)

    assert params["shipping_options"] == [{"shipping_rate": "shr_post"}, {"shipping_rate": "shr_courier"}]
    assert params["automatic_tax"] == {"enabled": True}
    assert params["allow_promotion_codes"] is True
    assert params["phone_number_collection"] == {"enabled": True}
    assert "shipping_address_collection" not in params


def test_origin_fault_08_stock_is_checked_when_the_checkout_starts(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "L", quantity=2)
    ledger.hold("order:another", {item_of(shirt, "L").id: 1})

    response = customer.go_to_payment()

    assert response["Location"] == reverse("cart")
    page = customer.get(reverse("cart")).content.decode()
    assert "Something in your cart has changed. Please check the marked items." in page
    assert page.count("Only 1 left of BALM T-Shirt L.") == 1
    assert not fake.sessions and not Order.objects.exists()
    assert customer.lines() == [[item_of(shirt, "L").id, "Black", 2]]


def test_a_customer_who_is_too_late_for_the_last_unit_keeps_the_cart_and_sees_why(
    fake: FakeStripe, shirt: Product, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last units are held between this customer's check of the cart and the hold."""
    customer.put_in(shirt, "L", quantity=2)
    assert "is in your cart" in customer.messages()
    large = item_of(shirt, "L").id
    create_order = checkout._create_order

    def another_customer_is_faster(cart: Cart, *, now: datetime, network: str) -> Order:
        assert cart.lines
        StockItem.objects.filter(id=large).update(on_hand=0)
        return create_order(cart, now=now)

    monkeypatch.setattr(checkout, "_create_order", another_customer_is_faster)
    response = customer.go_to_payment()

    assert response["Location"] == reverse("cart")
    page = customer.get(reverse("cart")).content.decode()
    assert "Another customer was faster. Please check the marked items." in page
    assert page.count("BALM T-Shirt L is sold out. Still available: M.") == 1
    assert customer.lines() == [[large, "Black", 2]]
    assert not Order.objects.exists() and not fake.sessions and held(shirt, "L") == 0


def test_demand_is_summed_per_size_over_all_colors(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M", "Black", 2)
    customer.put_in(shirt, "M", "White", 3)

    customer.go_to_payment()

    assert held(shirt, "M") == 5
    assert [(line.color, line.quantity) for line in only_order().lines.all()] == [("Black", 2), ("White", 3)]


def test_origin_fault_12_forty_sized_lines_fit_into_one_session(fake: FakeStripe, customer: Customer) -> None:
    for number in range(40):
        product = put_on_show(fake, f"prod_{number}", f"Shirt {number}", {"sizes": "M", "stock_M": "5"})
        customer.put_in(product, "M")

    customer.go_to_payment()

    session = fake.sessions[only_order().session_id or ""]
    lines = fake.lines(session["id"])
    assert len(lines) == 40 and {line["metadata"]["size"] for line in lines} == {"M"}
    assert set(session["metadata"]) == {"order", "items"} and len(session["metadata"]["items"]) <= 500


def test_sixteen_sized_lines_have_the_older_keys(fake: FakeStripe, customer: Customer) -> None:
    for number in range(16):
        product = put_on_show(fake, f"prod_{number}", f"Shirt {number}", {"sizes": "M", "stock_M": "5"})
        customer.put_in(product, "M")

    customer.go_to_payment()

    metadata = fake.sessions[only_order().session_id or ""]["metadata"]
    assert len(metadata) == 50 and metadata["item_15_size"] == "M"


def test_origin_fault_21_return_urls_come_from_the_settings_and_not_from_the_request(
    fake: FakeStripe, shirt: Product, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    stranger = Customer(SERVER_NAME="evil.example", headers={"origin": "https://evil.example"})

    order = order_for(stranger, shirt)

    session = fake.sessions[order.session_id or ""]
    assert session["success_url"].startswith("http://testserver/") and "evil" not in session["success_url"]
    assert session["success_url"].endswith("?session_id={CHECKOUT_SESSION_ID}")
    assert session["cancel_url"] == "http://testserver/checkout/cancelled/"


def test_a_double_click_is_one_order_with_one_page(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    first = order_for(customer, shirt)

    again = customer.go_to_payment()

    assert again["Location"] == first.session_url
    assert Order.objects.count() == 1 and len(fake.sessions) == 1 and held(shirt, "M") == 2


def test_the_second_of_two_simultaneous_clicks_continues_with_the_first_ones_order(
    fake: FakeStripe, shirt: Product, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both searched for an open order before either had saved one. A unique constraint admits only one."""
    customer.put_in(shirt, "M", quantity=2)
    resume, results = checkout._resume_open_order, []

    def resume_before_the_other_click(cart: Cart, *, now: datetime) -> Order | None:
        order = resume(cart, now=now)
        results.append(order)
        if len(results) == 1:
            checkout.create_stripe_session(checkout._create_order(cart, now=now), first=True)
        return order

    monkeypatch.setattr(checkout, "_resume_open_order", resume_before_the_other_click)
    response = customer.go_to_payment()

    assert results == [None, only_order()]
    assert response["Location"] == only_order().session_url
    assert len(fake.sessions) == 1 and held(shirt, "M") == 2


def test_a_changed_cart_replaces_its_payment_page_and_is_not_blocked_by_its_own_hold(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """woocommerce#67354: the customer's own hold counted as a shortage."""
    first = order_for(customer, shirt, "L", 2)
    customer.post(reverse("cart_change"), {"item": item_of(shirt, "L").id, "color": "Black", "quantity": "1"})
    customer.put_in(shirt, "L", "White", 1)

    customer.go_to_payment()

    first.refresh_from_db()
    assert first.state == Order.State.CANCELED
    assert fake.sessions[first.session_id or ""]["status"] == "expired"
    assert held(shirt, "L") == 2 and Order.objects.filter(state="open").count() == 1


def test_a_customer_who_paid_in_another_tab_is_sent_to_the_thank_you_page(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt)
    fake.pay(order.session_id or "")

    response = customer.go_to_payment()

    assert response["Location"] == f"{reverse('thank_you')}?session_id={order.session_id}"
    assert len(fake.sessions) == 1


def test_a_customer_who_paid_and_changed_the_cart_is_sent_to_the_thank_you_page_first(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt)
    fake.pay(order.session_id or "")
    customer.put_in(poster)

    response = customer.go_to_payment()
    customer.get(response["Location"])

    assert order.session_id and order.session_id in response["Location"]
    assert customer.lines() == [[item_of(poster).id, "", 1]]


def test_items_added_in_another_tab_must_be_seen_before_paying(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    seen = fingerprint_on(customer.get(reverse("cart")).content.decode())
    customer.put_in(shirt, "M", quantity=4)

    response = customer.post(reverse("checkout_start"), {"seen": seen})

    assert response["Location"] == reverse("cart")
    page = customer.get(reverse("cart")).content.decode()
    assert "Your cart has changed." in page
    assert not fake.sessions and not Order.objects.exists() and held(shirt, "M") == 0
    customer.post(reverse("checkout_start"), {"seen": fingerprint_on(page)})
    assert only_order().lines.get().quantity == 5


def fingerprint_on(page: str) -> str:
    [seen] = re.findall(r'name="seen" value="(\w+)"', page)
    return str(seen)


def test_an_expired_payment_page_is_replaced(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    first = order_for(customer, shirt)
    fake.expire(first.session_id or "")

    response = customer.go_to_payment()

    second = Order.objects.get(state=Order.State.OPEN)
    assert response["Location"] == second.session_url and second.id != first.id
    assert held(shirt, "M") == 2


def test_a_payment_page_that_expires_in_a_moment_is_replaced(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    first = order_for(customer, shirt)
    Order.objects.update(expires_at=timezone.now() + timedelta(minutes=4))

    customer.go_to_payment()

    first.refresh_from_db()
    assert (
        first.state == Order.State.CANCELED and fake.sessions[first.session_id or ""]["status"] == "expired"
    )
    assert Order.objects.filter(state="open").count() == 1 and held(shirt, "M") == 2


def test_thirty_minutes_are_promised_only_before_a_new_payment_page(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    assert "at least 30 minutes" in customer.get(reverse("cart")).content.decode()

    customer.go_to_payment()

    page = customer.get(reverse("cart")).content.decode()
    assert "at least 30 minutes" not in page and "reserved for you for another 34 minutes" in page


def test_a_late_retry_of_a_request_without_an_response_gets_a_new_payment_page(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M", quantity=2)
    fake.faults.add("cut", path="/v1/checkout/sessions", times=1)
    customer.go_to_payment()

    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        response = customer.go_to_payment()

    assert response["Location"] == Order.objects.get(state="open").session_url
    assert Order.objects.filter(state="canceled").count() == 1 and held(shirt, "M") == 2
    assert not Issue.objects.exists()


def test_a_changed_price_replaces_the_payment_page(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    first = order_for(customer, shirt)
    fake.add_price(shirt.id, unit_amount=3000, currency="usd", metadata={"size": "M"})
    from shop import gateway, mirror

    mirror.upsert_product(gateway.fetch_product(shirt.id))

    customer.go_to_payment()

    first.refresh_from_db()
    assert first.state == Order.State.CANCELED
    assert Order.objects.get(state="open").lines.get().unit_amount == 3000


def test_an_order_keeps_the_language_of_its_customer(
    fake: FakeStripe, shirt: Product, client: Client, settings: Settings
) -> None:
    settings.SHOP_LANGUAGES = ["en", "de"]
    item = shirt.stock_items.get(size="M")
    client.post("/de/cart/add/", {"item": item.pk, "color": "Black", "quantity": 1})

    answer = client.post("/de/checkout/")

    order = Order.objects.get()
    assert order.language == "de" and answer.status_code == 302
    assert order.session_params["locale"] == "de"
    assert order.session_params["success_url"].startswith("http://testserver/de/checkout/thank-you/")
    assert order.session_params["cancel_url"] == "http://testserver/de/checkout/cancelled/"
    assert fake.sessions[order.session_id or ""]["locale"] == "de"


def test_a_shop_in_english_leaves_the_language_of_the_payment_page_to_stripe(
    shirt: Product, customer: Customer
) -> None:
    assert "locale" not in order_for(customer, shirt).session_params
