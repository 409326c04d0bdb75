"""The doctor: each problem of a set-up is found and comes with the line that mends it."""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import requests
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from config.stripe_events import EVENTS
from inventory import gateway, heartbeat
from inventory.models import DeliveryStatus, Heartbeat, Issue, MailLock, Movement, StripeEvent
from inventory.setup import doctor, endpoint
from inventory.setup.doctor import ERROR, OK, WARNING, Finding, examine
from inventory.tests.factories import Shirt

if TYPE_CHECKING:
    from pytest_django import Settings

    from fake_stripe import FakeStripe

pytestmark = pytest.mark.django_db


@pytest.fixture
def healthy(fake: FakeStripe, settings: Settings, shirt: Shirt, running_shop: None) -> FakeStripe:
    """A shop in which everything is in order; returns its Stripe account."""
    connect(fake, settings)
    heartbeat.beat(timezone.now())
    return fake


def connect(fake: FakeStripe, settings: Settings) -> None:
    for old in list(fake.webhook_endpoints):
        fake.call("DELETE", f"/v1/webhook_endpoints/{old}")
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_none"]
    settings.STRIPE_WEBHOOK_SECRETS = [endpoint.apply(endpoint.plan([]))]


def problems() -> list[Finding]:
    return [finding for finding in examine(timezone.now()) if finding.level != OK]


def only_problem() -> Finding:
    [finding] = problems()
    assert finding.remedy
    return finding


def the_endpoint(fake: FakeStripe) -> str:
    [endpoint_id] = fake.webhook_endpoints
    return f"/v1/webhook_endpoints/{endpoint_id}"


def test_a_healthy_shop_has_only_findings_that_are_ok(healthy: FakeStripe) -> None:
    findings = examine(timezone.now())

    assert [finding for finding in findings if finding.level != OK] == []
    checks = {finding.check for finding in findings}
    assert checks >= {
        "settings",
        "stripe",
        "permissions",
        "endpoint",
        "webhook",
        "clock",
        "database",
    }
    assert checks >= {"worker", "events", "publishing", "catalog", "mail"}


def test_an_examination_changes_nothing_at_stripe(healthy: FakeStripe) -> None:
    before = (dict(healthy.products), dict(healthy.webhook_endpoints), dict(healthy.events))

    examine(timezone.now())

    assert (dict(healthy.products), dict(healthy.webhook_endpoints), dict(healthy.events)) == before


# --- The account


@pytest.mark.parametrize("name", gateway.PERMISSIONS)
def test_each_permission_that_a_restricted_key_lacks_is_named(
    name: str, healthy: FakeStripe, settings: Settings
) -> None:
    may = {
        "products": "write",
        "prices": "read",
        "checkout_sessions": "write",
        "events": "read",
        "payment_intents": "read",
        "charges": "read",
        "refunds": "write",
        "webhook_endpoints": "read",
        "account": "read",
    }
    resource, access = name.split(": ")
    resource = {"PaymentIntents": "payment_intents"}.get(resource, resource.lower().replace(" ", "_"))
    del may[resource]
    if access == "write":
        may[resource] = "read"
    healthy.keys.add("rk_test_shop", may)
    settings.STRIPE_SECRET_KEY = "rk_test_shop"

    found = [finding for finding in problems() if finding.check == "permissions"]

    assert [finding.text for finding in found] == [f"The key lacks the permission “{name}”."]
    assert "dashboard.stripe.com" in found[0].remedy


def test_a_revoked_key_is_one_finding(healthy: FakeStripe, settings: Settings) -> None:
    healthy.keys.revoke("sk_test_fake")

    assert only_problem().text == "Stripe does not accept the key in STRIPE_SECRET_KEY."


