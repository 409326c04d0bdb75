"""What do the library's errors become?"""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from config.stripe_client import NoAnswer, NotFound, our_errors, stripe_client


def test_what_the_library_says_of_a_missing_connection_is_one_line(settings: Any) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"

    with pytest.raises(NoAnswer, match="Stripe did not answer") as caught, our_errors():
        stripe_client(retries=0).v1.products.retrieve("prod_x")

    assert "\n" not in str(caught.value)


class Proxy(stripe.HTTPClient):
    """Answers in Stripe's place, whatever became of the request."""

    name = "proxy"

    def __init__(self, status: int, body: str) -> None:
        super().__init__()
        self.status, self.body = status, body

    def request(self, *_: Any, **__: Any) -> tuple[str, int, dict[str, str]]:
        return self.body, self.status, {}


@pytest.mark.parametrize("status", [200, 301, 400, 403, 404, 408])
def test_what_a_proxy_says_is_no_answer_of_stripes(status: int, settings: Any) -> None:
    client = stripe.StripeClient("sk_test_x", http_client=Proxy(status, "<html>Please log in</html>"))

    with pytest.raises(NoAnswer, match="none of Stripe's") as caught, our_errors():
        client.v1.products.retrieve("prod_x")

    assert not caught.value.outcome_known


def test_what_stripe_refuses_it_says_why_in_letters_that_every_database_keeps() -> None:
    body = '{"error": {"message": "No such product: \\u0000", "code": "resource_missing"}}'
    client = stripe.StripeClient("sk_test_x", http_client=Proxy(404, body))

    with pytest.raises(NotFound, match=r"^No such product: \?$"), our_errors():
        client.v1.products.retrieve("prod_x")
