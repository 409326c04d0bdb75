"""`script/demo --check` passes on a running demo, and fails if the count does not go down."""

from __future__ import annotations

import re

import pytest

from demo import check as checking
from demo.check import PRODUCT, check, published
from demo.customer import NotAsExpected
from demo.running import Demo


def test_one_purchase_over_http_lowers_the_count_at_stripe_and_both_counts_are_printed(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    before = published(demo)

    check(demo)

    assert published(demo) == before - 2
    *purchase, mail, doctor = capsys.readouterr().out.splitlines()
    assert purchase == [
        f"stock_M at Stripe before: {before}",
        "bought:                  2",
        f"stock_M at Stripe after:  {before - 2}",
    ]
    assert re.fullmatch(r"mail to the customer:    Your order [0-9A-F]{8}", mail)
    # The products that another test of this demo imports have no price in euros.
    said = r".* \d+ checks are ok\. (1 product has|4 products have) a problem at Stripe, .*"
    assert re.fullmatch(said, doctor)


def test_a_count_that_does_not_go_down_fails_after_a_limited_wait(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "PATIENCE", 0.2)

    with pytest.raises(NotAsExpected, match=r"shows stock_M \d+ instead of -1"):
        checking.wait_until_published(demo, -1)


def test_a_customer_cannot_choose_a_size_that_is_sold_out(demo: Demo) -> None:
    from demo.customer import Customer

    with pytest.raises(NotAsExpected, match="offers no size S"):
        Customer().buy(f"{demo.site_url}/products/prod_last_lantern/", size="S", quantity=1)


def test_the_broken_product_breaks_no_page(demo: Demo) -> None:
    from demo.customer import Customer

    page = Customer().get(f"{demo.site_url}/products/prod_zz_misprint/")

    assert "Misprint" in page.text
    assert PRODUCT in Customer().get(f"{demo.site_url}/products/").text
