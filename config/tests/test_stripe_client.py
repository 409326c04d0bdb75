"""Translation of the stripe library's errors."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from config.stripe_client import ConnectionFailed, NotFound, stripe_client, translate_errors


def test_a_connection_error_is_one_line(settings: Any) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"

    with pytest.raises(ConnectionFailed, match="Stripe did not answer") as caught, translate_errors():
        stripe_client(retries=0).v1.products.retrieve("prod_x")

    assert "\n" not in str(caught.value)


class Proxy(stripe.HTTPClient):
    """Answers every request in place of Stripe."""

    name = "proxy"

    def __init__(self, status: int, body: str) -> None:
        super().__init__()
        self.status, self.body = status, body

    def request(self, *_: Any, **__: Any) -> tuple[str, int, dict[str, str]]:
        return self.body, self.status, {}


@pytest.mark.parametrize("status", [200, 301, 400, 403, 404, 408])
def test_the_outcome_is_unknown_after_a_response_of_a_proxy(status: int, settings: Any) -> None:
    client = stripe.StripeClient("sk_test_x", http_client=Proxy(status, "<html>Please log in</html>"))

    with pytest.raises(ConnectionFailed, match="not from Stripe") as caught, translate_errors():
        client.v1.products.retrieve("prod_x")

    assert not caught.value.outcome_known


def test_error_messages_of_stripe_are_cleaned_for_the_database() -> None:
    body = '{"error": {"message": "No such product: \\u0000", "code": "resource_missing"}}'
    client = stripe.StripeClient("sk_test_x", http_client=Proxy(404, body))

    with pytest.raises(NotFound, match=r"^No such product: \?$"), translate_errors():
        client.v1.products.retrieve("prod_x")
