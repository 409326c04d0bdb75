"""Commands of manage.py run in the demo, with its sample files."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.manage import manage, manage_in
from demo.running import Demo, DidNotStart


def test_the_samples_of_another_shop_are_imported_into_the_demo(
    demo: Demo, capfd: pytest.CaptureFixture[str]
) -> None:
    assert manage(demo, ["import_products", "demo/files/shopify-products.csv"]) == 0

    assert "3 products created at Stripe." in capfd.readouterr().out
    assert demo.stripe.get("/v1/products/prod_dune-tee")["metadata"]["stock_M"] == "9"


def test_the_sample_delivery_fits_the_sample_catalog(demo: Demo, capfd: pytest.CaptureFixture[str]) -> None:
    assert manage(demo, ["stock", "receive", "--file", "demo/files/delivery.csv", "--dry-run"]) == 0

    assert "BALM T-Shirt M: was" in capfd.readouterr().out


def test_an_error_of_the_command_is_its_exit_code(demo: Demo, capfd: pytest.CaptureFixture[str]) -> None:
    assert manage(demo, ["stock", "take", "prod_nothing", "1"]) == 1
    assert manage(demo, ["stock", "nonsense"]) == 2
    assert "There is no product “prod_nothing”." in capfd.readouterr().err


def test_without_a_demo_it_says_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(DidNotStart, match="Start script/demo in another terminal first"):
        manage_in(tmp_path, ["inventory_report"])
