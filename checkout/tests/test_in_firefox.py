"""Going to payment in Firefox, if it is installed; the other browser tests use Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from csp.constants import SELF
from django.urls import reverse
from pytest_django import Settings

from checkout.models import Order
from checkout.tests.conftest import only_order

# Fixtures of a shop and a fake Stripe on ports.
from checkout.tests.test_in_a_browser import shirt, site  # noqa: F401
from config.tests.marionette import Marionette, firefox_path
from shop.models import Product

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(firefox_path() is None, reason="needs Firefox"),
]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_going_to_payment_works_in_firefox_on_a_checkout_domain_of_the_account(
    site: str,  # noqa: F811
    shirt: Product,  # noqa: F811
    settings: Settings,
    tmp_path: Path,
    scripts: bool,
) -> None:
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {
        "DIRECTIVES": policy | {"form-action": [SELF, "https://checkout.stripe.com"]}
    }
    with Marionette.start(tmp_path, scripts=scripts) as firefox:
        firefox.open(f"{site}{shirt.get_absolute_url()}?size=M")
        firefox.click(f"form[action='{reverse('cart_add')}'] button")
        firefox.wait_for("#cart-count")
        firefox.open(site + reverse("cart"))

        firefox.click(f"form[action='{reverse('checkout_start')}'] button")

        firefox.wait_for_url("/c/pay/")
        assert only_order().state == Order.State.OPEN
        firefox.back()
        firefox.wait_for_url(reverse("cart"))
