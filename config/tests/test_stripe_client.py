"""What do the library's errors become?"""

from __future__ import annotations

from typing import Any

import pytest

from config.stripe_client import NoAnswer, our_errors, stripe_client


def test_what_the_library_says_of_a_missing_connection_is_one_line(settings: Any) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"

    with pytest.raises(NoAnswer, match="Stripe did not answer") as caught, our_errors():
        stripe_client(retries=0).v1.products.retrieve("prod_x")

    assert "\n" not in str(caught.value)
