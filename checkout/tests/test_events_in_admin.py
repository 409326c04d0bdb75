"""Events in the admin: what came, what became of it, replay, and where a sale came from."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, item_of, only_order, order_for
from checkout.tests.test_external_orders import a_line, open_externally
from fake_stripe import FakeStripe
from inventory import issues
from inventory.events import inbox
from inventory.models import Issue, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db

COMPLETED = "checkout.session.completed"


@pytest.fixture
def owner(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("owner"))
    return client


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    order.refresh_from_db()
    return order


def page_of(event: StripeEvent) -> str:
    return reverse("admin:inventory_stripeevent_change", args=[event.pk])


def replay(client: Client, event: StripeEvent) -> int:
    url = reverse("admin:inventory_stripeevent_replay", args=[event.pk])
    return int(client.post(url, follow=True).status_code)


def test_an_event_shows_its_payload_its_order_and_stripes_page(paid: Order, owner: Client) -> None:
    event = StripeEvent.objects.get(type=COMPLETED)

    page = owner.get(page_of(event)).content.decode()

    assert f"?q={paid.session_id}" in page and f"/events/{event.pk}" in page
    assert "&quot;payment_status&quot;: &quot;paid&quot;" in page and "Handle this event again" in page


def test_the_refund_event_leads_to_the_order_of_its_payment(
    fake: FakeStripe, paid: Order, owner: Client
) -> None:
    fake.refund(payment_intent=paid.payment_intent_id)
    deliver(fake)

    page = owner.get(page_of(StripeEvent.objects.get(type="charge.refunded"))).content.decode()

    assert f"?q={paid.payment_intent_id}" in page


def test_a_failed_event_is_handled_again_with_one_click_and_counted_once(
    fake: FakeStripe, shirt: Product, paid: Order, owner: Client
) -> None:
    event = StripeEvent.objects.get(type=COMPLETED)
    StripeEvent.objects.filter(pk=event.pk).update(state="failed", attempts=10, error="ValueError: odd")
    issues.open_issue(Issue.Kind.EVENT_FAILED, event.pk, "It failed.")
    issue = reverse("admin:inventory_issue_change", args=[Issue.objects.get().pk])
    assert page_of(event) in owner.get(issue).content.decode()
    assert "ValueError: odd" in owner.get(page_of(event)).content.decode()

    assert replay(owner, event) == 200
    deliver(fake)

    event.refresh_from_db()
    assert (event.state, event.error) == ("handled", "") and not issues.is_open("event_failed", event.pk)
    assert item_of(shirt, "M").available == 13
    assert LogEntry.objects.get().change_message == "Handled again."


def test_an_unknown_event_or_a_get_request_replays_nothing(paid: Order, owner: Client) -> None:
    event = StripeEvent.objects.get(type=COMPLETED)
    url = reverse("admin:inventory_stripeevent_replay", args=[event.pk])

    assert owner.get(url).status_code == 403
    assert replay(owner, StripeEvent(pk="evt_unknown")) == 404
    assert StripeEvent.objects.get(pk=event.pk).state == "handled"


def test_who_may_only_see_events_cannot_replay(paid: Order) -> None:
    event = StripeEvent.objects.get(type=COMPLETED)
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_stripeevent"))
    client = Client()
    client.force_login(user)

    assert "Handle this event again" not in client.get(page_of(event)).content.decode()
    assert replay(client, event) == 403


def test_an_event_without_an_object_is_shown(owner: Client) -> None:
    inbox.store_events([{"id": "evt_odd", "type": "odd", "data": None}])

    assert owner.get(page_of(StripeEvent.objects.get())).status_code == 200


# --- Where a sale came from -------------------------------------------------------------------


def order_page(client: Client, order: Order) -> str:
    return client.get(reverse("admin:checkout_order_change", args=[order.pk])).content.decode()


def test_an_order_names_its_events(paid: Order, owner: Client) -> None:
    page = order_page(owner, paid)

    assert page_of(StripeEvent.objects.get(type=COMPLETED)) in page
    assert page_of(StripeEvent.objects.get(type="payment_intent.succeeded")) in page
    assert "This shop" in page


def test_a_sale_of_another_program_names_what_its_session_says(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 1, "M")], client_reference_id="table <7>"))
    deliver(fake)

    page = order_page(owner, only_order())

    assert "client_reference_id=table &lt;7&gt;" in page and "success_url=https://external.example" in page


def test_a_sale_of_a_payment_link_links_to_it(fake: FakeStripe, shirt: Product, owner: Client) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 1, "M")]))
    deliver(fake)
    event = StripeEvent.objects.get(type=COMPLETED)
    event.payload["data"]["object"]["payment_link"] = "plink_1"
    event.save(update_fields=["payload"])

    assert "/payment-links/plink_1" in order_page(owner, only_order())


def test_an_order_whose_event_is_gone_is_shown(fake: FakeStripe, shirt: Product, owner: Client) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 1, "M")]))
    deliver(fake)
    StripeEvent.objects.all().delete()

    assert "Another program" in order_page(owner, only_order())


def test_an_issue_of_an_order_leads_to_it(fake: FakeStripe, shirt: Product, owner: Client) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 1)]))
    deliver(fake)
    issue = Issue.objects.get(kind="needs_size")

    page = owner.get(reverse("admin:inventory_issue_change", args=[issue.pk])).content.decode()
    found = owner.get(reverse("admin:checkout_order_changelist"), {"q": issue.subject}).context["cl"]

    assert f"?q={issue.subject}" in page and list(found.result_list) == [only_order()]