def test_no_key_is_one_finding(healthy: FakeStripe, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = settings.STRIPE_WEBHOOK_SECRETS = ""

    assert only_problem().text == "STRIPE_SECRET_KEY is not set: nothing can be bought."


@pytest.mark.parametrize("kind", ["error_500", "cut"])
def test_stripe_away_is_one_finding(kind: str, healthy: FakeStripe) -> None:
    healthy.faults.add(kind, when="before")

    finding = only_problem()

    assert (finding.check, finding.level) == ("stripe", ERROR)
    assert "Stripe does not answer" in finding.text


def test_a_hanging_stripe_does_not_hold_up_the_examination(
    healthy: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(gateway, "fetch_account", lambda: hangs.wait(60))
    began = time.monotonic()

    found = [each for each in examine(timezone.now(), stripe_deadline=0.2) if each.level != OK]

    assert time.monotonic() - began < 5
    assert [finding.check for finding in found] == ["stripe"]
    assert "no answer within 0.2 seconds" in found[0].text
    hangs.set()


# --- The endpoint


def test_a_missing_endpoint_is_found(healthy: FakeStripe) -> None:
    healthy.call("DELETE", the_endpoint(healthy))

    finding = only_problem()

    assert finding.text.startswith("Stripe has no webhook endpoint for http://testserver/stripe/webhook/")
    assert finding.remedy == doctor.CONNECT


def test_a_disabled_endpoint_is_found(healthy: FakeStripe) -> None:
    healthy.call("POST", the_endpoint(healthy), "disabled=true")

    assert "is disabled" in only_problem().text


def test_events_that_the_endpoint_does_not_send_are_named(healthy: FakeStripe) -> None:
    healthy.call("POST", the_endpoint(healthy), "enabled_events[]=product.updated")

    finding = only_problem()

    assert finding.level == ERROR
    assert "checkout.session.completed" in finding.text and "product.updated" not in finding.text


def test_another_endpoints_secret_is_found(healthy: FakeStripe, settings: Settings) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_of_another_endpoint"]

    assert "is not the secret of the webhook endpoint" in only_problem().text


def test_an_endpoint_of_another_version_is_found(healthy: FakeStripe) -> None:
    healthy.call("DELETE", the_endpoint(healthy))
    events = "&".join(f"enabled_events[]={event}" for event in EVENTS)
    healthy.call(
        "POST", "/v1/webhook_endpoints", f"url={endpoint.webhook_url()}&api_version=2024-06-20&{events}"
    )

    finding = only_problem()

    assert finding.level == WARNING
    assert "API version 2024-06-20" in finding.text


def test_two_endpoints_of_the_same_url_are_found(healthy: FakeStripe) -> None:
    healthy.add_webhook_endpoint(endpoint.webhook_url(), enabled_events=list(EVENTS))

    assert "Stripe has 2 endpoints of this URL" in only_problem().text


def test_a_shop_that_runs_with_another_secret_is_found(
    healthy: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "ping", lambda secret: "it answers 400: The signature matches no secret")

    finding = only_problem()

    assert finding.check == "webhook"
    assert "400" in finding.text


def test_a_shop_that_does_not_answer_is_found(healthy: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "post", refuse)

    assert "testserver does not answer (ConnectionError)" in only_problem().text


# --- Clock, database, worker


def test_a_clock_that_is_off_is_found(healthy: FakeStripe) -> None:
    healthy.forward(400)

    finding = only_problem()

    assert finding.level == ERROR
    assert re.search(r"differs from Stripe’s by -(399|400) seconds", finding.text)


def test_migrations_that_were_not_applied_are_named(
    healthy: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "pending_migrations", lambda: ["shop.0009_x"])

    finding = only_problem()

    assert (finding.check, finding.remedy) == ("database", "manage.py migrate")
    assert "shop.0009_x" in finding.text


@pytest.mark.parametrize("key", ["sk_test_fake", "rk_test_fake"])
def test_events_of_the_other_mode_are_found(key: str, healthy: FakeStripe, settings: Settings) -> None:
    StripeEvent.objects.create(
        id="evt_live", type="x", created_at=timezone.now(), livemode=True, payload={},
        next_attempt_at=timezone.now(), state=StripeEvent.State.HANDLED,
    )  # fmt: skip
    healthy.keys.add(key)
    settings.STRIPE_SECRET_KEY = key

    finding = only_problem()

    assert finding.text.startswith("The key is of test mode, but the database has events of the other mode")
    assert "DATABASE_URL" in finding.remedy


def test_a_read_only_database_is_one_sentence(healthy: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "is_read_only", lambda: True)

    assert only_problem().text == "The database is read-only, so nothing can be sold or counted."


def test_several_hosts_need_the_attribute_that_picks_the_primary(
    healthy: FakeStripe, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_hosts = {**settings.DATABASES["default"], "HOST": "a,b", "OPTIONS": {}}
    monkeypatch.setitem(settings.DATABASES, "default", two_hosts)

    assert "target_session_attrs=read-write" in only_problem().remedy


def test_a_stopped_worker_is_found(healthy: FakeStripe) -> None:
    Heartbeat.objects.all().delete()

    assert only_problem() == Finding(
        "worker",
        ERROR,
        "No worker is running (none has ever run): orders are not counted.",
        "manage.py run_worker",
    )


def test_failed_and_waiting_events_are_found(healthy: FakeStripe) -> None:
    now, old = timezone.now(), timezone.now() - timedelta(hours=1)
    for number, state in enumerate([StripeEvent.State.FAILED, StripeEvent.State.WAITING]):
        StripeEvent.objects.create(
            id=f"evt_{number}",
            type="x",
            created_at=old,
            livemode=False,
            payload={},
            next_attempt_at=now,
            state=state,
        )
    StripeEvent.objects.update(received_at=old)

    found = problems()

    assert [finding.remedy for finding in found] == [
        "manage.py replay_events --failed",
        "manage.py run_worker",
    ]


def test_counts_that_do_not_reach_stripe_are_found(healthy: FakeStripe, shirt: Shirt) -> None:
    Movement.objects.create(item=shirt.item("M"), kind="received", delta=1, reference="x")
    late = timezone.now() + timedelta(minutes=20)

    found = [finding.check for finding in doctor._worker_findings(late) if finding.level != OK]

    assert found == ["worker", "publishing"]


def test_refused_deliveries_and_failing_mail_are_found(healthy: FakeStripe) -> None:
    since = timezone.now()
    refused = {"refused_since": since, "refused_at": since, "refusal": "No secret matches."}
    DeliveryStatus.objects.update_or_create(singleton=1, defaults=refused)
    MailLock.objects.create(failing_since=since, error="The server says no.")

    found = {finding.check: finding.text for finding in problems()}

    assert found.keys() == {"deliveries", "mail"}
    assert found["deliveries"].endswith("was refused: No secret matches.")
    assert found["mail"].endswith("could be sent: The server says no.")


def test_a_database_file_that_others_may_read_is_found(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.sqlite3"
    file.touch(mode=0o644)
    monkeypatch.setitem(settings.DATABASES, "default", {"NAME": str(file)})
    monkeypatch.setattr(doctor, "connection", SimpleNamespace(vendor="sqlite"))
    settings.STRIPE_SECRET_KEY = "sk_live_x"

    [finding] = doctor._files_that_others_may_read()
    file.chmod(0o600)

    assert finding.remedy == f"chmod 600 {file}"
    assert not doctor._files_that_others_may_read()


# --- Settings and mail


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"STRIPE_SECRET_KEY": "sk_live_x"}, "SITE_URL=https://your.shop in .env"),
        (
            {"STRIPE_SECRET_KEY": "sk_live_x", "SITE_URL": "https://testserver", "DEBUG": True},
            "DEBUG=False in .env",
        ),
        (
            {"STRIPE_SECRET_KEY": "sk_live_x", "SITE_URL": "https://testserver"},
            "Remove STRIPE_API_BASE from .env.",
        ),
        ({"ALLOWED_HOSTS": ["other.example"]}, "Remove ALLOWED_HOSTS, or add the host to it."),
        ({"STRIPE_SECRET_KEY": ""}, doctor.CONNECT),
        ({"SHIPPING_RATES": ["shr_1"], "SHIPPING_COUNTRIES": []}, "Set SHIPPING_COUNTRIES, such as US,DE."),
    ],
)
def test_settings_that_do_not_fit_each_other_are_found(
    changes: dict[str, object], remedy: str, settings: Settings
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)

    assert remedy in [finding.remedy for finding in doctor.settings_findings()]


