"""`script/demo --check` passes on a running demo, and fails if the count does not go down."""

from __future__ import annotations

import re

import pytest

from demo import check as checking
from demo.check import PRODUCT, check, published
from demo.customer import Customer, NotAsExpected
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
    # Another test of this demo may have imported products, which have no price in euros and end that choice.
    imported = "prod_dune-tee" in {
        product["id"] for product in demo.stripe.get("/v1/products?limit=100")["data"]
    }
    if not imported:
        assert doctor.endswith(
            "checks are ok. 1 product has a problem at Stripe, so that something cannot be sold."
        )
        assert "EUR" in Customer().get(f"{demo.site_url}/products/").text
    else:
        assert re.search(
            r"checks are ok\. (1 product has|4 products have) a problem at Stripe, so that", doctor
        )


def test_a_count_that_does_not_go_down_fails_after_a_limited_wait(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "PATIENCE", 0.2)

    with pytest.raises(NotAsExpected, match=r"shows stock_M \d+ instead of -1"):
        checking.wait_until_published(demo, -1)


def test_a_customer_cannot_choose_a_size_that_is_sold_out(demo: Demo) -> None:
    with pytest.raises(NotAsExpected, match="offers no size S"):
        Customer().buy(f"{demo.site_url}/products/prod_last_lantern/", size="S", quantity=1)


def test_the_broken_product_breaks_no_page(demo: Demo) -> None:
    page = Customer().get(f"{demo.site_url}/products/prod_zz_misprint/")

    assert "Misprint" in page.text
    assert PRODUCT in Customer().get(f"{demo.site_url}/products/").text
