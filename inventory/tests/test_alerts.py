"""Mail to the owner: what is reported, and how often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from django.utils import timezone

from inventory import alerts, issues
from inventory.models import Issue, MailLock, StockItem
from inventory.stock import ledger
from inventory.tests.factories import Shirt
from shop.models import Product


def look_round() -> list[Any]:
    """Run the task once; returns the mails it sent."""
    before = len(mail.outbox)
    alerts.notify_owner(timezone.now())
    return mail.outbox[before:]


@pytest.fixture
def known(shirt: Shirt) -> Shirt:
    """10 in S, 15 in M, 5 in L, with alert levels recorded."""
    assert look_round() == []
    return shirt


def test_a_size_that_runs_low_is_reported_once(known: Shirt) -> None:
    known.sell("M", 11)

    (told,) = look_round()

    assert told.to == ["owner@shop.test"]
    assert told.subject == "[Our Shop] Low stock: BALM T-Shirt M, 4 left"
    item = known.item("M")
    assert f"\nhttp://testserver/admin/inventory/stockitem/{item.pk}/change/\n" in told.body
    known.sell("M", 1)
    assert look_round() == []


def test_a_first_sync_of_the_catalog_sends_nothing(shirt: Shirt) -> None:
    shirt.edit(S=0)
    shirt.settle()
    assert shirt.item("L").available == 5

    assert look_round() == []
    assert set(StockItem.objects.values_list("size", "notified_level")) == {("S", 2), ("M", 0), ("L", 1)}


def test_sold_out_is_reported_after_low(known: Shirt) -> None:
    known.sell("M", 11)
    look_round()
    known.sell("M", 4)

    (told,) = look_round()

    assert told.subject == "[Our Shop] Sold out: BALM T-Shirt M"


def test_held_units_are_not_sold_yet(known: Shirt) -> None:
    ledger.hold("order:1", {known.item("M").pk: 15})

    assert look_round() == []


def test_a_restocked_size_is_reported_again_when_it_falls_again(known: Shirt) -> None:
    known.sell("M", 11)
    assert len(look_round()) == 1
    ledger.receive(known.item("M").pk, 20, reference="form:1")
    assert look_round() == []
    known.sell("M", 20)

    (told,) = look_round()

    assert "BALM T-Shirt M, 4 left" in told.subject


def test_an_oversold_size_and_its_issue_come_in_one_mail(known: Shirt) -> None:
    known.sell("M", 17)
    known.sell("S", 10)

    (told,) = look_round()

    case = Issue.objects.get()
    assert told.subject == "[Our Shop] Needs attention: oversold (prod_shirt stock_M) and 2 more"
    assert f"\nhttp://testserver/admin/inventory/issue/{case.pk}/change/\n" in told.body
    assert "\nSold out: BALM T-Shirt S\n" in told.body and "\nSold out: BALM T-Shirt M\n" in told.body
    assert look_round() == []


def test_notes_and_closed_issues_are_not_reported(known: Shirt) -> None:
    issues.open_issue(Issue.Kind.EDIT_TO_REVIEW, "prod_shirt", "Perhaps an old form.")
    issues.open_issue(Issue.Kind.PUBLISHING_STOPPED, "Stripe", "No key.")
    issues.close(Issue.Kind.PUBLISHING_STOPPED, "Stripe")

    assert look_round() == []


def test_a_reopened_issue_is_reported_again(known: Shirt) -> None:
    for _time in range(2):
        issues.open_issue(Issue.Kind.PUBLISHING_STOPPED, "Stripe", "No key.")
        assert len(look_round()) == 1
        issues.close(Issue.Kind.PUBLISHING_STOPPED, "Stripe")


def test_hidden_products_are_not_reported(known: Shirt) -> None:
    Product.objects.update(active=False)
    known.sell("M", 15)

    assert look_round() == []


def test_a_mail_that_cannot_be_sent_is_logged_and_sent_later(
    known: Shirt, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known.sell("M", 11)

    def away(*args: Any) -> int:
        raise SMTPServerDisconnected("mail server\naway")

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", away)
        assert look_round() == []

    assert "Could not send mail to OWNER_EMAIL, will retry: SMTPServerDisconnected" in caplog.text
    assert len(look_round()) == 1 and look_round() == []


def test_only_one_worker_sends_the_mail(known: Shirt, monkeypatch: pytest.MonkeyPatch) -> None:
    known.sell("M", 11)
    send, seen = alerts._send, []

    def meanwhile(news: Any) -> bool:
        seen.append(alerts.notify_owner(timezone.now()))
        return send(news)

    monkeypatch.setattr(alerts, "_send", meanwhile)

    assert len(look_round()) == 1 and seen == [0]


def test_after_a_crash_while_sending_the_next_worker_sends_the_mail(known: Shirt) -> None:
    known.sell("M", 11)
    MailLock.objects.update_or_create(
        singleton=1, defaults={"lease_until": timezone.now() + timedelta(minutes=5), "lease_holder": "dead"}
    )
    assert look_round() == []

    MailLock.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert len(look_round()) == 1


def test_nothing_is_sent_without_an_owner_and_open_issues_are_reported_once_there_is_one(
    known: Shirt, settings: Any
) -> None:
    settings.OWNER_EMAIL = ""
    known.sell("M", 17)
    assert look_round() == []

    settings.OWNER_EMAIL = "new@shop.test"

    (told,) = look_round()
    assert told.to == ["new@shop.test"] and "oversold" in told.subject


@pytest.mark.parametrize(
    "name", ["Shirt\nBcc: all@example.com", "Shirt\r\nX: y", "Shirt\x85\u2028\x00", "<b>&"]
)
def test_no_name_of_a_product_becomes_a_header_or_a_line_of_its_own(known: Shirt, name: str) -> None:
    Product.objects.update(name=name.replace("\x00", ""))
    known.sell("M", 15)

    (told,) = look_round()

    assert "\n" not in told.subject and "\r" not in told.subject
    assert told.subject.startswith("[Our Shop] Sold out: ") and "&amp;" not in told.subject
    assert set(told.message().keys()) >= {"Subject", "To"} and "Bcc" not in told.message()
    assert len(told.body.strip().splitlines()) == 2


def test_a_mail_lists_twenty_items_and_counts_the_rest(known: Shirt) -> None:
    for number in range(25):
        issues.open_issue(Issue.Kind.EVENT_FAILED, f"evt_{number}", "No.")

    (told,) = look_round()

    assert told.body.count("event_failed") == alerts.MAX_ITEMS_PER_MAIL
    assert told.body.endswith("And 5 more:\nhttp://testserver/admin/\n")
    assert look_round() == []


def test_an_idle_run_takes_three_queries(known: Shirt, django_assert_num_queries: Callable[..., Any]) -> None:
    with django_assert_num_queries(3):
        alerts.notify_owner(timezone.now())


def test_a_cron_job_sends_the_mail_as_well(known: Shirt) -> None:
    call_command("run_worker", "--once")
    known.sell("M", 11)

    call_command("run_worker", "--once")

    assert [told.subject for told in mail.outbox] == ["[Our Shop] Low stock: BALM T-Shirt M, 4 left"]
