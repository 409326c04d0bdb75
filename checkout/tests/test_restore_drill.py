"""manage.py restore_drill: a backup is restored into a scratch database, and nothing else is changed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, item_of, order_for
from config.stripe_client import ReadOnly, stripe_client
from fake_stripe import FakeStripe
from fake_stripe.server import Server
from inventory.models import Movement
from shop.models import Product

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def served(fake: FakeStripe, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStripe]:
    """The fake, which other processes reach as well, with their settings in the environment."""
    base_url = fake.base_url
    server = Server(fake)
    fake.base_url = base_url  # Payment pages stay where the shop expects them.
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    values = {
        "ENV_FILE": "",
        "SECRET_KEY": "of a test",
        "SITE_URL": settings.SITE_URL,
        "STRIPE_SECRET_KEY": fake.secret_key,
        "STRIPE_API_BASE": f"http://127.0.0.1:{server.server_address[1]}",
        "OWNER_EMAIL": "owner@shop.test",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    yield fake
    server.shutdown()
    server.server_close()


def back_up(folder: Path) -> Path:
    """A backup of the tests' own database, as docs/operating.md makes it."""
    file = folder / "backup"
    if connection.vendor == "sqlite":
        with sqlite3.connect(file) as copy:
            connection.connection.backup(copy)
        copy.close()
    else:
        name = str(connection.settings_dict["NAME"])
        url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))
        subprocess.run(["pg_dump", "-Fc", "-f", str(file), url], check=True)
    return file


def drill(*args: object) -> str:
    out = StringIO()
    call_command("restore_drill", *map(str, args), stdout=out)
    return out.getvalue()


def test_what_a_restore_would_bring_is_reported_and_nothing_is_changed(
    served: FakeStripe, shirt: Product, customer: Customer, tmp_path: Path
) -> None:
    back_up(tmp_path)
    paid = order_for(customer, shirt, "M", 2)
    served.pay(paid.session_id or "")
    deliver(served)
    order_for(Customer(), shirt, "L", 1)
    before = list(Order.objects.values()), list(Movement.objects.values()), len(served.events)

    result = json.loads(drill(tmp_path, "--json"))

    assert result["backup"] == str(tmp_path / "backup") and result["orders"] == 0
    assert result["missing_orders"] == [f"Order {paid.number} is paid."]
    assert (result["pages_held"], result["pages_ended"]) == (1, 0)
    assert result["counts"] == ["BALM T-Shirt M: the backup has 15, Stripe 13"]
    assert result["differences"] == [] and len(result["in_doubt"]) == 1
    assert "restored database" in result["issues"]
    assert (list(Order.objects.values()), list(Movement.objects.values()), len(served.events)) == before
    assert item_of(shirt, "M").on_hand == 13


def test_the_report_reads_well(served: FakeStripe, shirt: Product, tmp_path: Path) -> None:
    printed = drill(back_up(tmp_path))

    assert "restored and migrated in" in printed
    assert "Orders that Stripe would bring: none." in printed
    assert "Neither the shop’s database nor Stripe was changed." in printed


def test_no_scratch_database_is_left(served: FakeStripe, shirt: Product, tmp_path: Path) -> None:
    served.faults.add("cut", times=None)

    with pytest.raises(CommandError, match="restore_drill failed on the copy"):
        drill(back_up(tmp_path))

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Of this process: the tests of others have theirs at the same time.
            cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"%drill_{os.getpid()}"])
            assert cursor.fetchall() == []


def test_a_file_that_is_no_backup_is_refused(served: FakeStripe, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no backup")

    with pytest.raises(CommandError, match=r"no SQLite database|cannot be restored"):
        drill(tmp_path)


def test_an_empty_folder_is_refused(served: FakeStripe, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="has no file"):
        drill(tmp_path)


def test_a_copy_that_only_reads_sends_nothing_to_stripe(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_read_only"
    settings.STRIPE_READ_ONLY = True

    with pytest.raises(ReadOnly, match="POST"):
        stripe_client(retries=2).v1.products.update("prod_x", {"metadata": {"stock": "1"}})
