"""Fixtures of the contract tests."""

from __future__ import annotations

from typing import Any

import pytest

from fake_stripe.contract import Contract, document
from fake_stripe.contract.document import Document
from fake_stripe.contract.tests.samples import sample


@pytest.fixture(scope="session")
def stripes_document() -> Document:
    return document.load()


@pytest.fixture
def contract(stripes_document: Document) -> Contract:
    """A contract without known differences and with an empty coverage."""
    return Contract(stripes_document, known_differences=())


@pytest.fixture
def product(stripes_document: Document) -> dict[str, Any]:
    return dict(sample(stripes_document, stripes_document.schemas["product"], filled=1))


@pytest.fixture
def session(stripes_document: Document) -> dict[str, Any]:
    return dict(sample(stripes_document, stripes_document.schemas["checkout.session"], filled=3))


@pytest.fixture
def event(product: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "product.updated",
        "data": {"object": product, "previous_attributes": {"metadata": {"stock_M": "15"}}},
    }
