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
from django.test import RequestFactory
from django.utils import timezone

from inventory import admin_panels, alerts, issues
from inventory.models import Issue, MailLock, StockItem
from inventory.stock import ledger
from inventory.tests.factories import Shirt
from shop.models import Product


def notify() -> list[Any]:
    """Run the task once; returns the mails it sent."""
    before = len(mail.outbox)
    alerts.notify_owner(timezone.now())
    return mail.outbox[before:]


@pytest.fixture
def synced(shirt: Shirt) -> Shirt:
    """10 in S, 15 in M, 5 in L, with alert levels recorded."""
    assert notify() == []
    return shirt


def test_a_size_that_runs_low_is_reported_once(synced: Shirt) -> None:
    synced.sell("M", 11)

    (message,) = notify()

    assert message.to == ["owner@shop.test"]
    assert message.subject == "[Our Shop] Low stock: BALM T-Shirt M, 4 left"
    item = synced.item("M")
    assert f"\nhttp://testserver/admin/inventory/stockitem/{item.pk}/change/\n" in message.body
    synced.sell("M", 1)
    assert notify() == []


def test_a_first_sync_of_the_catalog_sends_nothing(shirt: Shirt) -> None:
    shirt.edit(S=0)
    shirt.settle()
    assert shirt.item("L").available == 5

    assert notify() == []
    assert set(StockItem.objects.values_list("size", "notified_level")) == {("S", 2), ("M", 0), ("L", 1)}


def test_sold_out_is_reported_after_low(synced: Shirt) -> None:
    synced.sell("M", 11)
    notify()
    synced.sell("M", 4)

    (message,) = notify()

    assert message.subject == "[Our Shop] Sold out: BALM T-Shirt M"


def test_held_units_are_not_sold_yet(synced: Shirt) -> None:
    ledger.hold("order:1", {synced.item("M").pk: 15})

    assert notify() == []


def test_a_restocked_size_is_reported_again_when_it_falls_again(synced: Shirt) -> None:
    synced.sell("M", 11)
    assert len(notify()) == 1
    ledger.receive(synced.item("M").pk, 20, reference="form:1")
    assert notify() == []
    synced.sell("M", 20)

    (message,) = notify()

    assert "BALM T-Shirt M, 4 left" in message.subject


def test_an_oversold_size_and_its_issue_come_in_one_mail(synced: Shirt) -> None:
    synced.sell("M", 17)
    synced.sell("S", 10)

    (message,) = notify()

    issue = Issue.objects.get()
    assert message.subject == "[Our Shop] Needs attention: oversold (prod_shirt stock_M) and 2 more"
    assert f"\nhttp://testserver/admin/inventory/issue/{issue.pk}/change/\n" in message.body
    assert "\nSold out: BALM T-Shirt S\n" in message.body and "\nSold out: BALM T-Shirt M\n" in message.body
    assert notify() == []


def test_notes_and_closed_issues_are_not_reported(synced: Shirt) -> None:
    issues.open_issue(Issue.Kind.EDIT_TO_REVIEW, "prod_shirt", "Perhaps an old form.")
    issues.open_issue(Issue.Kind.PUBLISHING_STOPPED, "Stripe", "No key.")
    issues.close(Issue.Kind.PUBLISHING_STOPPED, "Stripe")

    assert notify() == []


def test_a_reopened_issue_is_reported_again(synced: Shirt) -> None:
    for _time in range(2):
        issues.open_issue(Issue.Kind.PUBLISHING_STOPPED, "Stripe", "No key.")
        assert len(notify()) == 1
        issues.close(Issue.Kind.PUBLISHING_STOPPED, "Stripe")


def test_hidden_products_are_not_reported(synced: Shirt) -> None:
    Product.objects.update(active=False)
    synced.sell("M", 15)

    assert notify() == []


def test_a_mail_that_cannot_be_sent_is_logged_and_sent_later(
    synced: Shirt, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    synced.sell("M", 11)

    def away(*args: Any) -> int:
        raise SMTPServerDisconnected("mail server\naway")

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", away)
        assert notify() == notify() == []

    assert caplog.text.count("Could not send mail to OWNER_EMAIL, will retry: SMTPServerDisconnected") == 1
    panel = admin_panels.mail_panel(RequestFactory().get("/admin/"))
    assert panel is not None and "SMTPServerDisconnected('mail server\\naway')" in panel["text"]
    assert len(notify()) == 1 and notify() == []
    assert admin_panels.mail_panel(RequestFactory().get("/admin/")) is None


def test_only_one_worker_sends_the_mail(synced: Shirt, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.sell("M", 11)
    send, sent_by_the_other = EmailBackend.send_messages, []

    def send_while_another_worker_tries(backend: EmailBackend, messages: Any) -> int:
        sent_by_the_other.append(alerts.notify_owner(timezone.now()))
        return send(backend, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send_while_another_worker_tries)

    assert len(notify()) == 1 and sent_by_the_other == [0]


def test_after_a_crash_while_sending_the_next_worker_sends_the_mail(synced: Shirt) -> None:
    synced.sell("M", 11)
    MailLock.objects.update_or_create(
        singleton=1, defaults={"lease_until": timezone.now() + timedelta(minutes=5), "lease_holder": "dead"}
    )
    assert notify() == []

    MailLock.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert len(notify()) == 1


def test_nothing_is_sent_without_an_owner_and_open_issues_are_reported_once_there_is_one(
    synced: Shirt, settings: Any
) -> None:
    settings.OWNER_EMAILS = []
    synced.sell("M", 17)
    assert notify() == []

    settings.OWNER_EMAILS = ["new@shop.test", "Ada <ada@shop.test>"]

    (message,) = notify()
    assert message.recipients() == ["new@shop.test", "Ada <ada@shop.test>"]
    assert "oversold" in message.subject


@pytest.mark.parametrize(
    "name", ["Shirt\nBcc: all@example.com", "Shirt\r\nX: y", "Shirt\x85\u2028\x00", "<b>&"]
)
def test_no_name_of_a_product_becomes_a_header_or_a_line_of_its_own(synced: Shirt, name: str) -> None:
    Product.objects.update(name=name.replace("\x00", ""))
    synced.sell("M", 15)

    (message,) = notify()

    assert "\n" not in message.subject and "\r" not in message.subject
    assert message.subject.startswith("[Our Shop] Sold out: ") and "&amp;" not in message.subject
    assert set(message.message().keys()) >= {"Subject", "To"} and "Bcc" not in message.message()
    assert len(message.body.strip().splitlines()) == 2


def test_a_mail_lists_twenty_items_and_counts_the_rest(synced: Shirt) -> None:
    for number in range(25):
        issues.open_issue(Issue.Kind.EVENT_FAILED, f"evt_{number}", "No.")

    (message,) = notify()

    assert message.body.count("event not handled (evt_") == alerts.MAX_ITEMS_PER_MAIL
    assert message.body.endswith("And 5 more:\nhttp://testserver/admin/\n")
    assert notify() == []


def test_an_idle_run_takes_three_queries(
    synced: Shirt, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(3):
        alerts.notify_owner(timezone.now())


def test_a_cron_job_sends_the_mail_as_well(synced: Shirt) -> None:
    call_command("run_worker", "--once")
    synced.sell("M", 11)

    call_command("run_worker", "--once")

    assert [message.subject for message in mail.outbox] == ["[Our Shop] Low stock: BALM T-Shirt M, 4 left"]
