"""Known differences: what they accept, and detection of those no longer needed."""

from __future__ import annotations

from typing import Any

import pytest

from fake_stripe.contract import Contract, ContractBroken
from fake_stripe.contract.document import Document
from fake_stripe.contract.known_differences import KNOWN_DIFFERENCES, WITHDRAWN, KnownDifference

NEWER = KnownDifference("product: tags", "unknown", "newer than the document")


@pytest.fixture
def lenient(stripes_document: Document) -> Contract:
    return Contract(stripes_document, known_differences=[NEWER])


def test_the_named_fault_is_forgiven_wherever_the_object_stands(
    lenient: Contract, product: dict[str, Any]
) -> None:
    newer = product | {"tags": []}

    lenient.check_response("GET", "/v1/products/prod_1", 200, newer)
    lenient.check_response(
        "GET",
        "/v1/products",
        200,
        {"object": "list", "url": "/v1/products", "has_more": False, "data": [newer]},
    )

    assert (lenient.used[NEWER], lenient.unused()) == (2, [])


def test_another_fault_beside_it_is_not_forgiven(lenient: Contract, product: dict[str, Any]) -> None:
    with pytest.raises(ContractBroken) as broken:
        lenient.check_response("GET", "/v1/products/prod_1", 200, product | {"tags": [], "shelf": "A"})

    assert [violation.path for violation in broken.value.violations] == [("shelf",)]


def test_an_exception_that_nothing_needed_is_named(lenient: Contract, product: dict[str, Any]) -> None:
    lenient.check_response("GET", "/v1/products/prod_1", 200, product)

    assert lenient.unused() == [NEWER]


def test_every_exception_gives_its_reason() -> None:
    reasons = [line.reason for line in KNOWN_DIFFERENCES] + [line.reason for line in WITHDRAWN]

    assert all(len(reason) > 20 for reason in reasons)
