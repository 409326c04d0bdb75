"""/healthz, /readyz and /metrics, as a watcher asks them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from inventory import heartbeat, monitoring
from inventory.models import Heartbeat, Movement, StripeEvent
from inventory.tests.factories import raising

if TYPE_CHECKING:
    from inventory.tests.factories import Shirt

TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture
def ready(db: None, settings: Settings, shirt: Shirt) -> Shirt:
    settings.MONITORING_TOKEN = "secret"
    settings.ALLOWED_HOSTS = ["shop.example"]  # A watcher asks by address.
    settings.SECURE_SSL_REDIRECT = True
    heartbeat.beat(timezone.now())
    return shirt


def test_a_living_process_answers_without_the_database(client: Client) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_a_shop_in_order_is_ready(ready: Shirt, client: Client) -> None:
    assert client.get("/readyz").content == b"ok\n"
    assert client.get("/readyz", headers=TOKEN).json()["problem"] == ""


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lambda: Heartbeat.objects.all().delete(), "No worker is running."),
        (
            lambda: StripeEvent.objects.update(
                state="waiting", received_at=timezone.now() - timedelta(hours=1)
            ),
            "Events wait to be handled.",
        ),
    ],
)
@pytest.mark.django_db
def test_what_is_wrong_is_told_to_the_token_only(
    break_it: object, problem: str, ready: Shirt, client: Client
) -> None:
    break_it()  # type: ignore[operator]

    assert (client.get("/readyz").status_code, client.get("/readyz").content) == (503, b"not ready\n")
    assert client.get("/readyz", headers=TOKEN).json()["problem"] == problem


def test_counts_that_wait_make_it_not_ready(ready: Shirt, client: Client) -> None:
    Movement.objects.create(item=ready.item("M"), kind="received", delta=1, reference="x")

    assert monitoring.read_state(timezone.now()).oldest_movement is not None
    late = timezone.now() + timedelta(minutes=20)
    heartbeat.beat(late)
    assert monitoring.read_state(late).problem == "Counts wait to be sent to Stripe."


def test_a_database_that_is_away_or_read_only_is_one_sentence(
    ready: Shirt, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "is_read_only", lambda: True)
    assert client.get("/readyz", headers=TOKEN).json()["problem"] == "The database is read-only."
    monkeypatch.setattr(monitoring, "is_read_only", raising(DatabaseError("gone\nfor now")))
    assert client.get("/readyz", headers=TOKEN).status_code == 503
    assert "does not answer: gone for now" in client.get("/readyz", headers=TOKEN).json()["problem"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer ü"}])
def test_metrics_need_the_token(headers: dict[str, str], ready: Shirt, client: Client) -> None:
    answer = client.get("/metrics", headers=headers)

    assert answer.status_code == 401
    assert b"shop_" not in answer.content


def test_without_a_token_in_the_settings_nobody_gets_metrics(
    ready: Shirt, client: Client, settings: Settings
) -> None:
    settings.MONITORING_TOKEN = ""

    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


def test_metrics_come_from_the_database(ready: Shirt, client: Client) -> None:
    text = client.get("/metrics", headers=TOKEN).content.decode()

    assert "shop_ready 1.0" in text
    assert 'shop_events{state="handled"}' in text
    assert "shop_unpublished_movements 0.0" in text
