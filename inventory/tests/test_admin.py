"""Admin pages of stock: rows are read-only, and counts change through the ledger with a reason."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.text import capfirst

from inventory.models import Issue, Movement, ProductSync, StripeEvent
from inventory.stock import ledger
from inventory.tests.factories import Shirt

PAGES = [
    "catalogimport",
    "stockitem",
    "movement",
    "hold",
    "stripeevent",
    "stockupdate",
    "productsync",
    "issue",
]


@pytest.fixture
def owner(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("owner", "owner@shop.test", "secret"))
    return client


def change_url(*items: Any) -> str:
    ids = "&".join(f"id={item.pk}" for item in items)
    return f"{reverse('admin:inventory_change_stock')}?{ids}"


def token(page: Any) -> str:
    field = re.search(r'name="token" value="(\w+)"', page.content.decode())
    assert field
    return field[1]


def act(owner: Client, model: str, action: str, *pks: Any) -> Any:
    url = reverse(f"admin:inventory_{model}_changelist")
    return owner.post(url, {"action": action, "_selected_action": list(pks)}, follow=True)


@pytest.mark.parametrize("model", PAGES)
def test_every_list_opens_with_its_title(owner: Client, shirt: Shirt, model: str) -> None:
    shirt.sell("L", 9)
    shirt.settle()

    page = owner.get(reverse(f"admin:inventory_{model}_changelist"))

    name = apps.get_model("inventory", model)._meta.verbose_name_plural
    title = "Needs attention" if model == "issue" else capfirst(name)
    assert page.status_code == 200 and f"<h1>{title}</h1>" in page.content.decode()


def test_the_list_of_issues_and_its_filter_name_kinds_as_the_documentation_does(
    owner: Client, shirt: Shirt
) -> None:
    shirt.edit_keys({"inventory_version": "them/prod_shirt/4"})
    shirt.settle()

    page = owner.get(reverse("admin:inventory_issue_changelist"), {"kind__exact": "foreign_version"})

    text = page.content.decode()
    assert '<td class="field-kind">another shop updates this product</td>' in text
    assert ">refund: back to stock?</a>" in text and "foreign_version</" not in text


@pytest.mark.parametrize(
    "model", ["stockitem", "movement", "stripeevent", "stockupdate", "productsync", "issue"]
)
def test_every_row_opens_and_none_can_be_edited(owner: Client, shirt: Shirt, model: str) -> None:
    shirt.sell("L", 9)
    shirt.settle()
    row = apps.get_model("inventory", model).objects.first()

    url = reverse(f"admin:inventory_{model}_change", args=[row.pk])
    assert owner.get(url).status_code == 200
    assert owner.post(url, {"on_hand": 99}).status_code == 403
    assert owner.post(reverse(f"admin:inventory_{model}_delete", args=[row.pk])).status_code == 403


def test_a_size_with_a_long_history_shows_its_newest_movements_and_links_to_all(
    owner: Client, shirt: Shirt
) -> None:
    item = shirt.item("M")
    for number in range(60):
        ledger.receive(item.pk, 1, reference=f"form:{number}")

    page = owner.get(reverse("admin:inventory_stockitem_change", args=[item.pk])).content.decode()

    assert page.count("form:") == 50 and "form:59" in page and "form:9<" not in page
    link = re.search(r'href="([^"]+)">All 61 movements<', page)
    assert link
    ledger_page = owner.get(html.unescape(link[1]))
    assert ledger_page.status_code == 200 and "61 movements" in ledger_page.content.decode()


def test_a_size_that_does_not_exist_is_not_found(owner: Client, shirt: Shirt) -> None:
    answer = owner.get(reverse("admin:inventory_stockitem_change", args=["none"]))

    assert answer.status_code == 302 and answer["Location"] == reverse("admin:index")


def test_the_list_of_events_reads_no_payloads(owner: Client, shirt: Shirt) -> None:
    with CaptureQueriesContext(connection) as queries:
        owner.get(reverse("admin:inventory_stripeevent_changelist"))

    assert not [query["sql"] for query in queries if "payload" in query["sql"]]


def test_the_list_of_movements_reads_the_time_of_no_other_rows(owner: Client, shirt: Shirt) -> None:
    with CaptureQueriesContext(connection) as queries:
        owner.get(reverse("admin:inventory_movement_changelist"))

    about_movements = [it["sql"] for it in queries if 'FROM "inventory_movement"' in it["sql"]]
    # The number of rows for the pages of the list, and the rows of this page.
    assert len(about_movements) == 2 and not re.search("MIN|MAX|DISTINCT", " ".join(about_movements))


def test_a_delivery_is_recorded_with_its_reason_and_reaches_stripe(owner: Client, shirt: Shirt) -> None:
    url = change_url(shirt.item("M"))
    page = owner.get(url)

    answer = owner.post(
        url,
        {"change_kind": "received", "number": 20, "reason": "Delivery 77", "token": token(page)},
        follow=True,
    )

    assert "1 count changed." in answer.content.decode()
    movement = Movement.objects.get(kind="received")
    assert (movement.delta, movement.reason, movement.actor) == (20, "Delivery 77", "owner")
    shirt.settle()
    assert shirt.at_stripe("M") == "35"


def test_a_second_click_counts_nothing(owner: Client, shirt: Shirt) -> None:
    url = change_url(shirt.item("M"))
    form = {"change_kind": "received", "number": 20, "reason": "Delivery", "token": token(owner.get(url))}

    for _click in range(2):
        owner.post(url, form)

    assert shirt.item("M").pending == 20


def test_a_counted_shelf_sets_what_is_there(owner: Client, shirt: Shirt) -> None:
    url = change_url(shirt.item("M"), shirt.item("S"))

    owner.post(url, {"change_kind": "counted", "number": 12, "reason": "Stocktaking", "token": "t"})

    assert shirt.item("M").available == 12 and shirt.item("S").available == 12


@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("received", 0),
        ("received", -1),
        ("counted", -1),
        ("adjusted", 0),
        ("counted", 10**9),
        ("x", 1),
        ("received", "ten"),
    ],
)
def test_an_impossible_number_is_refused_and_nothing_is_stored(
    owner: Client, shirt: Shirt, what: str, number: object
) -> None:
    answer = owner.post(
        change_url(shirt.item("M")), {"change_kind": what, "number": number, "reason": "r", "token": "t"}
    )

    assert answer.status_code == 200 and "errorlist" in answer.content.decode()
    assert shirt.item("M").pending == 0


def test_a_reason_is_required(owner: Client, shirt: Shirt) -> None:
    owner.post(
        change_url(shirt.item("M")), {"change_kind": "received", "number": 1, "reason": "", "token": "t"}
    )

    assert shirt.item("M").pending == 0


def test_removing_more_than_is_there_is_refused_with_a_message(owner: Client, shirt: Shirt) -> None:
    form = {"change_kind": "adjusted", "number": -16, "reason": "Broken", "token": "t"}

    answer = owner.post(change_url(shirt.item("M")), form, follow=True)

    assert "Only 15 in stock." in answer.content.decode()
    assert shirt.item("M").pending == 0


def test_a_delivery_beyond_six_digits_is_an_error_of_the_form_and_nothing_is_stored(
    owner: Client, shirt: Shirt
) -> None:
    form = {"change_kind": "received", "number": 999_999, "reason": "Delivery 77", "token": "t"}

    answer = owner.post(change_url(shirt.item("M"), shirt.item("S")), form)

    page = answer.content.decode()
    assert "BALM T-Shirt M: A count has six digits at most" in page and "BALM T-Shirt S: A count" in page
    assert 'value="Delivery 77"' in page
    assert shirt.item("M").pending == 0 and shirt.item("S").pending == 0


def test_where_only_some_of_the_chosen_items_are_refused_the_others_are_changed(
    owner: Client, shirt: Shirt
) -> None:
    form = {"change_kind": "adjusted", "number": -12, "reason": "Broken", "token": "t"}

    answer = owner.post(change_url(shirt.item("M"), shirt.item("S")), form, follow=True)

    page = answer.content.decode()
    assert "1 count changed." in page and "BALM T-Shirt S: Only 10 in stock." in page
    assert shirt.item("M").pending == -12 and shirt.item("S").pending == 0


def test_the_action_of_the_list_leads_to_the_form_with_the_chosen_items(owner: Client, shirt: Shirt) -> None:
    answer = act(owner, "stockitem", "change_stock_of", shirt.item("M").pk, shirt.item("S").pk)

    page = answer.content.decode()
    assert "BALM T-Shirt M" in page and "BALM T-Shirt S" in page and "BALM T-Shirt L" not in page


@pytest.mark.parametrize("query", ["", "?id=x", "?id=99999999999999999999999", "?id=-1"])
def test_the_form_without_items_goes_back_to_the_list(owner: Client, shirt: Shirt, query: str) -> None:
    answer = owner.get(reverse("admin:inventory_change_stock") + query)

    assert answer.status_code == 302


def test_a_user_with_view_permission_only_cannot_change_stock(client: Client, shirt: Shirt) -> None:
    from django.contrib.auth.models import Permission

    clerk = User.objects.create_user("clerk", password="secret", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_stockitem"))
    client.force_login(clerk)
    form = {"change_kind": "received", "number": 20, "reason": "r", "token": "t"}

    assert client.post(change_url(shirt.item("M")), form).status_code == 403
    assert client.get(reverse("admin:inventory_stockitem_changelist")).status_code == 200
    assert shirt.item("M").pending == 0


def test_anonymous_visitors_are_sent_to_the_login(client: Client, shirt: Shirt) -> None:
    answer: Any = client.get(change_url(shirt.item("M")))

    assert answer.status_code == 302 and "/login/" in answer["Location"]


def test_an_event_can_be_handled_again(owner: Client, shirt: Shirt) -> None:
    shirt.edit(M=20)
    shirt.settle()
    event = StripeEvent.objects.first()
    assert event is not None

    act(owner, "stripeevent", "replay", event.pk)

    event.refresh_from_db()
    assert event.state == "waiting"


def test_the_owner_can_close_an_issue(owner: Client, shirt: Shirt) -> None:
    issue = Issue.objects.create(kind=Issue.Kind.EDIT_TO_REVIEW, subject="x", text="y")

    act(owner, "issue", "close", issue.pk)

    issue.refresh_from_db()
    assert issue.closed_at is not None


def test_stock_updates_of_a_paused_product_can_be_resumed(owner: Client, shirt: Shirt) -> None:
    ProductSync.objects.update(pause_reason="refused", pause_detail="no")
    shirt.sell("M", 2)

    act(owner, "productsync", "resume", "prod_shirt")
    shirt.settle()

    assert shirt.at_stripe("M") == "13"


def test_a_refresh_can_be_requested(owner: Client, shirt: Shirt) -> None:
    before = shirt.stock.refreshes_requested

    act(owner, "productsync", "refresh", "prod_shirt")

    assert shirt.stock.refreshes_requested == before + 1


def test_another_shop_can_be_taken_over_from_the_admin(owner: Client, shirt: Shirt) -> None:
    shirt.edit_keys({"inventory_version": "them/prod_shirt/4"})
    shirt.settle()
    assert shirt.stock.pause_reason

    act(owner, "productsync", "accept_stripe_counts", "prod_shirt")
    shirt.settle()

    assert not shirt.stock.pause_reason and shirt.is_at_rest()


def test_the_admin_warns_of_a_missing_worker(owner: Client) -> None:
    page = owner.get(reverse("admin:index"))

    alarms = page.context["alarms"]
    assert alarms[0]["level"] == "error"
