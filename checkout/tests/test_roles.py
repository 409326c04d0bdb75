"""The roles of the admin: what Owner, Packer and Bookkeeper may see and do, and that the log says who did it."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, order_for
from fake_stripe import FakeStripe
from inventory.events import inbox
from shop.models import Product

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("roles")]

PAGES = {
    "checkout_order_changelist": {"Owner", "Packer", "Bookkeeper"},
    "checkout_orders_csv": {"Owner", "Packer", "Bookkeeper"},
    "checkout_pack_list": {"Owner", "Packer"},
    "checkout_packing_slips": {"Owner", "Packer"},
    "checkout_send_orders": {"Owner", "Packer"},
    "inventory_movement_changelist": {"Owner", "Bookkeeper"},
    "inventory_stockitem_changelist": {"Owner", "Bookkeeper"},
    "inventory_stock_grid": {"Owner"},
    "inventory_stock_file": {"Owner"},
    "inventory_stock_csv": {"Owner", "Bookkeeper"},
    "inventory_movements_csv": {"Owner", "Bookkeeper"},
    "inventory_issue_changelist": {"Owner"},
    "inventory_stripeevent_changelist": {"Owner"},
    "inventory_productsync_changelist": {"Owner"},
    "shop_product_changelist": {"Owner", "Bookkeeper"},
    "shop_storefront_changelist": {"Owner"},
    "admin_logentry_changelist": {"Owner", "Bookkeeper"},
    "auth_user_changelist": set(),
}
# What the owner may do to one order.
STEPS = {
    "pack": {"Owner", "Packer"},
    "unpack": {"Owner", "Packer"},
    "send": {"Owner", "Packer"},
    "not_sent": {"Owner", "Packer"},
    "refund": {"Owner"},
    "refund_failed": {"Owner"},
    "restock": {"Owner"},
    "assign_size": {"Owner"},
    "end": {"Owner"},
}
ROLES = ["Owner", "Packer", "Bookkeeper"]


def client_of(role: str) -> Client:
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    return order


@pytest.mark.parametrize("role", ROLES)
def test_each_page_is_shown_to_the_roles_that_may_see_it(paid: Order, role: str) -> None:
    client = client_of(role)

    statuses = {page: client.get(reverse(f"admin:{page}")).status_code for page in PAGES}

    assert statuses == {page: 200 if role in roles else 403 for page, roles in PAGES.items()}


@pytest.mark.parametrize("role", ROLES)
def test_each_step_is_refused_to_the_roles_that_may_not_take_it(
    fake: FakeStripe, paid: Order, role: str
) -> None:
    client = client_of(role)
    refused = {
        step
        for step in STEPS
        if client.post(reverse(f"admin:checkout_order_{step}", args=[paid.pk]), {"token": ""}).status_code
        in {403, 404}
    }

    # A size and a failed refund that do not exist are not found by the owner either.
    expected = {step for step, roles in STEPS.items() if role not in roles}
    assert refused == expected | {"assign_size", "refund_failed"}
    assert len(fake.refunds) == 0


@pytest.mark.parametrize(("role", "shown"), [("Packer", False), ("Bookkeeper", False), ("Owner", True)])
def test_an_orders_page_offers_only_what_the_role_may_do(paid: Order, role: str, shown: bool) -> None:
    page = client_of(role).get(reverse("admin:checkout_order_change", args=[paid.pk])).content.decode()

    assert "BALM T-Shirt" in page
    assert ("Refund everything" in page, "Return to stock" in page) == (shown, shown)
    assert ("Mark as packed" in page) == (role != "Bookkeeper")


@pytest.mark.parametrize("role", ROLES)
def test_the_first_page_shows_sales_only_to_who_may_see_them(paid: Order, role: str) -> None:
    page = client_of(role).get(reverse("admin:index")).content.decode()

    assert ("Last 7 days" in page) == (role != "Packer")
    assert 'id="to-pack-heading"' in page


def test_a_role_gives_no_right_to_change_accounts(db: None) -> None:
    for group in Group.objects.all():
        labels = set(group.permissions.values_list("content_type__app_label", flat=True))
        assert labels <= {"shop", "inventory", "checkout", "admin"}
    assert {group.name for group in Group.objects.all()} == set(ROLES)


def test_the_log_is_read_only(paid: Order) -> None:
    owner = client_of("Owner")
    owner.post(reverse("admin:checkout_order_pack", args=[paid.pk]))
    entry = LogEntry.objects.get()
    page = reverse("admin:admin_logentry_change", args=[entry.pk])

    assert owner.get(page).status_code == 200
    assert owner.post(page, {"change_message": "Nothing."}).status_code == 403
    assert owner.post(reverse("admin:admin_logentry_delete", args=[entry.pk])).status_code == 403
    inbox.process_local(timezone.now())
    assert LogEntry.objects.get().change_message == "Marked as packed."
