"""Every command of docs/stock.md and docs/moving-over.md runs."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands

from fake_stripe import FakeStripe
from inventory.stripe_sync.catalog_sync import sync_catalog

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs" / "stock.md", ROOT / "docs" / "moving-over.md"]
COMMAND = re.compile(r"^ {4,}\.venv/bin/python manage\.py (.+)$", re.MULTILINE)


def commands_of(page: Path) -> list[str]:
    return COMMAND.findall(page.read_text(encoding="utf-8"))


@pytest.fixture
def label(fake: FakeStripe, db: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """An account with the shirt of the examples and the endpoint of a function. Returns the endpoint's id."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("checkout.management.commands.adopt.time.sleep", lambda seconds: None)
    monkeypatch.setattr("inventory.imports.upload.time.sleep", lambda seconds: None)
    metadata = {"sizes": "S,M,L", "stock_S": "4", "stock_M": "15", "stock_L": "2"}
    price = {"unit_amount": 2500, "currency": "usd"}
    fake.add_product(id="prod_balm_tee", name="BALM T-Shirt", metadata=metadata, prices=[price])
    endpoint = fake.add_webhook_endpoint("https://label.example/webhook", ["checkout.session.completed"])
    sync_catalog()
    return str(endpoint["id"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_the_page_runs(label: str, page: Path) -> None:
    commands = commands_of(page)
    assert len(commands) > 5
    for command in commands:
        words = [label if word == "we_..." else word for word in shlex.split(command)]
        out = io.StringIO()
        call_command(*words, stdout=out, stderr=out)
        assert out.getvalue().strip(), command


def test_the_guide_moves_the_samples_and_counts_what_they_say(label: str, fake: FakeStripe) -> None:
    for command in commands_of(PAGES[1])[1:5]:
        call_command(*shlex.split(command), stdout=io.StringIO())

    assert {"prod_dune-tee", "prod_harbor-sneaker", "prod_woo-31"} <= set(fake.products)
    assert fake.products["prod_harbor-sneaker"]["metadata"]["stock_41"] == "6"
    assert sync_catalog().problems == []


def test_commands_named_in_sentences_exist() -> None:
    for page in PAGES:
        named = re.findall(
            r"`(?:manage\.py )?(adopt|import_products|sync_catalog|inventory_report|stock)\b",
            page.read_text(),
        )
        assert set(named) <= set(get_commands())
