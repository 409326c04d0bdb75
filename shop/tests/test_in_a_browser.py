"""Browser tests of the shop: with and without scripts, phone and desktop, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from config.tests.accessibility import each_scheme, violations
from inventory.models import StockItem
from shop.models import Product, SizeGuide, Storefront
from shop.tests.factories import on_shelf, price

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
SHIRT = "/products/prod_balm/balm-t-shirt/"
PAGES = [
    "/",
    "/products/",
    "/products/?q=nothing&size=M&color=Black&in_stock=1&from=1",
    SHIRT,
    f"{SHIRT}?size=S",
    "/products/prod_tote/tote/",
    "/products/prod_album/album/",
    "/products/prod_gone/gone/",
    "/legal/legal-notice/",
    "/no-such-page/",
]


@pytest.fixture
def shop(live_server: LiveServer, settings: Settings) -> str:
    """The URL of a small shop with every kind of product."""
    address = str(live_server.url)
    settings.ALLOWED_IMAGE_ORIGINS = [address]
    pictures = (f"{address}/static/shop/icon.svg", f"{address}/static/shop/icon.svg?again")
    facts = {
        "category": "clothing",
        "sizes": "S,M,L,XL",
        "colors": "Black,White",
        "featured": "yes",
        "details": "Soft",
    }
    on_shelf(
        metadata=facts,
        images=pictures,
        description="The tin that our first winter smelled of.",
        stock={"S": 0, "M": 3, "L": 10, "XL": 2},
        prices=(price(), price("price_l", 2800, size="L")),
    )
    StockItem.objects.filter(size="XL").update(held=2)
    tote = {"category": "art", "link": "https://music.example/tote"}
    on_shelf("prod_tote", name="Tote", metadata=tote, images=pictures[:1])
    on_shelf(
        "prod_album",
        name="Album",
        metadata={"link": "https://music.example/a"},
        prices=(),
        default_price_id="",
    )
    on_shelf("prod_gone", name="Gone", stock={"S": 0, "M": 0, "L": 0})
    SizeGuide.objects.create(name="Shirts", lines="S 27 1/2, 21 1/2, 34\nM 28, 22, 35", note="Laid flat.")
    Storefront.objects.create(
        name="Linden", tagline="Shirts", announcement="Open", about="Us", legal_notice="1 Road"
    )
    return address


@pytest.fixture
def faults() -> list[str]:
    """Console errors, violations of the Content-Security-Policy, and requests to other hosts."""
    return []


@pytest.fixture
def phone(browser: Browser, shop: str, faults: list[str]) -> Iterator[Page]:
    with browser.new_context(viewport=PHONE, base_url=shop, has_touch=True) as context:  # type: ignore[arg-type]
        yield watched(context, shop, faults)


@pytest.fixture
def desktop(browser: Browser, shop: str, faults: list[str]) -> Iterator[Page]:
    with browser.new_context(viewport=DESKTOP, base_url=shop) as context:  # type: ignore[arg-type]
        yield watched(context, shop, faults)


def watched(context: BrowserContext, shop: str, faults: list[str]) -> Page:
    page = context.new_page()
    page.on(
        "console",
        lambda message: faults.append(message.text) if message.type in {"error", "warning"} else None,
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda sent: None if sent.url.startswith((shop, "data:")) else faults.append(sent.url))
    return page


def choice(page: Page, size: str) -> Any:
    return page.locator(".choice", has=page.get_by_text(size, exact=True))


def choose(page: Page, size: str) -> None:
    choice(page, size).locator("input").check()


def come_back(page: Page) -> None:
    """Return to the tab after the minimum interval between stock updates."""
    page.evaluate("""() => {
        Date.now = () => performance.timeOrigin + performance.now() + 60000;
        document.dispatchEvent(new Event("visibilitychange"));
    }""")


# --- Accessibility ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "viewport",
    [pytest.param(PHONE, id="phone"), pytest.param(DESKTOP, id="desktop", marks=pytest.mark.slow)],
)
def test_axe_finds_no_violations(browser: Browser, shop: str, viewport: Any) -> None:
    found = []
    # axe is injected as a script, which the Content-Security-Policy would block.
    with browser.new_context(viewport=viewport, base_url=shop, bypass_csp=True) as context:
        page = context.new_page()
        for path in PAGES:
            page.goto(path)
            for closed in page.locator("details:not([open]) > summary").all():
                if closed.is_visible():
                    closed.click()
            for scheme in each_scheme(page):
                found += [f"{path} {scheme}: {it['id']} {it['nodes'][0]['html']}" for it in violations(page)]
    assert found == []


def test_axe_finds_no_violations_in_the_open_size_guide(browser: Browser, shop: str) -> None:
    with browser.new_context(base_url=shop, bypass_csp=True) as context:
        page = context.new_page()
        page.goto(SHIRT)
        page.get_by_role("button", name="Size guide").click()
        expect(page.get_by_role("dialog", name="Shirts")).to_be_visible()
        assert [it["id"] for it in violations(page)] == []


def test_touch_targets_are_large_enough(phone: Page) -> None:
    small = """() => [...document.querySelectorAll("a, button, select, summary, input:not([type=hidden])")]
        .filter(one => one.checkVisibility() && !one.closest(".prose, .card__name, .skip, .cart-drawer, .sheet"))
        .map(one => [one.outerHTML, (one.closest("label") ?? one).getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.width < 43.9 || box.height < 43.9))
        .map(([html, box]) => `${html.slice(0, 90)} ${box.width}x${box.height}`)"""
    violations = []
    for path in PAGES:
        phone.goto(path)
        violations += [f"{path}: {it}" for it in phone.evaluate(small)]
    assert violations == []


def test_no_page_is_wider_than_its_window(browser: Browser, shop: str) -> None:
    with browser.new_context(base_url=shop) as context:
        page = context.new_page()
        for path in PAGES:
            page.goto(path)
            # 640 is a desktop at 200 % zoom, 320 the narrowest width in WCAG.
            for width in (640, 390, 320):
                page.set_viewport_size({"width": width, "height": 800})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_paginated_list_is_no_wider_than_its_window(browser: Browser, shop: str) -> None:
    for number in range(48):
        on_shelf(f"prod_{number}", name=f"Shirt {number}", metadata={}, stock={"": 1})
    with browser.new_context(viewport={"width": 320, "height": 800}, base_url=shop) as context:
        page = context.new_page()
        page.goto("/products/?page=2")
        expect(page.get_by_role("navigation", name="Pages")).to_contain_text("Page 2 of 3")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_no_page_violates_its_policy_or_loads_from_other_hosts(desktop: Page, faults: list[str]) -> None:
    for path in PAGES[:-1]:
        desktop.goto(path, wait_until="networkidle")
    assert faults == []


def test_the_layout_does_not_shift_while_loading(phone: Page) -> None:
    moved = """() => new Promise(done => new PerformanceObserver(list => done(
        list.getEntries().reduce((sum, entry) => sum + entry.value, 0)
    )).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => done(0), 300))"""
    for path in ["/", "/products/", SHIRT]:
        phone.goto(path, wait_until="networkidle")
        assert phone.evaluate(moved) < 0.02, path


def test_a_late_logo_does_not_shift_the_layout(desktop: Page, shop: str) -> None:
    Storefront.objects.update(logo=f"{shop}/static/shop/icon.svg")
    desktop.route("**/icon.svg", lambda route: route.abort())
    desktop.goto("/")
    place = "() => document.querySelector('.nav').getBoundingClientRect().x"
    before = desktop.evaluate(place)

    desktop.unroute("**/icon.svg")
    desktop.goto("/", wait_until="networkidle")

    assert desktop.evaluate(place) == before
    assert desktop.evaluate("document.querySelector('.wordmark img').naturalWidth") > 0


def test_web_fonts_are_used_and_accents_are_loaded_only_when_needed(
    desktop: Page,
) -> None:
    fonts = """() => performance.getEntriesByType("resource").map(one => one.name.match(/fonts\\/([a-z-]+)/)?.[1])
        .filter(Boolean).sort()"""
    desktop.goto("/", wait_until="networkidle")
    assert desktop.evaluate(
        "document.fonts.check('16px Hanken Grotesk') && document.fonts.check('16px Fraunces')"
    )
    assert set(desktop.evaluate(fonts)) == {"fraunces", "hanken-grotesk"}

    Storefront.objects.update(about="Größe, été, Straße, cœur, „Öl“, « Ça »")
    desktop.goto("/", wait_until="networkidle")
    assert set(desktop.evaluate(fonts)) == {"fraunces", "hanken-grotesk"}

    Storefront.objects.update(about="Señor")
    desktop.goto("/", wait_until="networkidle")

    assert set(desktop.evaluate(fonts)) == {"fraunces", "hanken-grotesk", "hanken-grotesk-accents"}


def test_on_a_phone_the_menu_scrolls_to_the_current_category(phone: Page) -> None:
    for category in ["kids", "music", "posters", "zines"]:
        on_shelf(f"prod_{category}", name=category, metadata={"category": category})

    phone.goto("/category/zines/")

    here = phone.get_by_role("navigation", name="Categories", exact=True).get_by_role("link", name="Zines")
    expect(here).to_be_in_viewport(ratio=1)
    assert phone.evaluate("scrollY") == 0


# --- Product page -----------------------------------------------------------------------------


def test_the_keyboard_selects_sizes_and_skips_unavailable_ones(desktop: Page) -> None:
    desktop.goto(SHIRT)

    choice(desktop, "M").locator("input").focus()
    desktop.keyboard.press("ArrowRight")

    expect(choice(desktop, "L").locator("input")).to_be_checked()
    expect(choice(desktop, "S").locator("input")).to_be_disabled()
    expect(choice(desktop, "XL").locator("input")).to_be_disabled()
    expect(choice(desktop, "XL")).to_contain_text("reserved")


def test_the_sticky_bar_shows_the_chosen_size_and_its_price(phone: Page) -> None:
    phone.goto(SHIRT)
    bar = phone.locator(".buybar")
    expect(bar).to_contain_text("from $25.00")

    choose(phone, "L")

    expect(bar).to_contain_text("$28.00")
    expect(bar).to_contain_text("Size L")
    expect(phone.locator(".buy__price")).to_have_text("$28.00")
    expect(bar.get_by_role("button", name="Add to cart")).to_be_in_viewport()


def test_choosing_a_size_changes_the_address_and_a_shared_link_opens_with_it(phone: Page) -> None:
    phone.goto(SHIRT)

    choose(phone, "L")

    assert phone.url.endswith(f"{SHIRT}?size=L")
    phone.reload()
    expect(choice(phone, "L").locator("input")).to_be_checked()
    expect(phone.locator(".buybar")).to_contain_text("Size L")


def test_the_form_requires_a_size(phone: Page) -> None:
    phone.goto(SHIRT)

    phone.locator(".buybar").get_by_role("button").click()

    assert phone.url.endswith(SHIRT)
    assert phone.evaluate("document.activeElement.name") == "item"


def test_images_can_be_scrolled_by_keyboard(phone: Page) -> None:
    phone.goto(SHIRT)
    pictures = phone.get_by_role("list", name="Product images")

    pictures.focus()
    phone.keyboard.press("ArrowRight")
    phone.keyboard.press("ArrowRight")

    expect(pictures.locator("img").nth(1)).to_be_in_viewport(ratio=0.6)


def test_the_quantity_is_limited_to_the_stock_of_the_chosen_size(desktop: Page) -> None:
    desktop.goto(SHIRT)

    choose(desktop, "M")

    expect(desktop.get_by_label("Quantity")).to_have_attribute("max", "3")


def test_a_known_color_has_a_swatch_and_an_unknown_one_has_none(desktop: Page) -> None:
    Product.objects.filter(pk="prod_balm").update(colors=["Heather Grey", "Plum", "Dusk"])
    desktop.goto(SHIRT)

    assert choice(desktop, "Plum").locator("circle").get_attribute("fill") == "#5c3a52"
    assert choice(desktop, "Heather Grey").locator("circle").count() == 1
    assert choice(desktop, "Dusk").locator(".swatch").count() == 0


def test_the_size_guide_opens_as_a_dialog_and_restores_the_focus(desktop: Page) -> None:
    desktop.goto(SHIRT)
    opener = desktop.get_by_role("button", name="Size guide")

    opener.click()
    dialog = desktop.get_by_role("dialog", name="Shirts")
    expect(dialog).to_contain_text("27 1/2 in")
    expect(dialog).to_contain_text("70 cm")
    desktop.keyboard.press("Escape")

    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_measure_fits_on_one_line_on_a_phone(phone: Page) -> None:
    phone.goto(SHIRT)
    phone.get_by_role("button", name="Size guide").click()

    expect(phone.get_by_role("dialog", name="Shirts")).to_be_visible()
    assert (
        phone.evaluate("Math.max(...[...document.querySelectorAll('td')].map(one => one.offsetHeight))") < 75
    )


# --- Stock updates on an open page ------------------------------------------------------------


def test_an_open_page_updates_its_stock(desktop: Page) -> None:
    desktop.goto(SHIRT)
    choose(desktop, "M")
    StockItem.objects.filter(size="M").update(on_hand=1)

    come_back(desktop)

    expect(choice(desktop, "M")).to_contain_text("only 1 left")
    expect(choice(desktop, "M").locator("input")).to_be_checked()
    expect(desktop.locator("#stock-status")).to_have_text("Availability has changed.")


def test_a_chosen_size_that_sold_out_is_deselected_with_a_message(desktop: Page) -> None:
    desktop.goto(SHIRT)
    choose(desktop, "M")
    StockItem.objects.filter(size="M").update(on_hand=0)

    come_back(desktop)

    expect(choice(desktop, "M")).to_contain_text("sold out")
    expect(desktop.locator("#stock-status")).to_have_text(
        "The size you chose is no longer available. Please choose another."
    )
    expect(desktop.locator("input[name=item]:checked")).to_have_count(0)


def test_when_the_chosen_size_sold_out_the_sticky_bar_is_reset_and_the_message_is_visible(
    phone: Page,
) -> None:
    phone.goto(SHIRT)
    choose(phone, "L")
    StockItem.objects.filter(size="L").update(on_hand=0)

    come_back(phone)

    expect(phone.locator(".buybar")).to_contain_text("Choose a size")
    expect(phone.locator(".buybar")).to_contain_text("from $25.00")
    expect(phone.locator(".buy__price")).to_have_text("from $25.00")
    expect(
        phone.get_by_text("The size you chose is no longer available. Please choose another.")
    ).to_be_visible()
    assert phone.evaluate("document.querySelector('#stock-status').getBoundingClientRect().height") > 40

    choose(phone, "M")
    expect(phone.locator("#stock-status")).to_be_empty()


@pytest.mark.parametrize("window", ["phone", "desktop"])
def test_a_restocked_product_can_be_bought_from_an_open_page(
    request: pytest.FixtureRequest, window: str
) -> None:
    page: Page = request.getfixturevalue(window)
    page.goto("/products/prod_gone/gone/")
    expect(page.get_by_role("button", name="Sold out")).to_be_disabled()
    expect(page.get_by_role("button", name="Add to cart")).to_have_count(0)
    StockItem.objects.filter(product="prod_gone", size="M").update(on_hand=5)

    come_back(page)
    choose(page, "M")
    page.locator("button:visible", has_text="Add to cart").click()

    expect(page.get_by_role("dialog", name="Your cart")).to_contain_text("Gone")
    expect(page.get_by_role("button", name="Sold out")).to_have_count(0)


@pytest.mark.parametrize("window", ["phone", "desktop"])
def test_a_product_that_sold_out_cannot_be_added_from_an_open_page(
    request: pytest.FixtureRequest, window: str
) -> None:
    page: Page = request.getfixturevalue(window)
    page.goto("/products/prod_tote/tote/")
    StockItem.objects.filter(product="prod_tote").update(on_hand=0)

    come_back(page)

    expect(page.get_by_role("button", name="Sold out")).to_be_disabled()
    expect(page.get_by_role("button", name="Add to cart")).to_have_count(0)
    expect(page.get_by_text("This product is no longer available.")).to_be_visible()


def test_a_stock_update_keeps_input_and_focus(desktop: Page) -> None:
    desktop.goto(SHIRT)
    choose(desktop, "L")
    desktop.get_by_label("Quantity").fill("2")
    desktop.get_by_role("button", name="Add to cart").focus()
    StockItem.objects.filter(size="M").update(on_hand=1)

    come_back(desktop)

    expect(choice(desktop, "M")).to_contain_text("only 1 left")
    expect(desktop.get_by_label("Quantity")).to_have_value("2")
    expect(desktop.get_by_role("button", name="Add to cart")).to_be_focused()


def test_a_rejection_by_the_cart_updates_the_stock_immediately(desktop: Page) -> None:
    desktop.goto(SHIRT)
    choose(desktop, "M")
    StockItem.objects.filter(size="M").update(on_hand=0)

    desktop.evaluate("document.body.dispatchEvent(new CustomEvent('stock-changed'))")

    expect(choice(desktop, "M").locator("input")).to_be_disabled()
    expect(desktop.get_by_text("The size you chose is no longer available.")).to_be_visible()


def test_a_failed_stock_request_leaves_the_page_unchanged(desktop: Page) -> None:
    desktop.goto(SHIRT)
    choose(desktop, "M")
    desktop.route("**/stock/**", lambda route: route.abort())

    with desktop.expect_event("requestfailed"):
        come_back(desktop)

    expect(choice(desktop, "M").locator("input")).to_be_checked()


# --- Product list -----------------------------------------------------------------------------


def test_a_filter_updates_the_list_and_the_url_in_place(desktop: Page, shop: str) -> None:
    desktop.goto("/products/")
    desktop.evaluate("window.sameDocument = true")

    desktop.get_by_label("Size").select_option("M")

    expect(desktop.locator(".card__name")).to_have_text(["BALM T-Shirt"])
    expect(desktop.locator("#count")).to_have_text("1 product")
    expect(desktop).to_have_url(f"{shop}/products/?size=M")
    assert desktop.evaluate("window.sameDocument")


def test_the_search_updates_the_list_while_typing(desktop: Page, shop: str) -> None:
    desktop.goto("/products/")

    desktop.get_by_label("Search").fill("tote")

    expect(desktop.locator(".card__name")).to_have_text(["Tote"])
    expect(desktop).to_have_url(f"{shop}/products/?q=tote")


def test_a_search_is_the_heading_and_going_back_once_undoes_it(desktop: Page, shop: str) -> None:
    desktop.goto("/products/")
    field = desktop.get_by_label("Search")
    for words in ["t", "tote", "tot"]:
        field.fill(words)
        expect(desktop).to_have_url(f"{shop}/products/?q={words}")
        expect(desktop.get_by_role("heading", level=1)).to_have_text(f"Search: “{words}”")
    field.blur()

    desktop.go_back()

    expect(desktop).to_have_url(f"{shop}/products/")
    expect(desktop.get_by_role("heading", level=1)).to_have_text("All products")


def test_each_filter_can_be_removed_above_the_results(desktop: Page, shop: str) -> None:
    desktop.goto("/products/")
    desktop.get_by_label("Size").select_option("M")
    desktop.get_by_label("Color").select_option("Black")
    expect(desktop).to_have_url(f"{shop}/products/?size=M&color=Black")

    desktop.locator("#results").get_by_role("link", name="Size M").click()

    expect(desktop).to_have_url(f"{shop}/products/?color=Black")
    expect(desktop.get_by_label("Size")).to_have_value("")
    expect(desktop.locator(".active-filter")).to_have_text(["Black"])


def test_a_failed_list_request_shows_an_error_and_keeps_the_list(desktop: Page) -> None:
    desktop.goto("/products/")
    desktop.route("**/products/?*", lambda route: route.fulfill(status=500, body="no"))

    desktop.get_by_label("Size").select_option("M")

    expect(
        desktop.get_by_role("status").filter(has_text="That did not work. Please try again.")
    ).to_be_visible()
    expect(desktop.locator(".card__name")).to_have_count(4)
    expect(desktop.get_by_role("dialog")).to_have_count(0)


def test_with_scripts_the_apply_button_is_hidden(desktop: Page) -> None:
    desktop.goto("/products/")

    expect(desktop.get_by_text("Apply", exact=True)).to_be_hidden()


def test_the_back_button_undoes_a_filter(desktop: Page) -> None:
    desktop.goto("/products/")
    desktop.get_by_label("Size").select_option("M")
    expect(desktop.locator(".card__name")).to_have_count(1)

    desktop.go_back()

    expect(desktop.locator(".card__name")).to_have_count(4)


def test_on_a_phone_the_filters_are_collapsed(phone: Page) -> None:
    phone.goto("/products/")
    expect(phone.get_by_label("Size")).to_be_hidden()

    phone.get_by_text("Filter and sort").click()

    expect(phone.get_by_label("Size")).to_be_visible()


# --- Without scripts --------------------------------------------------------------------------


def test_the_shop_works_without_scripts(browser: Browser, shop: str) -> None:
    with browser.new_context(java_script_enabled=False, viewport=PHONE, base_url=shop) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto("/products/")
        page.get_by_text("Filter and sort").click()
        page.get_by_label("Size").select_option("M")
        page.get_by_role("button", name="Apply").click()
        expect(page.locator(".card__name")).to_have_text(["BALM T-Shirt"])
        assert re.search(r"[?&]size=M\b", page.url)

        page.get_by_role("link", name="BALM T-Shirt").click()
        choose(page, "M")
        page.get_by_role("button", name="Size guide").click()
        expect(page.get_by_role("table")).to_be_visible()
        page.get_by_role("button", name="Close", exact=True).click()
        expect(page.get_by_role("table")).to_be_hidden()
        page.locator(".buybar").get_by_role("button").click()
        expect(page.get_by_role("main")).to_contain_text("BALM T-Shirt")
        assert "/products/" not in page.url or "cart" in page.content()
    assert Product.objects.filter(pk="prod_balm").exists()


# --- Admin ------------------------------------------------------------------------------------


@pytest.fixture
def owner(admin_client: Client) -> dict[str, str]:
    """The owner's session cookie."""
    return {"name": "sessionid", "value": admin_client.cookies["sessionid"].value}


