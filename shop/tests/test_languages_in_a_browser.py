"""Browser tests of the languages: the first visit and the switch, phone and desktop, with and without scripts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from shop.models import Storefront
from shop.tests.factories import on_shelf, price

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]

SIZES: dict[str, Any] = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 900}}
SHIRT = "/products/prod_balm/balm-t-shirt/"
LANGUAGES = {
    "en-GB": ("", "en", "Add to cart"),
    "de-DE": ("/de", "de", "In den Warenkorb"),
    "fr-FR": ("/fr", "fr", "Ajouter au panier"),
}


@pytest.fixture
def shop(live_server: LiveServer, settings: Settings) -> str:
    settings.SHOP_LANGUAGES = ["en", "de", "fr"]
    on_shelf(stock={"S": 0, "M": 3, "L": 10}, prices=(price(), price("price_l", 2800, size="L")))
    Storefront.objects.create(name="Linden")
    return str(live_server.url)


@pytest.mark.parametrize("with_scripts", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("locale", LANGUAGES)
def test_the_first_visit_is_in_the_language_of_the_browser(
    browser: Browser, shop: str, locale: str, size: str, with_scripts: bool
) -> None:
    prefix, language, button = LANGUAGES[locale]
    with browser.new_context(
        viewport=SIZES[size], base_url=shop, locale=locale, java_script_enabled=with_scripts
    ) as context:
        page = context.new_page()

        page.goto(f"{SHIRT}?size=M")

        expect(page).to_have_url(f"{shop}{prefix}{SHIRT}?size=M")
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.get_by_role("button", name=button).first).to_be_visible()
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        for path in ("", "cart/", "products/"):
            page.goto(f"{prefix}/{path}")
            if with_scripts:
                assert not page.evaluate(wide), f"{prefix}/{path} is wider than the screen"


@pytest.mark.parametrize("with_scripts", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_the_switch_is_remembered_and_the_cart_is_kept(
    browser: Browser, shop: str, size: str, with_scripts: bool
) -> None:
    with browser.new_context(
        viewport=SIZES[size], base_url=shop, locale="de-DE", java_script_enabled=with_scripts
    ) as context:
        page = context.new_page()
        page.goto(f"{SHIRT}?size=M")
        page.get_by_role("button", name="In den Warenkorb").first.click()
        expect(page.get_by_text("liegt in deinem Warenkorb").first).to_be_visible()
        page.goto(f"/de{SHIRT}")

        page.get_by_role("link", name="Français").click()

        expect(page).to_have_url(f"{shop}/fr{SHIRT}")
        page.goto("/cart/")
        expect(page).to_have_url(f"{shop}/fr/cart/")
        expect(page.get_by_role("heading", name="Votre panier").first).to_be_visible()
        expect(page.get_by_text("25,00").first).to_be_visible()
        page.get_by_role("link", name="English").click()
        expect(page).to_have_url(f"{shop}/cart/")
        page.goto("/")
        expect(page).to_have_url(f"{shop}/")
