"""Check requests, answers and events against Stripe's OpenAPI document.

    contract = Contract.load()
    contract.check_request("POST", "/v1/products", b"name=Shirt&metadata[stock_M]=15")
    contract.check_response("POST", "/v1/products", 200, product)
    contract.check_event(event)

Each raises ContractBroken, which lists every violation. `pytest_plugin` checks whole test runs.
"""

from fake_stripe.contract.contract import Contract
from fake_stripe.contract.document import DocumentMissing
from fake_stripe.contract.violations import ContractBroken, Violation

__all__ = ["Contract", "ContractBroken", "DocumentMissing", "Violation"]
