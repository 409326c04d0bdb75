"""Browser tests of the choice of a currency: phone and desktop, with and without scripts, in English and German."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from shop.models import Storefront
from shop.prices import CurrencyOption
from shop.tests.factories import on_shelf, price

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]

SIZES: dict[str, Any] = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 900}}
SHIRT = "/products/prod_balm/balm-t-shirt/"


@pytest.mark.parametrize("with_scripts", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_a_visitor_chooses_a_currency_and_keeps_it(
    browser: Browser, live_server: LiveServer, settings: Settings, size: str, with_scripts: bool
) -> None:
    settings.SHOP_LANGUAGES, settings.SHOP_CURRENCIES = ["en", "de"], ["eur", "chf"]
    standard = price(options=(CurrencyOption("eur", 2300), CurrencyOption("chf", 2400)))
    large = price(
        "price_l", 2800, size="L", options=(CurrencyOption("eur", 2600), CurrencyOption("chf", 2700))
    )
    on_shelf(prices=(standard, large))
    Storefront.objects.create(name="Linden")
    with browser.new_context(
        viewport=SIZES[size], base_url=live_server.url, locale="en-US", java_script_enabled=with_scripts
    ) as context:
        page = context.new_page()
        page.goto(f"{SHIRT}?size=M")
        expect(page.locator(".buy__price")).to_contain_text("$25.00")

        page.get_by_role("navigation", name="Currency").get_by_role("link", name="EUR €").click()

        expect(page.locator(".buy__price")).to_contain_text("€23.00")
        expect(page).to_have_url(f"{live_server.url}{SHIRT}?size=M")
        chosen = page.get_by_role("navigation", name="Currency").locator("[aria-current]")
        expect(chosen).to_have_text("EUR €")
        if with_scripts:
            page.locator("[data-size='Size L']").click()
            expect(page.locator(".buy__price")).to_contain_text("€26.00")
            wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert not page.evaluate(wide)
            page.locator("[data-size='Size M']").click()
        page.get_by_role("button", name="Add to cart").first.click()
        expect(page.get_by_text("is in your cart").first).to_be_visible()
        page.goto("/de/cart/")
        expect(page.locator(".summary__total.price")).to_have_text("23,00\N{NO-BREAK SPACE}€")
        page.get_by_role("navigation", name="Währung").get_by_role("link", name="CHF").click()
        expect(page.locator(".summary__total.price")).to_have_text("24,00\N{NO-BREAK SPACE}CHF")
        expect(page).to_have_url(f"{live_server.url}/de/cart/")
