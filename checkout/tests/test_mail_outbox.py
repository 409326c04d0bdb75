"""The outbox: each happening is mailed once, whatever fails on the way, and nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings
from time_machine import TimeMachineFixture

from checkout.checks import check_customer_mails_off
from checkout.mail import outbox
from checkout.mail.kinds import KINDS, is_on
from checkout.mail.sending import send_due
from checkout.models import CustomerMail, Order
from checkout.tests.catcher import Catcher
from inventory.models import Issue

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
State = CustomerMail.State

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mails_on")]


@pytest.fixture(autouse=True)
def now(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOW, tick=False)


def confirm(order: Order) -> CustomerMail:
    outbox.queue("order_confirmation", reference=order.reference, to=order.email, order=order)
    return CustomerMail.objects.get()


def test_a_happening_is_queued_once(order: Order) -> None:
    first = outbox.queue("order_confirmation", reference=order.reference, to=order.email, order=order)
    second = outbox.queue(
        "order_confirmation", reference=order.reference, to="other@example.com", order=order
    )

    assert (first, second) == (True, False)
    assert CustomerMail.objects.get().to == "ada@example.com"


def test_a_mail_is_queued_with_its_happening_or_not_at_all(order: Order) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        confirm(order)
        raise RuntimeError

    assert not CustomerMail.objects.exists()


@pytest.mark.parametrize("to", ["", "a" * 250 + "@example.com"])
def test_without_an_address_that_fits_nothing_is_queued(order: Order, to: str) -> None:
    assert not outbox.queue("order_confirmation", reference="1", to=to, order=order)


def test_a_kind_can_be_switched_off(order: Order, settings: Settings) -> None:
    settings.CUSTOMER_MAILS_OFF = ["order_confirmation"]

    queued = outbox.queue("order_confirmation", reference="1", to=order.email, order=order)

    assert not queued and is_on("order_sent")


def test_a_misspelt_kind_in_the_setting_is_named(settings: Settings) -> None:
    settings.CUSTOMER_MAILS_OFF = ["order_confirmation", "order_conformation"]

    [warning] = check_customer_mails_off()

    assert "order_conformation" in warning.msg and "order_confirmation" in str(warning.hint)


@pytest.mark.parametrize("backend", ["console", "dummy"])
def test_without_a_mail_server_every_kind_is_off(settings: Settings, backend: str) -> None:
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"

    assert not any(is_on(kind) for kind in KINDS)


def test_a_kind_that_was_switched_off_since_is_not_sent(
    order: Order, settings: Settings, catcher: Catcher
) -> None:
    mail = confirm(order)
    settings.CUSTOMER_MAILS_OFF = ["all"]

    send_due(NOW)

    mail.refresh_from_db()
    assert (mail.state, catcher.mails) == (State.CANCELED, [])


def test_what_was_taken_back_is_not_sent_and_may_happen_again(order: Order, catcher: Catcher) -> None:
    confirm(order)
    assert outbox.cancel("order_confirmation", reference=order.reference)
    send_due(NOW)
    assert not catcher.mails

    confirm(order)
    send_due(NOW)

    assert len(catcher.mails) == 1


def test_a_mail_is_sent_once_and_kept(order: Order, catcher: Catcher) -> None:
    mail = confirm(order)

    assert (send_due(NOW), send_due(NOW)) == (1, 0)

    mail.refresh_from_db()
    [received] = catcher.mails
    assert (mail.state, mail.sent_at, mail.attempts) == (State.SENT, NOW, 1)
    assert received["Subject"] == mail.subject == f"Your order {order.number}"
    assert received["To"] == "ada@example.com" and received["From"] == "Our Shop <owner@shop.test>"
    assert "BALM T-Shirt" in mail.body
    assert not outbox.cancel("order_confirmation", reference=order.reference)


def test_many_mails_are_sent_over_several_connections(order: Order, catcher: Catcher) -> None:
    for number in range(120):
        outbox.queue("order_confirmation", reference=str(number), to=f"c{number}@example.com", order=order)

    assert send_due(NOW) == 120

    assert sorted(catcher.recipients) == sorted(f"c{number}@example.com" for number in range(120))


def test_a_server_that_is_down_for_a_day_loses_nothing(
    order: Order, catcher: Catcher, settings: Settings
) -> None:
    mail = confirm(order)
    settings.EMAIL_PORT = 9

    for minutes in range(0, 24 * 60, 10):
        assert send_due(NOW + timedelta(minutes=minutes)) == 0

    assert "EMAIL_URL" in Issue.objects.get(closed_at=None).text
    settings.EMAIL_PORT = catcher.port
    assert send_due(NOW + timedelta(days=1)) == 1
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (State.SENT, 1)
    assert not Issue.objects.filter(closed_at=None).exists()


def test_a_short_outage_opens_no_issue(order: Order, catcher: Catcher, settings: Settings) -> None:
    confirm(order)
    settings.EMAIL_PORT = 9

    send_due(NOW + timedelta(minutes=1))

    assert not Issue.objects.exists()


def test_a_mail_that_is_not_accepted_for_now_is_tried_again_later(order: Order, catcher: Catcher) -> None:
    mail = confirm(order)
    catcher.on_data = lambda to: "452 4.3.1 Disk full"

    assert send_due(NOW) == 0

    mail.refresh_from_db()
    assert (mail.state, mail.last_error) == (State.QUEUED, "452 4.3.1 Disk full")
    assert send_due(NOW + timedelta(seconds=59)) == 0
    catcher.on_data = lambda to: None
    assert send_due(NOW + timedelta(seconds=60)) == 1


def test_the_time_between_attempts_grows_to_an_hour_and_ends_after_days(
    order: Order, catcher: Catcher, time_machine: TimeMachineFixture
) -> None:
    mail = confirm(order)
    catcher.on_rcpt = lambda to: "451 Try later"
    times = [NOW]
    while mail.state != State.FAILED:
        send_due(times[-1])
        mail.refresh_from_db()
        if mail.next_attempt_at:
            times.append(mail.next_attempt_at)
            time_machine.move_to(times[-1], tick=False)

    minutes = [(after - before).total_seconds() / 60 for before, after in pairwise(times)]
    assert minutes[:4] == [1, 2, 4, 8] and max(minutes) == 60
    assert timedelta(days=4) < times[-1] - NOW < timedelta(days=6)
    assert Issue.objects.get().subject == order.number


def test_an_address_that_is_refused_for_good_is_an_issue_and_no_loop(order: Order, catcher: Catcher) -> None:
    mail = confirm(order)
    catcher.on_rcpt = lambda to: f"550 5.1.1 <{to}>: no such user"

    send_due(NOW)
    send_due(NOW + timedelta(days=1))

    mail.refresh_from_db()
    issue = Issue.objects.get()
    assert (mail.state, mail.attempts) == (State.REFUSED, 1)
    assert (issue.kind, issue.subject) == (Issue.Kind.CUSTOMER_MAIL, order.number)
    assert "no such user" in issue.text and "ada@example.com" not in issue.text


def test_one_refused_address_does_not_stop_the_others(order: Order, catcher: Catcher) -> None:
    for name in ("ada", "bob", "carol"):
        outbox.queue("order_confirmation", reference=name, to=f"{name}@example.com", order=order)
    catcher.on_rcpt = lambda to: "550 no" if to.startswith("bob") else None

    assert send_due(NOW) == 3

    assert sorted(catcher.recipients) == ["ada@example.com", "carol@example.com"]


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.com\nBcc: all@example.com",
        "ada@example.com\r\nSubject: Hello",
        "ada@example.com, bob@example.com",
        "ada@example.com>\r\nRCPT TO:<bob@example.com",
        "not an address",
        "a@b@example.com",
    ],
)
def test_an_address_that_is_none_is_never_sent_to(order: Order, catcher: Catcher, to: str) -> None:
    outbox.queue("order_confirmation", reference="1", to=to, order=order)

    send_due(NOW)

    assert not catcher.mails and CustomerMail.objects.get().state == State.REFUSED


def test_names_cannot_add_a_header(order: Order, catcher: Catcher, settings: Settings) -> None:
    order.name = "Ada\r\nBcc: all@example.com"
    order.save()
    order.lines.update(name="Shirt\nSubject: Hello")
    settings.SHOP_NAME = "Tin\r\nBcc: all@example.com"
    confirm(order)

    send_due(NOW)

    [received] = catcher.mails
    assert received["Bcc"] is None and catcher.recipients == ["ada@example.com"]
    assert received.get_all("Subject") == [f"Your order {order.number}"]
    assert received["From"].addresses[0].addr_spec == "owner@shop.test"


def test_a_mail_is_sent_again_when_the_process_died_while_sending(order: Order, catcher: Catcher) -> None:
    mail = confirm(order)
    outbox.claim(NOW, 1)  # and dies

    assert send_due(NOW + timedelta(minutes=4)) == 0
    assert send_due(NOW + outbox.LEASE) == 1

    mail.refresh_from_db()
    assert (mail.state, mail.attempts, mail.interruptions) == (State.SENT, 2, 1)


def test_a_mail_is_not_sent_a_third_time(order: Order, catcher: Catcher) -> None:
    mail = confirm(order)
    outbox.claim(NOW, 1)
    outbox.claim(NOW + outbox.LEASE, 1)

    send_due(NOW + 2 * outbox.LEASE)

    mail.refresh_from_db()
    assert mail.state == State.FAILED and not catcher.mails
    assert "may have arrived" in Issue.objects.get().text


def test_a_connection_that_ends_after_the_mail_was_handed_over_repeats_it_once(
    order: Order, catcher: Catcher
) -> None:
    mail = confirm(order)
    catcher.on_data = lambda to: "hang up"

    for hours in range(4):
        send_due(NOW + timedelta(hours=hours))

    mail.refresh_from_db()
    assert (mail.state, len(catcher.mails)) == (State.FAILED, 2)
    assert catcher.mails[0]["Message-ID"] == catcher.mails[1]["Message-ID"]


def test_two_workers_take_different_mails(order: Order) -> None:
    for number in range(5):
        outbox.queue("order_confirmation", reference=str(number), to=order.email, order=order)

    first, second = outbox.claim(NOW, 3), outbox.claim(NOW, 3)

    assert (len(first), len(second)) == (3, 2)
    assert not {mail.pk for mail in first} & {mail.pk for mail in second}


def test_the_owner_sends_a_mail_again_to_a_corrected_address(order: Order, catcher: Catcher) -> None:
    mail = confirm(order)
    catcher.on_rcpt = lambda to: "550 no" if to == "ada@example.com" else None
    send_due(NOW)
    mail.refresh_from_db()

    assert outbox.send_again(mail, now=NOW, to="ada@example.org")
    assert not outbox.send_again(mail, now=NOW)
    send_due(NOW)

    mail.refresh_from_db()
    assert (mail.state, catcher.recipients) == (State.SENT, ["ada@example.org"])


def test_a_mail_that_cannot_be_rendered_is_an_issue_and_stops_no_other(
    order: Order, catcher: Catcher
) -> None:
    outbox.queue("order_confirmation", reference="1", to=order.email, order=order)
    CustomerMail.objects.update(kind="removed_kind")
    outbox.queue("order_confirmation", reference="2", to=order.email, order=order)

    send_due(NOW)

    assert len(catcher.mails) == 1
    assert CustomerMail.objects.get(reference="1").state == State.FAILED
