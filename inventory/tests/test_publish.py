"""How does Stripe hear of what was sold?"""

from __future__ import annotations

from inventory.tests.shirt import Shirt


def test_two_sold_medium_shirts_lower_stock_m_from_15_to_13(shirt: Shirt) -> None:
    shirt.sell("M", 2)

    shirt.settle()

    assert shirt.at_stripe("M") == "13"
    assert shirt.is_at_rest()
