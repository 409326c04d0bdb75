"""Oversold units are refunded, sent from the next delivery, or ignored with a reason; each once."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from checkout.models import Order
from checkout.orders import refund_requests
from checkout.orders.refund_requests import RefundedUnits
from checkout.tests.conftest import deliver, item_of, only_order
from checkout.tests.test_external_orders import a_line, open_externally
from fake_stripe import FakeStripe
from inventory import issues
from inventory.events import inbox
from inventory.models import Issue, Movement, OversoldDecision, StockItem
from inventory.stock import ledger, oversold
from shop.models import Product

pytestmark = pytest.mark.django_db

PAGE = "admin:checkout_oversold"


@pytest.fixture
def owner(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("owner"))
    return client


@pytest.fixture
def item(fake: FakeStripe, shirt: Product) -> StockItem:
    """Size L, of which a payment link sold 5 although there were 2."""
    fake.pay(open_externally(fake, [a_line(shirt, 5, "L")]))
    deliver(fake)
    return item_of(shirt, "L")


def form_of(item: StockItem, decision: str, units: object = 3, **also: str) -> dict[str, str]:
    form = {"item": str(item.pk), "token": "abc", "units": str(units), "reason": "", "decision": decision}
    return form | also


def in_stock(item: StockItem) -> int:
    item.refresh_from_db()
    return (item.on_hand or 0) + item.pending


def refund(order: Order, quantity: int, *, restock: bool) -> None:
    units = [RefundedUnits(order.lines.get().pk, quantity, restock)]
    refund_requests.request_refund(
        order.pk, units, amount=2500 * quantity, token=f"t{quantity}", actor="owner"
    )


def is_open(item: StockItem) -> bool:
    return issues.is_open(Issue.Kind.OVERSOLD, f"{item.product_id} {item.key}")


def test_the_page_shows_the_size_and_the_orders_that_could_be_refunded(
    item: StockItem, owner: Client
) -> None:
    page = owner.get(reverse(PAGE)).content.decode()

    order = only_order()
    assert "<strong>3 units were sold beyond the stock</strong>" in page
    assert f"Refund {order.number}" in page and f"?line={order.lines.get().pk}" in page
    issue = reverse("admin:inventory_issue_change", args=[Issue.objects.get().pk])
    assert reverse(PAGE) in owner.get(issue).content.decode()


def test_units_sent_from_the_next_delivery_are_taken_off_it(
    fake: FakeStripe, item: StockItem, owner: Client
) -> None:
    for _click in range(2):
        answer = owner.post(reverse(PAGE), form_of(item, "delivery"), follow=True).content.decode()
        assert "are taken off the next delivery" in answer
    assert oversold.owed(item.pk) == 3 and not is_open(item)

    ledger.receive(item.pk, 2, reference="delivery-1", actor="owner")
    assert (in_stock(item), oversold.owed(item.pk)) == (0, 1)
    for _twice in range(2):
        ledger.receive(item.pk, 12, reference="delivery-2", actor="owner")
    deliver(fake)

    assert (in_stock(item), oversold.owed(item.pk)) == (11, 0)
    assert fake.products[item.product_id]["metadata"]["stock_L"] == "11"
    assert not ledger.find_drift() and not is_open(item)
    taken = Movement.objects.filter(kind="oversold", delta__lt=0).order_by("id")
    assert [(row.delta, row.reference) for row in taken] == [(-2, "delivery-1"), (-1, "delivery-2")]
    assert LogEntry.objects.filter(object_id=str(item.pk)).exists()


def test_without_a_decision_a_delivery_is_not_touched(item: StockItem) -> None:
    ledger.receive(item.pk, 12, reference="delivery-1", actor="owner")

    assert in_stock(item) == 12 and oversold.undecided(item.pk) == 3


@pytest.mark.parametrize("restock", [True, False])
def test_refunded_units_that_never_were_on_the_shelf_do_not_go_back_to_it(
    fake: FakeStripe, item: StockItem, restock: bool
) -> None:
    """Four of five are refunded: three were oversold, so one is for sale again if the owner says so."""
    refund(only_order(), 4, restock=restock)
    deliver(fake)

    assert in_stock(item) == (1 if restock else 0)
    assert oversold.undecided(item.pk) == 0 and not is_open(item)
    assert not ledger.find_drift()
    assert OversoldDecision.objects.get().kind == "refunded"


def test_a_refund_after_all_releases_the_next_delivery(fake: FakeStripe, item: StockItem) -> None:
    oversold.send_from_next_delivery(item, 3, token="t", actor="owner")

    refund(only_order(), 2, restock=True)

    assert oversold.owed(item.pk) == 1 and in_stock(item) == 0
    ledger.receive(item.pk, 12, reference="delivery-1")
    assert in_stock(item) == 11


def test_of_goods_that_were_sent_a_refund_settles_nothing(fake: FakeStripe, item: StockItem) -> None:
    Order.objects.update(sent_at=only_order().paid_at, packed_at=only_order().paid_at)

    refund(only_order(), 1, restock=True)

    assert in_stock(item) == 1 and oversold.undecided(item.pk) == 3


def test_units_are_ignored_with_a_reason(item: StockItem, owner: Client) -> None:
    page = owner.post(reverse(PAGE), form_of(item, "ignore")).content.decode()
    assert "Say why, so that it can be understood later." in page and is_open(item)

    owner.post(reverse(PAGE), form_of(item, "ignore", reason="counted wrongly"))

    decision = OversoldDecision.objects.get()
    assert (decision.kind, decision.units, decision.reason, decision.actor) == (
        "ignored",
        3,
        "counted wrongly",
        "owner",
    )
    assert not is_open(item) and "Nothing is oversold." in owner.get(reverse(PAGE)).content.decode()


def test_a_part_can_be_decided_and_the_issue_stays_open(item: StockItem, owner: Client) -> None:
    owner.post(reverse(PAGE), form_of(item, "delivery", 1))

    assert (oversold.undecided(item.pk), oversold.owed(item.pk)) == (2, 1) and is_open(item)


@pytest.mark.parametrize("units", ["4", "0", "-1", "x", "", "9" * 30])
def test_an_odd_number_of_units_is_marked_and_decides_nothing(
    item: StockItem, owner: Client, units: str
) -> None:
    page = owner.post(reverse(PAGE), form_of(item, "delivery", units))

    assert page.status_code == 200 and "errorlist" in page.content.decode()
    assert not OversoldDecision.objects.exists()


@pytest.mark.parametrize(
    "odd", [{"item": "0"}, {"item": "999"}, {"item": "x"}, {"decision": "burn"}, {"token": ""}]
)
def test_an_odd_form_decides_nothing(item: StockItem, owner: Client, odd: dict[str, str]) -> None:
    assert owner.post(reverse(PAGE), form_of(item, "delivery") | odd).status_code == 200
    assert not OversoldDecision.objects.exists()


def test_two_owners_decide_once(item: StockItem, owner: Client) -> None:
    owner.post(reverse(PAGE), form_of(item, "delivery", 3))

    page = owner.post(reverse(PAGE), form_of(item, "ignore", 3, token="other", reason="gone"))

    assert OversoldDecision.objects.get().kind == "delivery"
    assert page.status_code == 200


def test_an_issue_of_undecided_units_is_not_closed_from_the_list(item: StockItem, owner: Client) -> None:
    chosen = {"action": "close", "_selected_action": [str(Issue.objects.get().pk)]}

    page = owner.post(reverse("admin:inventory_issue_changelist"), chosen, follow=True).content.decode()

    assert is_open(item) and "Oversold units need a decision" in page


def test_who_may_not_change_stock_is_refused(item: StockItem) -> None:
    client = Client()
    client.force_login(User.objects.create_user("packer", is_staff=True))

    assert client.get(reverse(PAGE)).status_code == 403
    assert client.post(reverse(PAGE), form_of(item, "delivery")).status_code == 403
    assert not OversoldDecision.objects.exists()


# --- Said before it happens -------------------------------------------------------------------


def refund_form(order: Order, units: int, **also: str) -> dict[str, str]:
    line = order.lines.get()
    form = {f"quantity-{line.pk}": str(units), f"restock-{line.pk}": "yes", "token": "abc"}
    return form | {"shipping": "", "amount": "", "reason": "", "note": ""} | also


@pytest.mark.parametrize("is_promised", [False, True])
def test_the_refund_page_says_which_units_do_not_go_back_to_stock(
    item: StockItem, owner: Client, is_promised: bool
) -> None:
    """Three of five were oversold, whether or not they wait for the next delivery."""
    if is_promised:
        oversold.send_from_next_delivery(item, 3, token="t", actor="owner")
    order = only_order()
    page = reverse("admin:checkout_order_refund", args=[order.pk])

    form = " ".join(owner.get(page).content.decode().split())
    review = " ".join(owner.post(page, refund_form(order, 4)).content.decode().split())

    assert "3 units of this size were sold beyond the stock: the first 3 that you refund" in form
    assert "1 back to stock <strong>3 units were sold beyond the stock." in review
    owner.post(page, refund_form(order, 4, confirm="1"))
    shown = owner.get(reverse("admin:checkout_order_change", args=[order.pk])).content.decode()
    assert in_stock(item) == 1 and "back to stock, except 3 sold beyond the stock" in " ".join(shown.split())


def test_the_refund_page_says_so_before_the_shortage_is_published(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 5, "L")]))
    assert all(attempt["status"] == 200 for attempt in fake.deliver_due())
    inbox.process_local(timezone.now())
    inbox.process_remote(timezone.now())
    order, item = only_order(), item_of(shirt, "L")
    assert in_stock(item) == -3

    page = reverse("admin:checkout_order_refund", args=[order.pk])
    review = " ".join(owner.post(page, refund_form(order, 4)).content.decode().split())

    assert "1 back to stock <strong>3 units were sold beyond the stock." in review
    owner.post(page, refund_form(order, 4, confirm="1"))
    deliver(fake)
    assert in_stock(item) == 1


def test_of_goods_that_were_sent_the_refund_page_says_nothing_of_it(item: StockItem, owner: Client) -> None:
    Order.objects.update(sent_at=only_order().paid_at, packed_at=only_order().paid_at)
    page = reverse("admin:checkout_order_refund", args=[only_order().pk])

    assert "sold beyond the stock" not in owner.get(page).content.decode()
    assert "sold beyond the stock" not in owner.post(page, refund_form(only_order(), 4)).content.decode()


def by_grid(owner: Client, item: StockItem) -> tuple[str, str]:
    page = reverse("admin:inventory_stock_grid")
    preview = owner.get(page).content.decode()
    form = {f"u{item.pk}": "12", "token": "g", "reason": "Delivery 14"}
    return preview, owner.post(page, form, follow=True).content.decode()


def by_form(owner: Client, item: StockItem) -> tuple[str, str]:
    page = f"{reverse('admin:inventory_change_stock')}?id={item.pk}"
    form = {"change_kind": "received", "number": "12", "reason": "Delivery 14", "token": "abc"}
    return owner.get(page).content.decode(), owner.post(page, form, follow=True).content.decode()


def by_file(owner: Client, item: StockItem) -> tuple[str, str]:
    page = reverse("admin:inventory_stock_file")
    file = SimpleUploadedFile("d.csv", f"product,size,quantity\n{item.product_id},L,12\n".encode())
    preview = owner.post(page, {"file": file, "mode": "receive", "reason": "d"}).content.decode()
    [seen] = re.findall(r'name="seen" value="([^"]+)"', preview)
    assert re.search(r"<td>0</td>\s*<td>9", preview)
    return preview, owner.post(page, {"seen": seen}, follow=True).content.decode()


def by_command(owner: Client, item: StockItem) -> tuple[str, str]:
    out = StringIO()
    for also in ({"dry_run": True}, {}):
        call_command("stock", "receive", item.product_id, "L=12", reference="d", stdout=out, **also)
    dry, real = out.getvalue().split("Dry run: nothing was changed.")
    assert "was 0, will be 9" in dry and "was 0, is now 9" in real
    return dry, real


@pytest.mark.parametrize("way", [by_grid, by_form, by_file, by_command])
def test_however_a_delivery_is_entered_it_covers_what_is_owed_and_says_so(
    fake: FakeStripe, item: StockItem, owner: Client, way: Callable[[Client, StockItem], tuple[str, str]]
) -> None:
    oversold.send_from_next_delivery(item, 3, token="t", actor="owner")

    before, after = way(owner, item)

    assert (in_stock(item), oversold.owed(item.pk)) == (9, 0)
    assert re.search(r"3( of a delivery)?\s+are for\s+(orders that were oversold|oversold orders)", before)
    assert re.search(r"3 (units of the delivery )?are for (orders that were oversold|oversold orders)", after)
    deliver(fake)
    assert fake.products[item.product_id]["metadata"]["stock_L"] == "9" and not ledger.find_drift()


def test_a_file_of_the_command_covers_what_is_owed_once(item: StockItem, tmp_path: Path) -> None:
    oversold.send_from_next_delivery(item, 3, token="t", actor="owner")
    file = tmp_path / "d.csv"
    file.write_text(f"product,size,quantity\n{item.product_id},L,2\n")

    for _twice in range(2):
        call_command("stock", "receive", file=file, reference="d", stdout=StringIO())

    assert (in_stock(item), oversold.owed(item.pk)) == (0, 1)


def test_a_counted_shelf_covers_nothing(item: StockItem, owner: Client) -> None:
    oversold.send_from_next_delivery(item, 3, token="t", actor="owner")
    page = f"{reverse('admin:inventory_stock_grid')}?mode=count"

    owner.post(page, {f"u{item.pk}": "12", "token": "g", "reason": "Stocktaking"})

    assert (in_stock(item), oversold.owed(item.pk)) == (12, 3)
    assert "oversold order" not in owner.get(page).content.decode()
