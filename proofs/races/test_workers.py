"""Workers that publish at once: processes that sell and publish against one fake Stripe on a port."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.utils import timezone

from config.stripe_client import stripe_client
from inventory import worker
from inventory.models import StockItem
from inventory.stock import ledger
from inventory.stock.ledger import SaleLine
from inventory.stripe_sync import refresh
from proofs.children import new_child_database
from proofs.races import shop
from proofs.races.gate import alone, race

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]

WORKERS, ROUNDS = 3, 5
ROOT = Path(__file__).resolve().parents[2]
Meet = Callable[[], None]


@pytest.fixture
def stripe_on_a_port(contract_folder: Path, tmp_path: Path) -> Iterator[None]:
    record = str(contract_folder / tmp_path.name)
    command = [sys.executable, "-m", "fake_stripe", "--port", "0", "--record", record]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[4]
        with mock.patch.object(settings, "STRIPE_API_BASE", address):
            yield
        server.terminate()


def _put_on_sale() -> int:
    params: Any = {"id": shop.SHIRT, "name": "BALM T-Shirt", "metadata": {"sizes": "S", "stock_S": "100"}}
    stripe_client().v1.products.create(params)
    refresh.refresh_product(shop.SHIRT)
    worker.drain()
    return StockItem.objects.get().pk


def _at_stripe() -> str:
    return str(stripe_client().v1.products.retrieve(shop.SHIRT).metadata["stock_S"])


def _sell(item: int, number: int) -> None:
    name = f"order:{os.getpid()}:{number}"
    ledger.sell([name], [SaleLine(f"{name}:0", item, 1)], now=timezone.now())


def test_workers_that_publish_at_once_lose_and_double_nothing(stripe_on_a_port: None, tmp_path: Path) -> None:
    child_db = new_child_database(tmp_path)
    item = alone(child_db, _put_on_sale)

    def sell_and_publish(number: int, meet: Meet) -> bool:
        _sell(item, number)
        worker.drain()
        return True

    rounds = race(child_db, [sell_and_publish] * WORKERS, rounds=ROUNDS)
    alone(child_db, lambda: worker.drain())

    assert rounds == [[True] * WORKERS] * ROUNDS
    assert alone(child_db, _at_stripe) == str(100 - WORKERS * ROUNDS)
    assert alone(child_db, shop.books)["broken"] == ""


def test_control_reading_the_count_at_stripe_and_writing_it_back_loses_a_sale(
    stripe_on_a_port: None, tmp_path: Path
) -> None:
    """The usual read-modify-write: each worker reads the count, lowers it and writes it back."""
    child_db = new_child_database(tmp_path)
    alone(child_db, _put_on_sale)

    def read_and_write(number: int, meet: Meet) -> bool:
        count = int(_at_stripe())
        meet()
        stripe_client().v1.products.update(shop.SHIRT, {"metadata": {"stock_S": str(count - 1)}})
        return True

    race(child_db, [read_and_write] * 2)

    assert alone(child_db, _at_stripe) == "99"
