"""Tests of adding to the cart and changing it, and of the errors that are shown."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.urls import reverse

from checkout.tests.conftest import Customer, item_of, order_for
from fake_stripe import FakeStripe
from inventory.models import StockItem
from inventory.stock import ledger
from shop.models import Product, Storefront
from shop.prices import Price

pytestmark = pytest.mark.django_db

FORGED: dict[str, str] = {
    "price": "price_of_mine",
    "amount": "1",
    "unit_amount": "1",
    "product": "prod_other",
    "quantity": "1",
    "success_url": "https://evil.example",
    "cancel_url": "https://evil.example",
    "currency": "jpy",
    "line_items[0][price]": "price_of_mine",
    "line_items[0][quantity]": "1",
    "mode": "setup",
    "client_reference_id": "evil",
    "metadata[order]": "evil",
    "customer_email": "evil@evil.example",
}


def test_a_size_in_a_color_is_added_at_the_price_of_the_local_catalog(
    shirt: Product, customer: Customer
) -> None:
    response = customer.put_in(shirt, "M", "Black", 2)

    page = customer.get(reverse("cart")).content.decode()
    assert response["Location"] == reverse("cart")
    assert "BALM T-Shirt" in page and "$50.00" in page
    assert customer.lines() == [[item_of(shirt, "M").id, "Black", 2]]


def test_origin_fault_16_another_size_of_the_same_product_is_a_line_of_its_own(
    shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M", "Black", 2)
    customer.put_in(shirt, "L", "Black", 1)
    customer.put_in(shirt, "M", "White", 1)
    customer.put_in(shirt, "M", "Black", 1)

    medium, large = item_of(shirt, "M").id, item_of(shirt, "L").id
    assert customer.lines() == [[medium, "Black", 3], [large, "Black", 1], [medium, "White", 1]]


def test_origin_fault_09_amounts_prices_and_products_in_the_form_are_ignored(
    shirt: Product, customer: Customer
) -> None:
    form = {"item": item_of(shirt, "M").id, "color": "Black", "quantity": "1"}

    customer.post(reverse("cart_add"), FORGED | form)

    page = customer.get(reverse("cart")).content.decode()
    assert "$25.00" in page and "price_of_mine" not in page


def test_origin_fault_09_everything_in_the_form_that_leads_to_payment_is_ignored(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M", quantity=2)

    customer.post(reverse("checkout_start"), FORGED)
    customer.post(reverse("checkout_start"), FORGED, content_type="application/json")

    [session] = fake.sessions.values()
    [line] = fake.lines(session["id"])
    assert (line["quantity"], line["price"]["id"], line["amount_total"]) == (2, shirt.default_price_id, 5000)
    assert (session["amount_total"], session["currency"], session["mode"]) == (5000, "usd", "payment")
    assert session["success_url"].startswith("http://testserver/checkout/thank-you/")
    assert session["cancel_url"].startswith("http://testserver/")
    assert "evil" not in json.dumps(session) and "price_of_mine" not in json.dumps(session)


@pytest.mark.parametrize(
    "quantity", ["0", "-1", "100", "999999999999999999999", "two", "1.5", "", " ", "+1", "1_0", "٣", "1e1"]
)
def test_a_quantity_that_is_not_a_small_whole_number_is_rejected(
    shirt: Product, customer: Customer, quantity: str
) -> None:
    customer.put_in(shirt, "M", "Black", quantity)

    assert not Session.objects.exists()
    messages = customer.messages()
    assert "quantity" in messages or "at most 10" in messages
    assert customer.lines() == []


@pytest.mark.parametrize("quantity", ["11", "99999999999999999999", "9" * 5000])
def test_a_quantity_that_is_too_large_is_rejected_as_too_large(
    shirt: Product, customer: Customer, quantity: str
) -> None:
    customer.put_in(shirt, "M", "Black", quantity)

    assert customer.messages() == "You can order at most 10 of one item."


def test_a_quantity_that_was_not_sent_is_one(shirt: Product, customer: Customer) -> None:
    customer.post(reverse("cart_add"), {"item": item_of(shirt, "M").id, "color": "Black"})

    assert customer.lines() == [[item_of(shirt, "M").id, "Black", 1]]


@pytest.mark.parametrize(
    "item", ["", "0", "-1", "999999999", "99999999999999999999999", "abc", "1; DROP", "prod_balm"]
)
def test_an_unknown_item_is_rejected(shirt: Product, customer: Customer, item: str) -> None:
    customer.post(reverse("cart_add"), {"item": item, "color": "Black", "quantity": "1"})

    assert customer.lines() == []
    assert customer.get(reverse("cart")).status_code == 200


@pytest.mark.parametrize("color", ["", "Purple", "black", "<script>", "Black "])
def test_a_color_that_the_product_does_not_come_in_is_rejected(
    shirt: Product, customer: Customer, color: str
) -> None:
    customer.post(reverse("cart_add"), {"item": item_of(shirt, "M").id, "color": color, "quantity": "1"})

    assert customer.lines() == []


def test_the_error_names_the_sizes_that_are_available(shirt: Product, customer: Customer) -> None:
    customer.put_in(shirt, "S")

    assert customer.messages() == "BALM T-Shirt S is sold out. Still available: M, L."
    assert customer.lines() == []


def test_colors_share_the_count_of_their_size(shirt: Product, customer: Customer) -> None:
    customer.put_in(shirt, "L", "Black", 1)
    customer.put_in(shirt, "L", "White", 2)

    assert "Only 2 left of BALM T-Shirt L." in customer.messages()
    assert customer.lines() == [[item_of(shirt, "L").id, "Black", 1]]


def test_an_item_reserved_in_another_cart_may_become_available_again(
    shirt: Product, customer: Customer
) -> None:
    ledger.hold("order:another", {item_of(shirt, "L").id: 2})

    customer.put_in(shirt, "L")

    assert "BALM T-Shirt L is reserved in another cart" in customer.messages()


def test_stock_that_is_not_counted_is_limited_by_the_cart_only(fake: FakeStripe, customer: Customer) -> None:
    from checkout.tests.conftest import put_on_show

    stickers = put_on_show(fake, "prod_stickers", "Stickers", {"stock": "unlimited"})

    customer.put_in(stickers, quantity=10)

    assert customer.lines() == [[item_of(stickers).id, "", 10]]
    customer.put_in(stickers, quantity=1)
    assert customer.lines() == [[item_of(stickers).id, "", 10]]


def test_a_line_changes_its_quantity_and_its_size(shirt: Product, customer: Customer) -> None:
    customer.put_in(shirt, "M", "Black", 2)
    medium, large = item_of(shirt, "M").id, item_of(shirt, "L").id

    customer.post(reverse("cart_change"), {"item": medium, "color": "Black", "quantity": "5"})
    assert customer.lines() == [[medium, "Black", 5]]

    customer.post(
        reverse("cart_change"), {"item": medium, "color": "Black", "quantity": "1", "to_item": large}
    )
    assert customer.lines() == [[large, "Black", 1]]


def test_a_change_of_size_that_is_sent_twice_is_applied_once(shirt: Product, customer: Customer) -> None:
    customer.put_in(shirt, "M", "Black", 1)
    medium, large = item_of(shirt, "M").id, item_of(shirt, "L").id

    for _click in range(2):
        form = {"item": medium, "color": "Black", "quantity": "2", "to_item": large}
        customer.post(reverse("cart_change"), form)

    assert customer.lines() == [[large, "Black", 2]]


def test_a_line_that_gets_the_size_of_another_line_is_merged_with_it(
    shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M", "Black", 1)
    customer.put_in(shirt, "L", "Black", 1)
    medium, large = item_of(shirt, "M").id, item_of(shirt, "L").id

    customer.post(
        reverse("cart_change"), {"item": large, "color": "Black", "quantity": "1", "to_item": medium}
    )

    assert customer.lines() == [[medium, "Black", 2]]


def test_a_line_does_not_become_another_product(shirt: Product, poster: Product, customer: Customer) -> None:
    customer.put_in(shirt, "M")
    before = customer.lines()

    customer.post(
        reverse("cart_change"),
        {"item": item_of(shirt, "M").id, "color": "Black", "quantity": "1", "to_item": item_of(poster).id},
    )

    assert customer.lines() == before


def test_a_rejected_change_leaves_the_line_as_it_was(shirt: Product, customer: Customer) -> None:
    customer.put_in(shirt, "L", "Black", 1)
    large = item_of(shirt, "L").id

    for quantity in ("0", "-3", "3", "many"):
        customer.post(reverse("cart_change"), {"item": large, "color": "Black", "quantity": quantity})

    assert customer.lines() == [[large, "Black", 1]]


def test_a_quantity_can_be_lowered_although_not_all_units_are_left(
    shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M", "Black", 10)
    ledger.hold("order:another", {item_of(shirt, "M").id: 12})

    customer.post(reverse("cart_change"), {"item": item_of(shirt, "M").id, "color": "Black", "quantity": "3"})

    assert customer.lines() == [[item_of(shirt, "M").id, "Black", 3]]


def test_removing_a_line_is_idempotent(shirt: Product, customer: Customer) -> None:
    customer.put_in(shirt, "M")
    form = {"item": item_of(shirt, "M").id, "color": "Black", "remove": "1"}

    customer.post(reverse("cart_change"), form)
    customer.post(reverse("cart_change"), form)

    assert customer.lines() == []
    assert "Your cart is empty." in customer.get(reverse("cart")).content.decode()


def test_an_item_that_is_no_longer_for_sale_is_marked_and_costs_nothing(
    shirt: Product, poster: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    customer.put_in(poster)
    Product.objects.filter(id=shirt.id).update(active=False)

    page = customer.get(reverse("cart")).content.decode()

    assert "no longer for sale" in page
    assert "$12.00" in page and "$37.00" not in page


def test_an_item_that_sold_out_is_marked_with_the_sizes_that_are_available(
    shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "L")
    StockItem.objects.filter(id=item_of(shirt, "L").id).update(on_hand=0)

    page = customer.get(reverse("cart")).content.decode()

    assert "BALM T-Shirt L is sold out. Still available: M." in page


def test_a_size_without_a_price_is_offered_by_no_line_and_no_error(
    shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "L")
    assert ">M</option>" in customer.get(reverse("cart")).content.decode()
    Product.objects.update(prices=[Price("price_l", "usd", 2500, size="L").as_row()])

    page = customer.get(reverse("cart")).content.decode()
    customer.put_in(shirt, "L", quantity=5)

    assert ">M</option>" not in page
    assert customer.messages() == "Only 2 left of BALM T-Shirt L."


def test_markup_in_a_name_stays_text(fake: FakeStripe, customer: Customer) -> None:
    from checkout.tests.conftest import put_on_show

    product = put_on_show(fake, "prod_product", "<script>alert(1)</script>", {"stock": "3"})
    customer.put_in(product)

    page = customer.get(reverse("cart")).content.decode()

    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page


def test_an_empty_cart_makes_no_queries_of_its_own(db: None, django_assert_max_num_queries: object) -> None:
    assert connection.features.supports_json_field  # Django asks the database once for each process.
    with django_assert_max_num_queries(1):  # type: ignore[operator]  # The storefront.
        page = Client().get(reverse("cart"))

    assert page.status_code == 200
    assert not Session.objects.exists()


@pytest.mark.parametrize("lines", [1, 12])
def test_the_cart_page_takes_at_most_four_queries_however_full(
    fake: FakeStripe, customer: Customer, lines: int, django_assert_max_num_queries: object
) -> None:
    from checkout.tests.conftest import put_on_show
    from shop.models import Storefront

    Storefront().save()
    for number in range(lines):
        customer.put_in(put_on_show(fake, f"prod_{number}", f"Shirt {number}", {"stock": "3"}))
    customer.go_to_payment()

    with django_assert_max_num_queries(4):  # type: ignore[operator]
        page = customer.get(reverse("cart"))

    assert f"Shirt {lines - 1}" in page.content.decode()


@pytest.mark.parametrize("form", ["cart_add", "cart_change"])
def test_a_get_request_of_a_form_redirects_to_the_cart_and_changes_nothing(
    shirt: Product, customer: Customer, form: str
) -> None:
    customer.put_in(shirt, "M")
    data = {"item": str(item_of(shirt, "M").id), "color": "Black", "quantity": "2", "remove": "1"}

    response = customer.get(reverse(form), data)

    assert response["Location"] == reverse("cart")
    assert customer.put(reverse(form)).status_code == 405
    assert customer.lines() == [[item_of(shirt, "M").id, "Black", 1]]


def test_hidden_counts_are_shown_in_no_message_and_no_field(shirt: Product, customer: Customer) -> None:
    Storefront.objects.create(show_counts=False)
    customer.put_in(shirt, "L")

    customer.put_in(shirt, "L", quantity=9)
    page = customer.get(reverse("cart")).content.decode()

    assert "There are not enough left of BALM T-Shirt L. Still available: M." in page
    assert 'max="10"' in page and 'max="2"' not in page
    StockItem.objects.filter(id=item_of(shirt, "L").id).update(on_hand=1)
    customer.put_in(shirt, "M", quantity=10)
    StockItem.objects.filter(id=item_of(shirt, "M").id).update(on_hand=7)
    page = customer.get(reverse("cart")).content.decode()
    assert "There are not enough left of BALM T-Shirt M." in page and "Only" not in page


def test_a_cart_of_which_nothing_can_be_bought_has_no_total_and_no_payment_button(
    shirt: Product, poster: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M")
    customer.put_in(poster)
    Product.objects.update(active=False)

    page = customer.get(reverse("cart")).content.decode()

    assert "Nothing in your cart can be bought anymore" in page
    assert "$0.00" not in page and f'action="{reverse("checkout_start")}"' not in page


def test_a_form_with_too_many_fields_is_answered_with_the_shops_error_page(customer: Customer) -> None:
    form = urlencode({f"field{number}": "" for number in range(1001)})

    response = customer.post("/cart/add/", form, content_type="application/x-www-form-urlencoded")

    page = response.content.decode()
    assert response.status_code == 400
    assert "We could not read that" in page and "shop/shop.css" in page
    assert not Session.objects.exists()


def test_a_form_that_is_too_large_is_refused_before_it_is_read(customer: Customer) -> None:
    form = urlencode({"item": "x" * 3 * 1024 * 1024})

    response = customer.post("/cart/add/", form, content_type="application/x-www-form-urlencoded")

    assert (response.status_code, response.content) == (413, b"The body is larger than 1048576 bytes.\n")
    assert not Session.objects.exists()


def test_a_url_with_thousands_of_parameters_is_answered_with_the_shops_error_page(
    customer: Customer,
) -> None:
    response = customer.get("/products/?" + "&".join(f"q{number}=1" for number in range(3000)))

    assert response.status_code == 400 and "We could not read that" in response.content.decode()


def test_a_form_from_another_site_changes_nothing(shirt: Product) -> None:
    strict = Client(enforce_csrf_checks=True)

    response = strict.post(
        reverse("cart_add"), {"item": item_of(shirt, "M").id, "color": "Black", "quantity": "1"}
    )

    assert response.status_code == 403
    assert not Session.objects.exists()


def test_images_of_cart_and_order_have_the_dimensions_of_their_tiles(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    Product.objects.update(images=["https://cdn.example/1.jpg"])
    order = order_for(customer, shirt)

    for page in customer.get(reverse("cart")), customer.come_back(order):
        assert '<img src="https://cdn.example/1.jpg" alt="" width="160" height="160"' in page.content.decode()
