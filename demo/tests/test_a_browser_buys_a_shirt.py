"""A browser buys two Medium shirts in the running demo, and the count at Stripe goes down."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from demo.check import PRODUCT, published, wait_until_published
from demo.customer import BUYER
from demo.running import Demo

pytestmark = pytest.mark.browser


def test_a_browser_buys_two_medium_shirts_and_the_count_at_stripe_goes_down_by_two(
    demo: Demo, page: Page
) -> None:
    before = published(demo)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))

    add_two_medium_to_the_cart(page, demo)
    page.get_by_role("button", name="Go to payment").click()
    pay(page)

    expect(page).to_have_url(re.compile(re.escape(f"{demo.site_url}/checkout/thank-you/")))
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you", timeout=20_000)
    expect(page.get_by_role("main")).to_contain_text("BALM T-Shirt")
    wait_until_published(demo, before - 2)
    page.goto(f"{demo.site_url}/cart/")
    expect(page.get_by_role("button", name="Go to payment")).to_have_count(0)
    assert errors == []


def test_every_image_of_a_product_is_shown(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.site_url}/products/{PRODUCT}/")
    images = page.locator(f'img[src^="{demo.image_origin}"]')

    expect(images.first).to_be_visible()
    assert (
        images.evaluate_all("images => images.filter(image => image.complete && !image.naturalWidth).length")
        == 0
    )


def add_two_medium_to_the_cart(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.site_url}/")
    page.get_by_role("link", name="All products").first.click()
    page.get_by_role("link", name="BALM T-Shirt").first.click()
    page.get_by_role("radio", name=re.compile(r"^M\b")).check(force=True)
    page.get_by_label("Quantity").fill("2")
    # With JavaScript the page stays, without it reloads; in both cases wait for the response.
    with page.expect_response(lambda response: response.url.endswith("/cart/add/")):
        page.get_by_role("button", name="Add to cart").click()
    page.goto(f"{demo.site_url}/cart/")


def pay(page: Page) -> None:
    """Fill in the payment page with a card that succeeds."""
    for name, value in BUYER.items():
        field = page.locator(f'[name="{name}"]')
        if field.count() and field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        elif field.count():
            field.fill(value)
    page.get_by_role("button", name=re.compile(r"^Pay \$")).click()
