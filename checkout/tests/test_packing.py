"""The admin pages for packing and sending orders, and for ending open checkouts."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, held, item_of, order_for
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = pytest.mark.django_db

ADDRESS = {
    "name": "Ada L.",
    "line1": "1 Mill Lane",
    "postal_code": "12345",
    "city": "Berlin",
    "country": "DE",
}


def log_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(db: None) -> Client:
    return log_in(User.objects.create_superuser("owner"))


@pytest.fixture
def packer(db: None) -> Client:
    """May see and pack orders, and nothing else."""
    user = User.objects.create_user("packer", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_order", "view_orderline", "pack_order"])
    )
    return log_in(user)


def paid_order(fake: FakeStripe, product: Product, size: str = "M", quantity: int = 2) -> Order:
    order = order_for(Customer(), product, size, quantity)
    fake.pay(order.session_id or "")
    deliver(fake)
    Order.objects.filter(pk=order.pk).update(address=ADDRESS)
    order.refresh_from_db()
    return order


def order_url(name: str, order: Order) -> str:
    return reverse(f"admin:checkout_order_{name}", args=[order.pk])


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


CHANGELIST = "admin:checkout_order_changelist"


# --- The list ---------------------------------------------------------------------------------


def test_the_list_shows_each_order_under_what_is_left_to_do(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    to_pack, packed, sent = (paid_order(fake, shirt) for _order in range(3))
    owner.post(order_url("pack", packed))
    owner.post(order_url("send", sent), {"carrier": "", "tracking_number": ""})

    for work, order in {"to_pack": to_pack, "packed": packed, "sent": sent}.items():
        answer = owner.get(reverse(CHANGELIST), {"work": work})
        assert list(answer.context["cl"].result_list) == [order]
    page = owner.get(reverse(CHANGELIST)).content.decode()
    assert "1 order to pack" in text_of(page) and "Send 1 parcel" in text_of(page)
    assert "2 × BALM T-Shirt M, Black" in page


def test_the_list_is_searched_by_number_name_tracking_number_and_ids_of_stripe(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    order, other = paid_order(fake, shirt), paid_order(fake, shirt)
    Order.objects.filter(pk=order.pk).update(name="Ada Lovelace", email="ada@example.com")
    Order.objects.filter(pk=other.pk).update(name="Bob", email="bob@example.com")
    owner.post(order_url("send", order), {"carrier": "dhl", "tracking_number": "JD0143"})
    order.refresh_from_db()

    for words in (
        "lovelace",
        "ada@example",
        order.number,
        "JD0143",
        order.payment_intent_id,
        order.session_id,
    ):
        found = owner.get(reverse(CHANGELIST), {"q": words or ""}).context["cl"].result_list
        assert list(found) == [order] and other not in found


@pytest.mark.parametrize("query", ["work=nonsense", "work=", "q=%00", "state__exact=x"])
def test_an_odd_address_of_the_list_is_no_server_error(owner: Client, query: str) -> None:
    assert owner.get(f"{reverse(CHANGELIST)}?{query}").status_code in {200, 302}


# --- Packing ----------------------------------------------------------------------------------


def test_the_pack_list_adds_all_chosen_orders_up_by_product_and_size(
    fake: FakeStripe, shirt: Product, poster: Product, owner: Client
) -> None:
    orders = [paid_order(fake, shirt, "M", 2), paid_order(fake, shirt, "M", 1)]
    orders.append(paid_order(fake, shirt, "L", 1))
    left_out = paid_order(fake, poster, "", 1)
    chosen = {"action": "list_to_pack", "_selected_action": [str(order.pk) for order in orders]}

    page = owner.post(reverse(CHANGELIST), chosen, follow=True)

    rows = [
        (product.name, row.size, row.color, row.units, row.orders)
        for product in page.context["products"]
        for row in product.rows
    ]
    assert rows == [("BALM T-Shirt", "M", "Black", 3, 2), ("BALM T-Shirt", "L", "Black", 1, 1)]
    assert "4 units for 3 orders" in text_of(page.content.decode())
    assert left_out.number not in page.content.decode()


def test_the_pack_list_takes_as_many_queries_for_one_order_as_for_many(
    fake: FakeStripe, shirt: Product, owner: Client, django_assert_num_queries: object
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    taken = []
    for more in (1, 4):
        for _order in range(more):
            paid_order(fake, shirt, "M", 1)
        for name in ("checkout_pack_list", "checkout_packing_slips"):
            with CaptureQueriesContext(connection) as queries:
                owner.get(reverse(f"admin:{name}"))
            taken.append(len(queries))

    assert taken[:2] == taken[2:]


def test_refunded_units_are_on_neither_list_nor_slip(fake: FakeStripe, shirt: Product, owner: Client) -> None:
    order = paid_order(fake, shirt, "M", 2)
    order.lines.update(quantity_refunded=1)

    pack_list = owner.get(reverse("admin:checkout_pack_list")).context["products"]
    slips = owner.get(reverse("admin:checkout_packing_slips")).content.decode()

    assert pack_list[0].units == 1
    assert re.search(r'<td class="number">1</td>\s*<td>BALM T-Shirt', slips)


def test_a_packing_slip_has_the_address_and_the_lines_but_no_price(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    order = paid_order(fake, shirt)

    page = owner.get(reverse("admin:checkout_packing_slips"), {"ids": order.pk.hex}).content.decode()

    assert f"Order {order.number}" in page and "1 Mill Lane" in page and "Germany" in page
    assert "BALM T-Shirt" in page and "Black" in page and "$" not in page
    assert page.count('<article class="slip"') == 1


def test_an_order_that_cannot_be_packed_is_left_out_and_the_page_says_so(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    paid, unpaid = paid_order(fake, shirt), order_for(Customer(), shirt, "M", 1)
    ids = f"{paid.pk.hex},{unpaid.pk.hex},nonsense"

    for name in ("checkout_pack_list", "checkout_packing_slips", "checkout_send_orders"):
        page = owner.get(reverse(f"admin:{name}"), {"ids": ids}).content.decode()
        assert "1 chosen order is left out" in page and unpaid.number not in page


def test_selected_orders_are_packed_at_once_and_each_is_in_the_log(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    orders = [paid_order(fake, shirt, "M", 1) for _order in range(2)]
    unpaid = order_for(Customer(), shirt, "M", 1)
    chosen = {"_selected_action": [str(order.pk) for order in [*orders, unpaid]]}

    page = owner.post(reverse(CHANGELIST), {"action": "pack", **chosen}, follow=True).content.decode()

    assert "2 orders are marked as packed." in page and "1 selected order was left out" in page
    assert set(Order.objects.packed()) == set(orders)
    assert {entry.object_id for entry in LogEntry.objects.all()} == {str(order.pk) for order in orders}

    owner.post(reverse(CHANGELIST), {"action": "unpack", **chosen})
    assert not Order.objects.packed().exists()


# --- Sending ----------------------------------------------------------------------------------


def test_all_packed_orders_are_sent_with_one_form(fake: FakeStripe, shirt: Product, owner: Client) -> None:
    first, second, kept = (paid_order(fake, shirt, "M", 1) for _order in range(3))
    for order in (first, second, kept):
        owner.post(order_url("pack", order))
    form: dict[str, str] = {}
    for number, order in enumerate((first, second, kept)):
        form |= {
            f"{order.pk.hex}-carrier": "dhl",
            f"{order.pk.hex}-tracking_number": f" 00 3404{number} ",
        }
    form |= {f"{order.pk.hex}-sent": "on" for order in (first, second)}

    page = owner.post(reverse("admin:checkout_send_orders"), form, follow=True).content.decode()

    assert "2 orders are marked as sent." in page
    assert list(Order.objects.packed()) == [kept]
    first.refresh_from_db()
    assert (first.carrier, first.tracking_number, first.sent_by) == ("dhl", "0034040", "owner")
    assert LogEntry.objects.filter(change_message="Marked as sent.").count() == 2


@pytest.mark.parametrize(
    ("number", "carrier", "sentence"),
    [
        ("<b>", "dhl", "letters and digits"),
        ("1" * 121, "dhl", "at most 120"),
        ("1Z99", "", "Choose the carrier of this number."),
        ("1Z99", "pigeon", "not one of the available choices"),
    ],
)
def test_an_invalid_tracking_number_is_marked_beside_its_field_and_nothing_is_sent(
    fake: FakeStripe, shirt: Product, owner: Client, number: str, carrier: str, sentence: str
) -> None:
    good, bad = paid_order(fake, shirt, "M", 1), paid_order(fake, shirt, "M", 1)
    form: dict[str, str] = {}
    for order, typed, by in ((good, "1Z01", "ups"), (bad, number, carrier)):
        owner.post(order_url("pack", order))
        prefix = order.pk.hex
        form |= {f"{prefix}-sent": "on", f"{prefix}-carrier": by, f"{prefix}-tracking_number": typed}

    page = owner.post(reverse("admin:checkout_send_orders"), form).content.decode()
    one = owner.post(order_url("send", bad), {"carrier": carrier, "tracking_number": number}).content.decode()

    assert sentence in page and "Nothing was saved" in page and 'value="1Z01"' in page
    assert sentence in one
    assert not Order.objects.sent().exists()


def test_an_order_is_sent_from_its_page_and_links_to_the_carrier(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    order = paid_order(fake, shirt)

    owner.post(order_url("send", order), {"carrier": "ups", "tracking_number": "1Z 999 AA1"})

    page = owner.get(order_url("change", order)).content.decode()
    assert 'href="https://www.ups.com/track?tracknum=1Z999AA1"' in page
    assert "by owner." in text_of(page) and "It was not sent after all" in page
    # The next parcel is suggested the same carrier.
    other = owner.get(order_url("change", paid_order(fake, shirt))).content.decode()
    assert '<option value="ups" selected>' in other

    owner.post(order_url("not_sent", order))
    order.refresh_from_db()
    assert order.fulfillment == "packed" and order.tracking_number == ""
    assert LogEntry.objects.filter(object_id=str(order.pk)).count() == 2


def test_a_double_click_sends_once(fake: FakeStripe, shirt: Product, owner: Client) -> None:
    order = paid_order(fake, shirt)
    for _click in range(2):
        owner.post(order_url("send", order), {"carrier": "ups", "tracking_number": "1Z9"})

    order.refresh_from_db()
    assert order.tracking_number == "1Z9"
    assert LogEntry.objects.filter(change_message="Marked as sent.").count() == 1


def test_an_order_refunded_meanwhile_is_not_sent(fake: FakeStripe, shirt: Product, owner: Client) -> None:
    order = paid_order(fake, shirt)
    Order.objects.update(state=Order.State.REFUNDED)

    page = owner.post(order_url("send", order), {"carrier": "", "tracking_number": ""}, follow=True)

    assert "It was refunded." in page.content.decode() and not Order.objects.sent().exists()


# --- Open checkouts ---------------------------------------------------------------------------


def test_an_open_checkout_is_ended_at_stripe_before_its_units_are_released(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    order = order_for(Customer(), shirt, "M", 2)
    assert "End it" in owner.get(order_url("change", order)).content.decode()

    owner.post(order_url("end", order))

    order.refresh_from_db()
    assert fake.sessions[order.session_id or ""]["status"] == "expired"
    assert (order.state, held(shirt, "M"), item_of(shirt, "M").available) == ("canceled", 0, 15)
    assert LogEntry.objects.get().change_message == "Ended its checkout."


def test_a_checkout_that_was_paid_meanwhile_is_not_ended(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    order = order_for(Customer(), shirt, "M", 2)
    fake.pay(order.session_id or "")

    page = owner.post(order_url("end", order), follow=True).content.decode()

    order.refresh_from_db()
    assert "the customer was faster. It is paid." in page and order.state == "paid"
    assert item_of(shirt, "M").available == 13


def test_while_stripe_is_away_a_checkout_is_not_ended_and_its_units_stay_held(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    orders = [order_for(Customer(), shirt, "M", 1) for _order in range(2)]
    fake.faults.add("cut", path="/v1/checkout/sessions/*", times=None)

    chosen = {"action": "end_checkouts", "_selected_action": [str(order.pk) for order in orders]}
    page = owner.post(reverse(CHANGELIST), chosen, follow=True).content.decode()

    assert page.count("its units stay held") == 2 and held(shirt, "M") == 2
    assert Order.objects.filter(state="open").count() == 2 and not LogEntry.objects.exists()


def test_a_checkout_without_a_session_or_that_is_over_cannot_be_ended(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    order = order_for(Customer(), shirt, "M", 1)
    Order.objects.update(session_id=None)
    assert "try again in a minute" in owner.post(order_url("end", order), follow=True).content.decode()

    Order.objects.update(state="canceled")
    assert "no longer open" in owner.post(order_url("end", order), follow=True).content.decode()


# --- Who may ----------------------------------------------------------------------------------


def test_a_packer_packs_and_sends_but_cannot_end_checkouts_or_return_goods(
    fake: FakeStripe, shirt: Product, packer: Client
) -> None:
    order, unpaid = paid_order(fake, shirt), order_for(Customer(), shirt, "M", 1)

    page = packer.get(order_url("change", order)).content.decode()
    assert "Mark as packed" in page and "Return to stock" not in page
    packer.post(order_url("pack", order))
    packer.post(order_url("send", order), {"carrier": "", "tracking_number": ""})
    assert list(Order.objects.sent()) == [order]

    assert packer.post(order_url("end", unpaid)).status_code == 404
    assert packer.post(order_url("restock", order)).status_code == 404
    chosen = {"action": "end_checkouts", "_selected_action": [str(unpaid.pk)]}
    packer.post(reverse(CHANGELIST), chosen)
    assert fake.sessions[unpaid.session_id or ""]["status"] == "open"


def test_who_may_only_see_orders_packs_nothing(fake: FakeStripe, shirt: Product) -> None:
    order = paid_order(fake, shirt)
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    viewer = log_in(user)

    for name in ("checkout_pack_list", "checkout_packing_slips", "checkout_send_orders"):
        assert viewer.get(reverse(f"admin:{name}")).status_code == 403
    for step in ("pack", "unpack", "send", "not_sent"):
        assert viewer.post(order_url(step, order)).status_code == 403
    page = viewer.get(reverse(CHANGELIST)).content.decode()
    assert "orders to pack" not in page and 'value="pack"' not in page
    assert "Mark as packed" not in viewer.get(order_url("change", order)).content.decode()
    assert Order.objects.to_pack().count() == 1


def test_packing_is_no_get_request(fake: FakeStripe, shirt: Product, owner: Client) -> None:
    order = paid_order(fake, shirt)

    assert owner.get(order_url("pack", order)).status_code == 403
    assert owner.get(order_url("send", order)).status_code == 403
    assert Order.objects.to_pack().count() == 1
