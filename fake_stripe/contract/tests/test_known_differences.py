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


def test_a_known_difference_is_accepted_wherever_the_object_is(
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


def test_other_violations_are_not_accepted(lenient: Contract, product: dict[str, Any]) -> None:
    with pytest.raises(ContractBroken) as broken:
        lenient.check_response("GET", "/v1/products/prod_1", 200, product | {"tags": [], "shelf": "A"})

    assert [violation.path for violation in broken.value.violations] == [("shelf",)]


def test_an_unused_known_difference_is_reported(lenient: Contract, product: dict[str, Any]) -> None:
    lenient.check_response("GET", "/v1/products/prod_1", 200, product)

    assert lenient.unused() == [NEWER]


def test_every_known_difference_has_a_reason() -> None:
    reasons = [line.reason for line in KNOWN_DIFFERENCES] + [line.reason for line in WITHDRAWN]

    assert all(len(reason) > 20 for reason in reasons)