def test_a_test_mail_is_sent_on_request(healthy: FakeStripe, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

    findings = examine(timezone.now(), send_mail=True)

    assert [finding.text for finding in findings if finding.check == "mail"][-1].endswith("was accepted.")
    assert [message.to for message in mail.outbox] == [["owner@shop.test"]]


def test_a_mail_server_that_refuses_is_found(healthy: FakeStripe, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    [finding] = [each for each in examine(timezone.now(), send_mail=True) if each.level != OK]

    assert finding.text.startswith("The mail was not accepted: ConnectionRefusedError")


# --- The command and the hourly issues


def test_the_command_prints_problems_with_their_remedies_and_exits_with_1(healthy: FakeStripe) -> None:
    healthy.call("POST", the_endpoint(healthy), "disabled=true")
    printed = StringIO()

    with pytest.raises(CommandError, match="1 error found"):
        call_command("doctor", stdout=printed)

    assert "ERROR   endpoint" in printed.getvalue()
    assert f"→ {doctor.CONNECT}" in printed.getvalue()


def test_the_command_speaks_json_and_exits_with_0_if_all_is_well(healthy: FakeStripe) -> None:
    printed = StringIO()

    call_command("doctor", "--json", stdout=printed)

    report = json.loads(printed.getvalue())
    assert report["healthy"] is True
    assert {finding["level"] for finding in report["findings"]} == {OK}


def test_the_hourly_examination_opens_an_issue_and_closes_it_when_the_cause_is_gone(
    healthy: FakeStripe,
) -> None:
    healthy.call("POST", the_endpoint(healthy), "disabled=true")

    doctor.examine_hourly(timezone.now())
    doctor.examine_hourly(timezone.now())

    [issue] = Issue.objects.all()
    assert (issue.kind, issue.subject) == ("setup", "endpoint")
    assert issue.text.endswith(f"is disabled. → {doctor.CONNECT}")
    healthy.call("POST", the_endpoint(healthy), "disabled=false")
    doctor.examine_hourly(timezone.now())
    assert not Issue.objects.filter(closed_at=None).exists()


def test_what_the_admin_shows_elsewhere_opens_no_issue(healthy: FakeStripe) -> None:
    Heartbeat.objects.all().delete()

    doctor.examine_hourly(timezone.now())

    assert not Issue.objects.exists()


def test_what_the_hourly_examination_finds_is_on_the_first_page_of_the_admin(
    healthy: FakeStripe, admin_client: Client
) -> None:
    healthy.call("POST", the_endpoint(healthy), "disabled=true")
    doctor.examine_hourly(timezone.now())

    page = admin_client.get("/admin/").content.decode()

    assert "is disabled. → manage.py connect_stripe --env .env" in page


def test_a_currency_that_is_not_offered_is_named(
    healthy: FakeStripe, shirt: Shirt, settings: Settings
) -> None:
    settings.SHOP_CURRENCIES = ["eur"]

    finding = only_problem()

    assert (finding.check, finding.level) == ("currencies", WARNING)
    assert finding.text.startswith("EUR is not offered")

    [price] = price_ids(healthy)
    healthy.call("POST", f"/v1/prices/{price}", "currency_options[eur][unit_amount]=2300")
    shirt.sync()
    assert problems() == []


def price_ids(fake: FakeStripe) -> list[str]:
    _status, answer = fake.call("GET", "/v1/prices")
    return [price["id"] for price in answer["data"]]
