"""Checks of answers, valid and invalid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fake_stripe.contract import Contract, ContractBroken

Answer = dict[str, Any]


def drop_created(answer: Answer) -> None:
    del answer["created"]


def write_created_as_text(answer: Answer) -> None:
    answer["created"] = "1700000000"


def count_with_a_truth_value(answer: Answer) -> None:
    answer["amount_total"] = True


def invent_a_mode(answer: Answer) -> None:
    answer["mode"] = "pay_later"


def invent_a_name(answer: Answer) -> None:
    answer["stock"] = 15


def remove_the_list(answer: Answer) -> None:
    answer["line_items"] = {"object": "list", "has_more": False, "url": "/v1/x"}


def set_null_where_none_may_be(answer: Answer) -> None:
    answer["livemode"] = None


def break_an_expanded_object(answer: Answer) -> None:
    answer["payment_intent"] = {"id": "pi_1", "object": "payment_intent", "created": 1, "livemode": False}


def break_a_line(answer: Answer) -> None:
    answer["line_items"]["data"][0]["currency"] = "USD"


BREAKAGES: list[tuple[Callable[[Answer], None], str, str]] = [
    (drop_created, "missing", "created"),
    (write_created_as_text, "type", "created"),
    (count_with_a_truth_value, "type", "amount_total"),
    (invent_a_mode, "choice", "mode"),
    (invent_a_name, "unknown", "stock"),
    (remove_the_list, "missing", "line_items.data"),
    (set_null_where_none_may_be, "type", "livemode"),
    (break_an_expanded_object, "missing", "payment_intent.status"),
    (break_a_line, "format", "line_items.data.0.currency"),
]


@pytest.mark.parametrize(
    ("breakage", "kind", "path"), BREAKAGES, ids=lambda part: getattr(part, "__name__", part)
)
def test_a_violation_is_found_at_its_place(
    contract: Contract, session: Answer, breakage: Callable[[Answer], None], kind: str, path: str
) -> None:
    breakage(session)

    with pytest.raises(ContractBroken) as broken:
        contract.check_response("POST", "/v1/checkout/sessions", 200, session)

    assert [(violation.kind, ".".join(violation.path)) for violation in broken.value.violations] == [
        (kind, path)
    ]
    assert f"  {path}: " in str(broken.value)


def test_a_valid_answer_passes_and_is_counted(contract: Contract, session: Answer) -> None:
    contract.check_response("GET", "/v1/checkout/sessions/cs_test_1", 200, session)

    tally = contract.coverage.tallies["GET /v1/checkout/sessions/{session}"]
    assert (tally.answers, contract.coverage.total) == (1, 1)


def test_a_field_that_was_not_expanded_is_an_id_and_an_expanded_one_an_object(
    contract: Contract, product: Answer
) -> None:
    contract.check_response("GET", "/v1/products/prod_1", 200, product | {"default_price": "price_1"})

    with pytest.raises(ContractBroken, match=r"default_price: .* was expected, not 7"):
        contract.check_response("GET", "/v1/products/prod_1", 200, product | {"default_price": 7})


def test_the_intended_type_among_several_is_reported(contract: Contract) -> None:
    """An invalid card is reported as a card, although a bank account would have no more violations."""
    error = {"type": "card_error", "source": {"object": "card", "id": "card_1"}}

    with pytest.raises(ContractBroken) as broken:
        contract.check_response("POST", "/v1/charges", 402, {"error": error})

    assert {violation.owner for violation in broken.value.violations} == {"card"}


def test_each_entry_of_a_list_is_checked(contract: Contract, product: Answer) -> None:
    answer = {"object": "list", "url": "/v1/products", "has_more": False, "data": [product, {"id": "prod_2"}]}

    with pytest.raises(ContractBroken, match=r"data\.1\.name: this is required"):
        contract.check_response("GET", "/v1/products", 200, answer)


def test_a_list_with_a_wrong_url_is_caught(contract: Contract) -> None:
    answer = {"object": "list", "url": "/v1/prices", "has_more": False, "data": []}

    with pytest.raises(ContractBroken, match=r"url: .* does not match \^/v1/products"):
        contract.check_response("GET", "/v1/products", 200, answer)


def test_a_deleted_product_has_its_own_schema(contract: Contract) -> None:
    tombstone = {"id": "prod_1", "object": "product", "deleted": True}

    contract.check_response("DELETE", "/v1/products/prod_1", 200, tombstone)

    with pytest.raises(ContractBroken, match="deleted"):
        contract.check_response("DELETE", "/v1/products/prod_1", 200, tombstone | {"deleted": "yes"})


def test_a_refusal_has_stripes_error_object(contract: Contract) -> None:
    error = {"type": "invalid_request_error", "code": "resource_missing", "message": "No such product: 'x'"}

    contract.check_response("GET", "/v1/products/x", 404, {"error": error})

    assert contract.coverage.tallies["GET /v1/products/{id}"].refusals == 1
    with pytest.raises(ContractBroken, match=r"error\.type: 'not_found' is none of"):
        contract.check_response("GET", "/v1/products/x", 404, {"error": error | {"type": "not_found"}})
    with pytest.raises(ContractBroken, match="error: this is required"):
        contract.check_response("GET", "/v1/products/x", 500, {"message": "Traceback"})


def test_a_refusal_of_an_unknown_path_is_checked(contract: Contract) -> None:
    with pytest.raises(ContractBroken, match="GET /v1/nowhere"):
        contract.check_response("GET", "/v1/nowhere", 404, {"detail": "Not Found"})


def test_an_answer_from_an_endpoint_that_stripe_does_not_have_is_caught(contract: Contract) -> None:
    with pytest.raises(ContractBroken, match="no such endpoint"):
        contract.check_response("GET", "/v1/stock_levels", 200, {})
