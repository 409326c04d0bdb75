"""Back in stock: who asks is mailed once, in order, only while the size is for sale, and is then forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings
from time_machine import TimeMachineFixture

from checkout.mail import outbox
from checkout.mail.sending import send_due
from checkout.models import CustomerMail, RestockSignup, RestockSubscriber, RestockWave
from checkout.reports.restock import COUNTED_UP_TO, MAX_SHOWN, waiting_by_size, waiting_customers
from checkout.restock import links, signups
from checkout.tests.conftest import item_of, put_on_show
from config.worker_tasks import WORKER_TASKS
from fake_stripe import FakeStripe
from inventory import worker
from inventory.models import Issue, StockItem
from inventory.stock import ledger
from shop.models import Product

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
State = RestockSignup.State
# As the worker runs them, which first asks whether there is anything to do.
TASKS = {task.path: task for task in WORKER_TASKS}
send_waves = partial(worker.run_task, TASKS["checkout.restock.waves.send_waves"])
end_old = partial(worker.run_task, TASKS["checkout.restock.signups.end_old"])
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mails_on(settings: Settings, time_machine: TimeMachineFixture) -> None:
    settings.CUSTOMER_MAILS_OFF, settings.RESTOCK_SIGNUPS = [], True
    time_machine.move_to(NOW, tick=False)


def ask(client: Client, product: Product, email: str, size: str = "S", **extra: Any) -> Any:
    return client.post(reverse("restock", args=[product.pk]), {"size": size, "email": email}, **extra)


def deliver_mails(at: datetime = NOW) -> list[Any]:
    """Send what is queued; returns the mails."""
    before = len(mail.outbox)
    send_due(at)
    return mail.outbox[before:]


def addresses(mails: list[Any]) -> list[str]:
    """Sorted, because several connections send at once."""
    return sorted(each.to[0] for each in mails)


def waiting(item: StockItem, number: int) -> list[RestockSubscriber]:
    """Confirmed sign-ups of a0@ to a9@, in this order."""
    for each in range(number):
        signups.ask(f"a{each}@customer.test", item, network="", now=NOW)
    subscribers = list(RestockSubscriber.objects.order_by("email"))
    for subscriber in subscribers:
        signups.confirm(subscriber.pk, now=NOW)
    CustomerMail.objects.all().delete()
    return subscribers


def receive(item: StockItem, units: int) -> None:
    StockItem.objects.filter(pk=item.pk).update(on_hand=units)


def sell_out(item: StockItem) -> None:
    StockItem.objects.filter(pk=item.pk).update(on_hand=0)


def states() -> list[str]:
    return list(RestockSignup.objects.order_by("pk").values_list("state", flat=True))


# --- Asking -----------------------------------------------------------------------------------


def test_a_sold_out_size_is_asked_for_confirmed_mailed_and_forgotten(shirt: Product, client: Client) -> None:
    answer = ask(client, shirt, "Ada@Customer.test")
    assert answer.status_code == 302 and answer["Location"].endswith("?asked=1")
    [confirmation] = deliver_mails()
    assert confirmation.to == ["Ada@Customer.test"]
    assert "BALM T-Shirt S" in confirmation.subject
    [subscriber] = RestockSubscriber.objects.all()
    link = links.link(links.CONFIRM, subscriber.pk)
    assert link in confirmation.body

    opened = client.get(link)
    assert opened.status_code == 200 and states() == [State.UNCONFIRMED]
    client.post(link)
    assert states() == [State.WAITING]
    assert b"You are on the list" in client.get(link).content

    assert send_waves(NOW) == 0  # Still sold out.
    receive(item_of(shirt, "S"), 3)
    send_waves(NOW)
    [back] = deliver_mails()
    assert back.subject == "BALM T-Shirt S is back"
    assert f"{shirt.get_absolute_url()}?size=S" in back.body
    assert back.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # On the wire, too: Django 6 would encode so long a link (findings/django-6-encodes-long-unsubscribe-links.sh).
    assert b"<%s>" % back.extra_headers["List-Unsubscribe"].strip("<>").encode() in back.message().as_bytes()

    send_waves(NOW)
    assert states() == [State.MAILED]
    assert not RestockSubscriber.objects.exists() and not CustomerMail.objects.exists()
    assert client.get(link).status_code == 404
    send_waves(NOW + timedelta(days=1))
    assert deliver_mails(NOW + timedelta(days=1)) == []


def test_the_answer_is_the_same_for_a_known_and_an_unknown_address(shirt: Product, client: Client) -> None:
    waiting(item_of(shirt, "S"), 1)
    known, unknown = ask(client, shirt, "a0@customer.test"), ask(client, shirt, "new@customer.test")

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert client.get(known["Location"]).status_code == 200
    # One who is on the list gets no mail, so nobody can send them any.
    assert [each.to for each in deliver_mails()] == [["new@customer.test"]]


def test_ten_signups_in_a_second_for_one_address_give_one_mail(shirt: Product, client: Client) -> None:
    StockItem.objects.filter(product=shirt).update(on_hand=0)
    for _each in range(10):
        for size in ("S", "M", "L"):
            ask(client, shirt, "Ada@customer.test" if size == "S" else "ada@CUSTOMER.test", size)

    assert len(deliver_mails()) == 1
    assert states() == [State.UNCONFIRMED] * 3
    signups.confirm(RestockSubscriber.objects.get().pk, now=NOW)
    assert states() == [State.WAITING] * 3


def test_asking_again_mails_again_after_a_wait_that_doubles(shirt: Product) -> None:
    item = item_of(shirt, "S")
    sent: list[int] = []
    for minute in range(0, 180, 5):
        signups.ask("ada@customer.test", item, network="", now=NOW + timedelta(minutes=minute))
        if CustomerMail.objects.count() > len(sent):
            sent.append(minute)

    assert sent == [0, 10, 30, 70, 150]


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "ada@customer.test\nBcc: eve@evil.test",
        "ada@customer.test\r\nBcc: eve@evil.test",
        "ada@customer.test,eve@evil.test",
        "Ada <ada@customer.test>",
        "ada\0@customer.test",
        "a" * 300 + "@customer.test",
        "\u212aate@customer.test",
        "ada@" + "x" * 70 + ".test",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_its_field(
    shirt: Product, client: Client, email: str
) -> None:
    answer = ask(client, shirt, email)

    assert answer.status_code == 200
    assert b'aria-describedby="email-error"' in answer.content
    assert not RestockSubscriber.objects.exists() and deliver_mails() == []


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("ada@müller.test", "ada@xn--mller-kva.test"), ("a+tag@customer.test", "a+tag@customer.test")],
)
def test_a_domain_in_unicode_is_mailed_in_ascii(
    shirt: Product, client: Client, typed: str, stored: str
) -> None:
    ask(client, shirt, typed)

    assert [each.to for each in deliver_mails()] == [[stored]]


@pytest.mark.parametrize("size", ["", "XXL", "S\0", "<script>", "S" * 5000])
def test_a_size_that_does_not_exist_is_refused(shirt: Product, client: Client, size: str) -> None:
    answer = ask(client, shirt, "ada@customer.test", size)

    assert answer.status_code == 200 and b'id="size-error"' in answer.content
    assert not RestockSubscriber.objects.exists()


def test_a_size_that_is_back_by_now_leads_to_the_product(shirt: Product, client: Client) -> None:
    answer = ask(client, shirt, "ada@customer.test", "M")

    assert answer["Location"] == f"{shirt.get_absolute_url()}?size=M"
    assert not RestockSubscriber.objects.exists()


def test_one_network_may_ask_so_often_within_an_hour(
    shirt: Product, client: Client, settings: Settings, time_machine: TimeMachineFixture
) -> None:
    settings.TRUSTED_PROXIES, settings.RESTOCK_SIGNUPS_PER_ADDRESS_AND_HOUR = ["127.0.0.1"], 2
    asked = [
        ask(client, shirt, f"a{each}@customer.test", HTTP_X_FORWARDED_FOR="192.0.2.7") for each in range(3)
    ]
    other = ask(client, shirt, "b@customer.test", HTTP_X_FORWARDED_FOR="192.0.2.8")
    time_machine.move_to(NOW + timedelta(hours=1), tick=False)
    later = ask(client, shirt, "c@customer.test", HTTP_X_FORWARDED_FOR="192.0.2.7")

    assert [answer.status_code for answer in [*asked, other, later]] == [302, 302, 429, 302, 302]


def test_without_mails_no_size_can_be_asked_for(shirt: Product, client: Client, settings: Settings) -> None:
    assert b"Email me when a size is back" in client.get(shirt.get_absolute_url()).content
    settings.RESTOCK_SIGNUPS = False

    assert ask(client, shirt, "ada@customer.test").status_code == 404
    assert b"Email me when" not in client.get(shirt.get_absolute_url()).content


def test_a_product_that_is_not_sold_here_is_not_found(shirt: Product, client: Client) -> None:
    Product.objects.update(active=False)

    assert ask(client, shirt, "ada@customer.test").status_code == 404
    assert client.get(reverse("restock", args=["prod_\0"])).status_code == 404


# --- Links ------------------------------------------------------------------------------------


def test_a_forged_truncated_or_swapped_link_does_nothing(shirt: Product, client: Client) -> None:
    signups.ask("ada@customer.test", item_of(shirt, "S"), network="", now=NOW)
    subscriber = RestockSubscriber.objects.get()
    token = links.token(links.CONFIRM, subscriber.pk)
    for wrong in (token[:-1], f"x{token}", links.token(links.STOP, subscriber.pk), "x", "x" * 5000):
        assert client.post(reverse("restock_confirm", args=[wrong])).status_code == 404
    for wrong in (token, token[:-1], "x"):
        assert client.post(reverse("restock_stop", args=[wrong])).status_code == 404

    assert states() == [State.UNCONFIRMED]


def test_confirming_needs_the_form_of_the_page(shirt: Product) -> None:
    signups.ask("ada@customer.test", item_of(shirt, "S"), network="", now=NOW)
    link = links.link(links.CONFIRM, RestockSubscriber.objects.get().pk)

    assert Client(enforce_csrf_checks=True).post(link).status_code == 403
    assert states() == [State.UNCONFIRMED]


def test_one_click_of_a_mail_program_ends_all_signups_and_forgets_the_address(shirt: Product) -> None:
    [subscriber] = waiting(item_of(shirt, "S"), 1)
    link = links.link(links.STOP, subscriber.pk)
    program = Client(enforce_csrf_checks=True)

    assert program.get(link).status_code == 200 and states() == [State.WAITING]
    for _twice in range(2):
        assert program.post(link, {"List-Unsubscribe": "One-Click"}).status_code == 200

    assert states() == [State.UNSUBSCRIBED]
    assert not RestockSubscriber.objects.exists()


def test_one_of_several_sizes_can_be_removed(shirt: Product, client: Client) -> None:
    [subscriber] = waiting(item_of(shirt, "S"), 1)
    sell_out(item_of(shirt, "M"))
    signups.ask("a0@customer.test", item_of(shirt, "M"), network="", now=NOW)
    link = links.link(links.STOP, subscriber.pk)
    first = RestockSignup.objects.order_by("pk")[0]

    for odd in ("x", "9" * 30, "-1", "²"):
        client.post(link, {"signup": odd})
    assert states() == [State.WAITING, State.UNCONFIRMED]
    client.post(link, {"signup": first.pk})

    assert states() == [State.UNSUBSCRIBED, State.UNCONFIRMED]
    assert RestockSubscriber.objects.exists()


def test_nobody_can_remove_the_signup_of_another(shirt: Product, client: Client) -> None:
    mine, other = waiting(item_of(shirt, "S"), 2)

    client.post(links.link(links.STOP, mine.pk), {"signup": other.signups.get().pk})

    assert states() == [State.WAITING, State.WAITING]


def test_one_who_stops_before_the_mail_is_sent_gets_none(shirt: Product) -> None:
    [subscriber] = waiting(item_of(shirt, "S"), 1)
    receive(item_of(shirt, "S"), 3)
    send_waves(NOW)

    signups.stop(subscriber.pk, now=NOW)

    assert deliver_mails() == []
    send_waves(NOW)
    assert states() == [State.UNSUBSCRIBED]


# --- Waves ------------------------------------------------------------------------------------


def test_a_wave_is_no_larger_than_the_units_and_goes_by_the_order_of_asking(shirt: Product) -> None:
    item = item_of(shirt, "S")
    waiting(item, 5)
    receive(item, 2)

    assert send_waves(NOW) == 2
    assert addresses(deliver_mails()) == ["a0@customer.test", "a1@customer.test"]
    send_waves(NOW + timedelta(minutes=59))
    assert deliver_mails(NOW + timedelta(minutes=59)) == []

    later = NOW + timedelta(minutes=61)
    send_waves(later)
    assert addresses(deliver_mails(later)) == ["a2@customer.test", "a3@customer.test"]


def test_held_units_are_not_promised_again(shirt: Product) -> None:
    item = item_of(shirt, "S")
    waiting(item, 5)
    StockItem.objects.filter(pk=item.pk).update(on_hand=3, held=2)

    assert send_waves(NOW) == 1


def test_more_units_are_for_the_next_ones_at_once(shirt: Product) -> None:
    item = item_of(shirt, "S")
    waiting(item, 5)
    receive(item, 1)
    send_waves(NOW)
    receive(item, 3)

    assert send_waves(NOW) == 2
    assert states().count(State.MAILING) == 3


def test_waves_stop_when_the_units_are_gone_and_go_on_with_the_next_delivery(shirt: Product) -> None:
    item = item_of(shirt, "S")
    waiting(item, 5)
    receive(item, 2)
    send_waves(NOW)
    deliver_mails()
    sell_out(item)
    send_waves(NOW + timedelta(minutes=5))
    send_waves(NOW + timedelta(hours=5))
    assert states().count(State.WAITING) == 3

    sell_out(item)
    receive(item, 2)
    send_waves(NOW + timedelta(hours=5, minutes=1))
    assert states().count(State.WAITING) == 1


def test_a_delivery_within_the_hour_is_not_taken_for_what_was_mailed_before(shirt: Product) -> None:
    item = item_of(shirt, "S")
    waiting(item, 5)
    receive(item, 2)
    send_waves(NOW)
    sell_out(item)
    send_waves(NOW + timedelta(minutes=1))
    receive(item, 2)
    send_waves(NOW + timedelta(minutes=2))

    assert states().count(State.MAILING) == 4


def test_a_mail_that_waits_until_the_size_is_gone_is_not_sent_and_its_place_is_kept(shirt: Product) -> None:
    # As if the mail server was away for a day.
    item = item_of(shirt, "S")
    waiting(item, 2)
    receive(item, 1)
    send_waves(NOW)
    sell_out(item)

    assert deliver_mails() == []
    send_waves(NOW)
    assert states() == [State.WAITING, State.WAITING]

    receive(item, 1)
    send_waves(NOW + timedelta(days=1))
    assert [each.to for each in deliver_mails(NOW + timedelta(days=1))] == [["a0@customer.test"]]


@pytest.mark.parametrize("change", [{"active": False}, {"deleted": True}])
def test_nothing_is_mailed_while_the_product_is_hidden(shirt: Product, change: dict[str, bool]) -> None:
    item = item_of(shirt, "S")
    waiting(item, 1)
    receive(item, 5)
    Product.objects.update(**change)

    assert send_waves(NOW) == 0 and states() == [State.WAITING]


def test_a_size_that_is_sold_without_counting_is_for_all_who_wait(shirt: Product) -> None:
    item = item_of(shirt, "S")
    waiting(item, 4)
    StockItem.objects.filter(pk=item.pk).update(state="unlimited", on_hand=None)

    assert send_waves(NOW) == 4


def test_an_address_that_is_refused_is_forgotten_and_no_issue(shirt: Product) -> None:
    item = item_of(shirt, "S")
    waiting(item, 1)
    receive(item, 5)
    send_waves(NOW)
    [claimed] = outbox.claim(NOW, 1)

    outbox.record_refused(claimed, "550 no such user")
    send_waves(NOW)

    assert states() == [State.REFUSED]
    assert not RestockSubscriber.objects.exists() and not Issue.objects.exists()


def test_a_round_without_signups_costs_little(
    shirt: Product, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(2):
        send_waves(NOW)


def test_a_restock_through_the_ledger_mails(shirt: Product) -> None:
    item = item_of(shirt, "S")
    waiting(item, 3)
    ledger.receive(item.pk, 2, reason="delivery", reference="d1", actor="owner")

    assert send_waves(NOW) == 2


def test_the_mail_of_a_signup_that_ended_meanwhile_is_deleted_once_it_is_sent(shirt: Product) -> None:
    item = item_of(shirt, "S")
    waiting(item, 1)
    receive(item, 1)
    send_waves(NOW)
    deliver_mails()
    RestockSignup.objects.update(state=State.UNSUBSCRIBED)

    assert send_waves(NOW) == 1 and not CustomerMail.objects.exists()


# --- Forgetting -------------------------------------------------------------------------------


def test_an_address_that_was_not_confirmed_is_deleted_after_days(shirt: Product) -> None:
    signups.ask("ada@customer.test", item_of(shirt, "S"), network="192.0.2.1", now=NOW)
    end_old(NOW + timedelta(days=2))
    assert RestockSubscriber.objects.exists()
    assert RestockSignup.objects.get().client_network == ""

    end_old(NOW + timedelta(days=3, hours=1))

    assert not RestockSubscriber.objects.exists() and not RestockSignup.objects.exists()
    assert not CustomerMail.objects.exists()


def test_the_network_of_a_signup_that_is_over_is_forgotten_within_a_day(shirt: Product) -> None:
    signups.ask("ada@customer.test", item_of(shirt, "S"), network="192.0.2.1", now=NOW)
    RestockSignup.objects.update(state=State.UNSUBSCRIBED, subscriber=None)
    RestockSubscriber.objects.all().delete()

    end_old(NOW + timedelta(days=2))

    assert RestockSignup.objects.get().client_network == ""


def test_a_deleted_product_ends_signups_and_the_owner_sees_it(shirt: Product) -> None:
    waiting(item_of(shirt, "S"), 2)
    Product.objects.update(deleted=True)

    end_old(NOW + timedelta(hours=2))

    assert states() == [State.GONE, State.GONE]
    assert not RestockSubscriber.objects.exists()
    [row] = waiting_by_size()
    assert (row.waiting, row.ended) == (0, 2)


def test_a_size_that_is_off_the_list_for_a_day_is_still_waited_for(shirt: Product) -> None:
    item = item_of(shirt, "S")
    waiting(item, 1)
    StockItem.objects.filter(pk=item.pk).update(is_listed=False)
    end_old(NOW + timedelta(days=1))
    StockItem.objects.filter(pk=item.pk).update(is_listed=True)
    end_old(NOW + timedelta(days=2))
    StockItem.objects.filter(pk=item.pk).update(is_listed=False)
    end_old(NOW + timedelta(days=9))
    assert states() == [State.WAITING]

    end_old(NOW + timedelta(days=17))
    assert states() == [State.GONE]


def test_a_confirmed_address_is_not_kept_for_ever(shirt: Product) -> None:
    waiting(item_of(shirt, "S"), 1)
    end_old(NOW + timedelta(days=364))
    assert states() == [State.WAITING]

    end_old(NOW + timedelta(days=366))
    assert states() == [State.EXPIRED] and not RestockSubscriber.objects.exists()


def test_what_is_stored_about_an_address_is_exported_and_erased(shirt: Product) -> None:
    waiting(item_of(shirt, "S"), 2)

    [row] = signups.export("A0@Customer.test")
    assert (row["product"], row["size"], row["state"]) == ("BALM T-Shirt", "S", "waiting")
    assert signups.erase("A0@Customer.test", now=NOW) == 1
    assert signups.export("a0@customer.test") == []
    assert signups.erase("nobody@customer.test", now=NOW) == 0
    assert [each.email for each in RestockSubscriber.objects.all()] == ["a1@customer.test"]


# --- The owner --------------------------------------------------------------------------------


def test_the_report_shows_how_many_wait_for_which_size(shirt: Product, admin_client: Client) -> None:
    item = item_of(shirt, "S")
    waiting(item, 3)
    signups.ask("late@customer.test", item, network="", now=NOW)
    receive(item, 1)
    send_waves(NOW)

    [row] = waiting_by_size()
    assert (row.waiting, row.unconfirmed, row.mailed, row.last_wave) == (2, 1, 1, NOW)
    page = admin_client.get(reverse("admin:checkout_report", args=["back-in-stock"])).content.decode()
    assert "BALM T-Shirt" in page and "customer.test" not in page
    assert RestockWave.objects.get().available == 1


# --- On the admin's first page ------------------------------------------------------------------


def signed_up(item: StockItem, number: int, state: str = State.WAITING) -> None:
    """Sign-ups without addresses: the first page only counts them."""
    RestockSignup.objects.bulk_create(
        RestockSignup(item=item, state=state, asked_at=NOW) for _each in range(number)
    )


def first_page(client: Client) -> str:
    return " ".join(strip_tags(client.get(reverse("admin:index")).content.decode()).split())


def test_the_first_page_says_how_many_wait_and_for_which_sizes_the_most(
    shirt: Product, admin_client: Client
) -> None:
    assert "Waiting for sizes" not in first_page(admin_client)
    signed_up(item_of(shirt, "S"), 1)
    signed_up(item_of(shirt, "L"), 3)
    for state in set(State) - {State.WAITING}:
        signed_up(item_of(shirt, "M"), 2, state)

    page = first_page(admin_client)

    assert "Waiting for sizes 4 BALM T-Shirt L 3 customers wait BALM T-Shirt S 1 customer waits" in page
    assert "BALM T-Shirt M" not in page.partition("Waiting for sizes")[2].partition("All sizes")[0]
    report = reverse("admin:checkout_report", args=["back-in-stock"])
    assert report in admin_client.get(reverse("admin:index")).content.decode()


def test_who_may_not_see_the_report_does_not_see_who_waits(shirt: Product, client: Client) -> None:
    signed_up(item_of(shirt, "S"), 1)
    packer = User.objects.create_user("packer", is_staff=True)
    packer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(packer)

    assert "Waiting for sizes" not in first_page(client)


def test_customers_who_wait_are_counted_up_to_a_limit_in_one_query(
    shirt: Product, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    signed_up(item_of(shirt, "S"), COUNTED_UP_TO + 30)
    signed_up(item_of(shirt, "M"), COUNTED_UP_TO)
    signed_up(item_of(shirt, "L"), 2)

    with django_assert_num_queries(1):
        found = waiting_customers()
        shown = [(size.item.size, size.item.product.name, size.waiting) for size in found.sizes]

    assert shown == [("S", "BALM T-Shirt", "100+"), ("M", "BALM T-Shirt", "100"), ("L", "BALM T-Shirt", "2")]
    assert found.count == "202+"


def test_sizes_are_named_up_to_a_limit(fake: FakeStripe) -> None:
    sizes = ",".join(f"S{number}" for number in range(MAX_SHOWN + 2))
    product = put_on_show(fake, "prod_wide", "Wide", {"sizes": sizes, "stock": "0"})
    for number in range(MAX_SHOWN + 2):
        signed_up(item_of(product, f"S{number}"), number + 1)

    found = waiting_customers()

    assert [size.item.size for size in found.sizes] == [
        f"S{MAX_SHOWN + 1 - place}" for place in range(MAX_SHOWN)
    ]
    assert found.count == str(sum(range(1, MAX_SHOWN + 3)))


def test_who_waits_is_counted_from_the_index_of_those_who_wait(shirt: Product) -> None:
    # Sign-ups that are over stay: without the index, the page would read them all.
    signed_up(item_of(shirt, "S"), 500)
    signed_up(item_of(shirt, "S"), 5000, State.MAILED)
    with CaptureQueriesContext(connection) as queries:
        waiting_customers()
    [query] = queries.captured_queries
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE checkout_restocksignup")
        cursor.execute(
            ("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + query["sql"]
        )
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert "signups_that_wait" in plan, plan


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL does not count its steps")
def test_counting_who_waits_costs_no_more_with_more_customers(shirt: Product) -> None:
    def steps() -> int:
        taken: list[int] = []
        connection.connection.set_progress_handler(lambda: taken.append(1), 10)
        try:
            waiting_customers()
        finally:
            connection.connection.set_progress_handler(None, 0)
        return len(taken)

    signed_up(item_of(shirt, "S"), COUNTED_UP_TO + 1)
    few = steps()
    signed_up(item_of(shirt, "S"), 20 * COUNTED_UP_TO)
    signed_up(item_of(shirt, "S"), 20 * COUNTED_UP_TO, State.MAILED)

    assert steps() <= few + 5
