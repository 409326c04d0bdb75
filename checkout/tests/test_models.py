"""Tests of the order's properties."""

from __future__ import annotations

import pytest

from checkout.models import Order

PAYMENT_PAGE = "http://stripe.test/c/pay/1"


@pytest.mark.parametrize(
    ("state", "session_url", "next_url"),
    [
        (Order.State.OPEN, PAYMENT_PAGE, PAYMENT_PAGE),
        (Order.State.OPEN, "", "/checkout/"),
        (Order.State.PAID, PAYMENT_PAGE, "/checkout/thank-you/?session_id=cs_1"),
        (Order.State.AWAITING_PAYMENT, PAYMENT_PAGE, "/checkout/thank-you/?session_id=cs_1"),
        (Order.State.CANCELED, PAYMENT_PAGE, "/cart/"),
        (Order.State.REFUNDED, PAYMENT_PAGE, "/cart/"),
    ],
)
def test_an_order_has_the_url_where_its_customer_continues(
    state: str, session_url: str, next_url: str
) -> None:
    order = Order(state=state, session_id="cs_1", session_url=session_url)

    assert order.next_url == next_url
