"""Kill a real process while it sends mails to a real mail server: nothing is lost, and a mail arrives twice at most."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from checkout.mail import outbox
from checkout.mail.sending import send_due
from checkout.models import CustomerMail, Order
from checkout.tests.catcher import Catcher, catching
from config import fault_points
from proofs.children import DIED, ChildDatabase, new_child_database, start

MAILS = 30
Say = Callable[[str], None]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]


@pytest.fixture
def child_db(tmp_path: Path) -> ChildDatabase:
    return new_child_database(tmp_path)


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    with catching() as caught:
        yield caught


def in_shop(catcher: Catcher, act: Callable[[Say], object]) -> Callable[[Say], None]:
    """A child in which mails are on and go to the catcher."""

    def run(say: Say) -> None:
        settings.CUSTOMER_MAILS_OFF = []
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.port
        act(say)

    return run


def queue_mails(say: Say) -> None:
    for number in range(MAILS):
        order = Order.objects.create(email=f"c{number}@example.com", currency="usd", total=100)
        outbox.queue("order_confirmation", reference=order.reference, to=order.email, order=order)


def die_at(point: str, visit: int) -> Callable[[Say], None]:
    def act(say: Say) -> None:
        seen: Counter[str] = Counter()

        def pass_by(name: str) -> None:
            seen[name] += 1
            if name == point and seen[name] == visit:
                os._exit(DIED)

        fault_points.visit = pass_by
        send_due(timezone.now())

    return act


def send_after_the_lease(say: Say) -> None:
    send_due(timezone.now() + outbox.LEASE + timedelta(seconds=1))


def say_states(say: Say) -> None:
    states = Counter(CustomerMail.objects.values_list("state", flat=True))
    say(" ".join(f"{state}:{number}" for state, number in sorted(states.items())))


@pytest.mark.parametrize(
    ("point", "visit"), [("mail.claimed", 3), ("mail.answered", 1), ("mail.answered", 17)]
)
def test_a_worker_that_dies_while_sending_loses_no_mail_and_repeats_none_twice(
    point: str, visit: int, child_db: ChildDatabase, catcher: Catcher
) -> None:
    start(child_db, in_shop(catcher, queue_mails)).wait()
    assert start(child_db, in_shop(catcher, die_at(point, visit))).wait().code == DIED
    accepted_before = len(catcher.recipients)

    start(child_db, in_shop(catcher, send_after_the_lease)).wait()

    copies = Counter(catcher.recipients)
    assert set(copies) == {f"c{number}@example.com" for number in range(MAILS)}
    assert max(copies.values()) <= 2
    if point == "mail.answered":
        assert accepted_before and max(copies.values()) == 2  # The server's OK was never noted.
    ids = Counter(str(mail["Message-ID"]) for mail in catcher.mails)
    assert sorted(ids.values()) == sorted(copies.values())
    assert start(child_db, in_shop(catcher, say_states)).wait().said == f"sent:{MAILS}"


def test_two_workers_at_once_send_each_mail_once(child_db: ChildDatabase, catcher: Catcher) -> None:
    start(child_db, in_shop(catcher, queue_mails)).wait()
    work = in_shop(catcher, lambda say: say(str(send_due(timezone.now()))))

    workers = [start(child_db, work) for _worker in range(2)]
    sent = sum(int(worker.wait().said) for worker in workers)

    assert sent == MAILS
    assert set(Counter(catcher.recipients).values()) == {1}
    assert len(catcher.recipients) == MAILS
