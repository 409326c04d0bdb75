"""The stock grid: whole deliveries and counts in one form, stale counts, double clicks, filters and queries."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.models import Movement, StockItem
from inventory.tests.factories import Shirt

URL = "/admin/inventory/stockitem/grid/"


@pytest.fixture
def owner(admin_client: Client) -> Client:
    return admin_client


def page(client: Client, query: str = "") -> str:
    answer = client.get(URL + query)
    assert answer.status_code == 200
    return answer.content.decode()


def fields(shirt: Shirt, **typed: str) -> dict[str, str]:
    return {f"u{shirt.item(size).pk}": text for size, text in typed.items()}


def seen(html: str) -> dict[str, str]:
    return dict(re.findall(r'name="(w\d+)" value="(-?\d+)"', html))


def token(html: str) -> str:
    [match] = re.findall(r'name="token" value="(\w+)"', html)
    return str(match)


def units(shirt: Shirt) -> list[int]:
    items = [shirt.item(size) for size in ("S", "M", "L")]
    return [(item.on_hand or 0) + item.pending for item in items]


def test_a_delivery_of_many_sizes_is_received_at_once(owner: Client, shirt: Shirt) -> None:
    html = page(owner)

    answer = owner.post(
        URL,
        {"token": token(html), "reason": "Delivery 14", **fields(shirt, S="12", M="", L="6")},
        follow=True,
    )

    assert "2 sizes changed, +18 units." in answer.content.decode()
    assert units(shirt) == [22, 15, 11]
    assert {row.reason for row in Movement.objects.filter(kind="received")} == {"Delivery 14"}
    assert len({row.reference for row in Movement.objects.filter(kind="received")}) == 1
    shirt.settle()
    assert (shirt.at_stripe("S"), shirt.at_stripe("L")) == ("22", "11")


def test_counted_shelves_set_the_stock(owner: Client, shirt: Shirt) -> None:
    html = page(owner, "?mode=count")

    owner.post(
        f"{URL}?mode=count",
        {"token": token(html), "reason": "Stocktaking", **seen(html), **fields(shirt, S="8", L="0")},
    )

    assert units(shirt) == [8, 15, 0]


def test_a_stale_count_is_refused_beside_its_field_and_nothing_is_saved(owner: Client, shirt: Shirt) -> None:
    html = page(owner, "?mode=count")
    shirt.sell("M", 2)
    form = {"token": token(html), "reason": "Stocktaking", **fields(shirt, S="8", M="14")}

    answer = owner.post(f"{URL}?mode=count", {**form, **seen(html)})

    refused = answer.content.decode()
    assert answer.status_code == 200 and "changed meanwhile from 15 to 13" in refused
    assert 'value="14"' in refused and 'value="8"' in refused
    assert units(shirt) == [10, 13, 5]

    owner.post(f"{URL}?mode=count", {**form, **seen(refused)})
    assert units(shirt) == [8, 14, 5]


def test_a_delivery_is_added_whatever_was_sold_meanwhile(owner: Client, shirt: Shirt) -> None:
    html = page(owner)
    shirt.sell("M", 2)

    owner.post(URL, {"token": token(html), "reason": "r", **fields(shirt, M="10")})

    assert units(shirt) == [10, 23, 5]


def test_a_second_click_counts_nothing(owner: Client, shirt: Shirt) -> None:
    form = {"token": token(page(owner)), "reason": "r", **fields(shirt, M="10")}
    owner.post(URL, form)

    answer = owner.post(URL, form, follow=True)

    assert "Nothing changed: this was saved before" in answer.content.decode()
    assert units(shirt) == [10, 25, 5]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("abc", "“abc” is not a whole number of units."),
        ("-3", "“-3” is not a whole number of units."),
        ("1.5", "is not a whole number of units."),
        ("9999999", "the largest count."),
        ("999999", "six digits"),
        ("<b>", "“&lt;b&gt;” is not a whole number"),
    ],
)
def test_a_bad_number_is_refused_beside_its_field_and_nothing_is_saved(
    owner: Client, shirt: Shirt, typed: str, sentence: str
) -> None:
    html = page(owner)

    answer = owner.post(URL, {"token": token(html), "reason": "r", **fields(shirt, S="1", M=typed)})

    assert sentence in answer.content.decode() and 'aria-invalid="true"' in answer.content.decode()
    assert units(shirt) == [10, 15, 5] and not Movement.objects.filter(kind="received").exists()


@pytest.mark.parametrize("missing", ["reason", "token"])
def test_an_incomplete_form_saves_nothing(owner: Client, shirt: Shirt, missing: str) -> None:
    form = {"token": token(page(owner)), "reason": "r", **fields(shirt, M="10")}

    answer = owner.post(URL, {**form, missing: ""})

    assert answer.status_code == 200 and units(shirt) == [10, 15, 5]


def test_an_empty_form_asks_for_a_number(owner: Client, shirt: Shirt) -> None:
    answer = owner.post(URL, {"token": token(page(owner)), "reason": "r"})

    assert "Type at least one number." in answer.content.decode()


def test_a_size_removed_meanwhile_is_left_alone(owner: Client, shirt: Shirt) -> None:
    html = page(owner)
    shirt.edit_keys({"sizes": "S,M"})
    shirt.settle()

    owner.post(URL, {"token": token(html), "reason": "r", **fields(shirt, M="1", L="1")})

    assert units(shirt) == [10, 16, 5]


def test_sizes_are_columns_and_missing_ones_stay_blank(
    owner: Client, new_shirt: Callable[..., Shirt]
) -> None:
    new_shirt("prod_a", XL=1, S=2).sync()
    new_shirt("prod_b", M=3).sync()

    html = page(owner)

    assert re.findall(r'<th scope="col">(\w+)</th>', html.partition('class="stock-grid"')[2]) == [
        "Product",
        "S",
        "M",
        "XL",
    ]
    assert html.count('class="is-missing"') == 3


def test_only_low_and_searched_products_are_shown(owner: Client, new_shirt: Callable[..., Shirt]) -> None:
    new_shirt("prod_low", S=1).sync()
    new_shirt("prod_full", S=100).sync()

    assert page(owner, "?low=1").count('<th scope="row">BALM') == 1
    assert page(owner, "?q=prod_full").count('<th scope="row">BALM') == 1
    assert page(owner, "?q=balm").count('<th scope="row">BALM') == 2
    assert "No product matches" in page(owner, "?q=nothing")


@pytest.mark.parametrize(
    "query", ["?page=999", "?page=x", "?mode=x", "?low=maybe", "?q=%00", "?q=" + "x" * 500]
)
def test_an_odd_address_shows_a_page(owner: Client, shirt: Shirt, query: str) -> None:
    page(owner, query)


def test_unreadable_counts_have_no_field(owner: Client, new_shirt: Callable[..., Shirt]) -> None:
    shirt = new_shirt(S="ten", M=4)
    shirt.sync()

    html = page(owner)

    assert f'name="u{shirt.item("M").pk}"' in html and f'name="u{shirt.item("S").pk}"' not in html


def test_units_on_their_way_are_shown_until_stripe_has_them(owner: Client, shirt: Shirt) -> None:
    owner.post(URL, {"token": token(page(owner)), "reason": "r", **fields(shirt, M="10")})
    pk = shirt.item("M").pk

    assert f'data-pending="{pk}"' in page(owner)
    assert owner.get(f"{URL}state/?ids={pk},x,").json() == {str(pk): {"pending": 10, "held": 0}}
    shirt.settle()
    assert f'data-pending="{pk}"' not in page(owner)
    assert owner.get(f"{URL}state/?ids={pk}").json() == {str(pk): {"pending": 0, "held": 0}}


@pytest.mark.parametrize("path", [URL, f"{URL}state/"])
def test_staff_without_the_permission_are_refused(client: Client, shirt: Shirt, path: str) -> None:
    staff = User.objects.create_user("packer", password="x", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_stockitem"))
    client.force_login(staff)

    assert client.get(path).status_code == 403
    assert client.post(path, {}).status_code == 403


def test_the_grid_takes_as_many_queries_for_many_products_as_for_one(
    owner: Client, new_shirt: Callable[..., Shirt]
) -> None:
    new_shirt("prod_0", S=1).sync()
    with CaptureQueriesContext(
        connection,
    ) as few:
        page(owner)
    for number in range(1, 6):
        new_shirt(f"prod_{number}", S=1, M=2, L=3).sync()
    with CaptureQueriesContext(connection) as many:
        page(owner)

    assert len(many) == len(few) <= 8


def test_the_list_of_sizes_links_to_the_grid(owner: Client, shirt: Shirt) -> None:
    assert URL in owner.get("/admin/inventory/stockitem/").content.decode()
    assert StockItem.objects.count() == 3
