"""Checks of requests, read from their forms."""

from __future__ import annotations

import pytest

from fake_stripe.contract import Contract, ContractBroken

CHECKOUT = (
    "mode=payment&success_url=https%3A%2F%2Fshop.example%2Fthanks&expires_at=1800000000"
    "&line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=2500"
    "&line_items[0][price_data][product_data][name]=Shirt&line_items[0][quantity]=2"
    "&line_items[0][metadata][size]=M&metadata[order]=o_1&expand[]=line_items.data.price.product"
)


def faults_of(contract: Contract, method: str, path: str, form: str) -> list[tuple[str, str]]:
    with pytest.raises(ContractBroken) as broken:
        contract.check_request(method, path, form)
    return [(violation.kind, ".".join(violation.path)) for violation in broken.value.violations]


def test_a_checkout_as_the_shop_sends_it_passes_and_is_counted(contract: Contract) -> None:
    contract.check_request("POST", "/v1/checkout/sessions", CHECKOUT.encode())

    assert contract.coverage.tallies["POST /v1/checkout/sessions"].requests == 1


@pytest.mark.parametrize(
    ("added", "violation"),
    [
        ("stock=15", ("unknown", "stock")),
        ("line_items[0][size]=M", ("unknown", "line_items.0.size")),
        ("line_items[1][quantity]=two", ("type", "line_items.1.quantity")),
        ("ui_mode=hosted", ("choice", "ui_mode")),
        ("client_reference_id=" + "x" * 201, ("length", "client_reference_id")),
        ("line_items[1][price_data][unit_amount]=5", ("missing", "line_items.1.price_data.currency")),
        ("shipping_options=two", ("type", "shipping_options")),
        ("payment_method_types[]=card", ("withdrawn", "payment_method_types")),
        ("expand[]=customer_email", ("value", "expand.1")),
        ("expand[]=line_items.data.price.product.default_price", ("value", "expand.1")),
    ],
)
def test_an_invalid_parameter_is_caught(contract: Contract, added: str, violation: tuple[str, str]) -> None:
    form = f"{CHECKOUT}&{added}"

    assert faults_of(contract, "POST", "/v1/checkout/sessions", form) == [violation]


def test_a_missing_required_parameter_is_caught(contract: Contract) -> None:
    assert faults_of(contract, "POST", "/v1/products", "description=x") == [("missing", "name")]


def test_a_query_string_is_checked_against_its_parameters(contract: Contract) -> None:
    contract.check_request(
        "GET", "/v1/products", "active=true&limit=100&created[gte]=5&expand[]=data.default_price"
    )
    contract.check_request("GET", "/v1/products", "created=5")

    wrong = faults_of(contract, "GET", "/v1/products", "active=perhaps&limit=ten&created[before]=5&page=2")

    assert wrong == [
        ("type", "active"),
        ("type", "limit"),
        ("unknown", "created.before"),
        ("unknown", "page"),
    ]


def test_an_empty_value_unsets_where_the_document_allows_it(contract: Contract) -> None:
    contract.check_request("POST", "/v1/products/prod_1", "images=&description=&metadata[stock_M]=")
    contract.check_request("POST", "/v1/products/prod_1", "metadata=")

    assert faults_of(contract, "POST", "/v1/products/prod_1", "active=") == [("type", "active")]


def test_a_literal_path_step_takes_precedence_over_a_parameter(contract: Contract) -> None:
    contract.check_request("GET", "/v1/products/search", "query=active%3A'true'")
    contract.check_request("GET", "/v1/products/prod_1", "")

    assert set(contract.coverage.tallies) == {"GET /v1/products/search", "GET /v1/products/{id}"}


def test_a_malformed_form_is_reported_as_such(contract: Contract) -> None:
    assert faults_of(contract, "POST", "/v1/products", "name[=x") == [("format", "")]


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/nowhere"), ("PUT", "/v1/products"), ("GET", "/")])
def test_an_endpoint_that_stripe_does_not_have_is_caught(contract: Contract, method: str, path: str) -> None:
    assert faults_of(contract, method, path, "") == [("unknown", "")]