def test_the_admin_fits_on_a_phone_with_a_long_product_name(
    phone: Page, shop: str, owner: dict[str, str]
) -> None:
    Product.objects.filter(pk="prod_balm").update(name="Balm" * 60, problems=["It has no name."])
    phone.context.add_cookies([{**owner, "url": shop}])  # type: ignore[typeddict-item]

    phone.goto("/admin/")

    expect(phone.get_by_role("main").get_by_role("link", name="BalmBalm").first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_stock_list_fits_on_a_desktop_and_each_row_can_be_changed(
    desktop: Page, shop: str, owner: dict[str, str]
) -> None:
    Product.objects.filter(pk="prod_balm").update(name="A very long product name " * 3)
    desktop.context.add_cookies([{**owner, "url": shop}])  # type: ignore[typeddict-item]

    desktop.goto("/admin/inventory/stockitem/")

    assert (
        desktop.evaluate("(box => box.scrollWidth - box.clientWidth)(document.querySelector('.results'))")
        <= 0
    )
    desktop.get_by_role("link", name="Change stock").first.click()
    fields = desktop.get_by_label("What happened?"), desktop.locator("table.stock-before")
    apart = [field.bounding_box() for field in fields]
    assert apart[0] and apart[1] and apart[0]["y"] - apart[1]["y"] - apart[1]["height"] > 20


def test_a_color_can_be_picked_or_typed(desktop: Page, shop: str, owner: dict[str, str]) -> None:
    desktop.context.add_cookies([{**owner, "url": shop}])  # type: ignore[typeddict-item]
    desktop.goto("/admin/shop/storefront/1/change/")
    typed, picker = desktop.locator("#id_accent"), desktop.locator("#id_accent + input[type=color]")
    expect(picker).to_have_value("#8a2d1a")

    typed.fill("#1f4b3f")
    expect(picker).to_have_value("#1f4b3f")
    picker.fill("#224466")
    expect(typed).to_have_value("#224466")
