"""What a visitor meets in a real browser: with and without scripts, on a phone and at a desk, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from inventory.models import StockItem
from shop.models import Product, SizeGuide, Storefront
from shop.tests.shelf import on_shelf, price

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.enable_socket]

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
SHIRT = "/products/prod_balm/balm-t-shirt/"
PAGES = [
    "/",
    "/products/",
    "/products/?q=nothing&size=M&colour=Black&in_stock=1&from=1",
    SHIRT,
    "/products/prod_tote/tote/",
    "/products/prod_album/album/",
    "/products/prod_gone/gone/",
    "/texts/imprint/",
    "/no-such-page/",
]


@pytest.fixture
def shop(live_server: LiveServer, settings: Settings) -> str:
    """A small shop with something of everything; its address."""
    address = str(live_server.url)
    settings.IMAGE_ORIGINS = [address]
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
        name="Linden", tagline="Shirts", announcement="Open", about="Us", imprint="1 Road"
    )
    return address


@pytest.fixture
def troubles() -> list[str]:
    """What pages complained of: errors on the console, refused by the policy, asked of others."""
    return []


@pytest.fixture
def phone(browser: Browser, shop: str, troubles: list[str]) -> Iterator[Page]:
    with browser.new_context(viewport=PHONE, base_url=shop, has_touch=True) as context:  # type: ignore[arg-type]
        yield watched(context, shop, troubles)


@pytest.fixture
def desk(browser: Browser, shop: str, troubles: list[str]) -> Iterator[Page]:
    with browser.new_context(viewport=DESK, base_url=shop) as context:  # type: ignore[arg-type]
        yield watched(context, shop, troubles)


def watched(context: BrowserContext, shop: str, troubles: list[str]) -> Page:
    page = context.new_page()
    page.on("console", lambda said: troubles.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request", lambda asked: None if asked.url.startswith((shop, "data:")) else troubles.append(asked.url)
    )
    return page


def choice(page: Page, size: str) -> Any:
    return page.locator(".choice", has=page.get_by_text(size, exact=True))


def choose(page: Page, size: str) -> None:
    choice(page, size).locator("input").check()


def come_back(page: Page) -> None:
    """Leave the tab, and look at it again later than it asks anew."""
    page.evaluate("""() => {
        Date.now = () => performance.timeOrigin + performance.now() + 60000;
        document.dispatchEvent(new Event("visibilitychange"));
    }""")


# --- Everybody can use it ---------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_axe_finds_nothing_on_any_page(browser: Browser, shop: str, viewport: Any, scheme: Any) -> None:
    found = []
    # axe is put into the page as a script, which the shop's policy would refuse.
    with browser.new_context(
        viewport=viewport, color_scheme=scheme, base_url=shop, bypass_csp=True
    ) as context:
        page = context.new_page()
        for path in PAGES:
            page.goto(path)
            for fold in page.locator("details:not([open]) > summary").all():
                if fold.is_visible():
                    fold.click()
            result = Axe().run(page, options={"resultTypes": ["violations"]})
            found += [f"{path}: {it['id']} {it['nodes'][0]['html']}" for it in result.response["violations"]]
    assert found == []


def test_the_open_size_guide_is_clean_too(browser: Browser, shop: str) -> None:
    with browser.new_context(base_url=shop, bypass_csp=True) as context:
        page = context.new_page()
        page.goto(SHIRT)
        page.get_by_role("button", name="Size guide").click()
        expect(page.get_by_role("dialog", name="Shirts")).to_be_visible()
        assert [it["id"] for it in Axe().run(page).response["violations"]] == []


def test_everything_to_press_is_large_enough_for_a_finger(phone: Page) -> None:
    small = """() => [...document.querySelectorAll("a, button, select, summary, input:not([type=hidden])")]
        .filter(one => one.checkVisibility() && !one.closest(".prose, .card__name, .skip, .cart-drawer, .sheet"))
        .map(one => [one.outerHTML, (one.closest("label") ?? one).getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.width < 43.9 || box.height < 43.9))
        .map(([html, box]) => `${html.slice(0, 90)} ${box.width}x${box.height}`)"""
    found = []
    for path in PAGES:
        phone.goto(path)
        found += [f"{path}: {it}" for it in phone.evaluate(small)]
    assert found == []


@pytest.mark.parametrize("width", [320, 390, 640])
def test_no_page_is_wider_than_its_window(browser: Browser, shop: str, width: int) -> None:
    """640 is a desk at 200 % zoom, 320 the narrowest that the guidelines ask for."""
    with browser.new_context(viewport={"width": width, "height": 800}, base_url=shop) as context:
        page = context.new_page()
        for path in PAGES:
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_list_of_several_pages_is_no_wider_than_its_window(browser: Browser, shop: str) -> None:
    for number in range(48):
        on_shelf(f"prod_{number}", name=f"Shirt {number}", metadata={}, stock={"": 1})
    with browser.new_context(viewport={"width": 320, "height": 800}, base_url=shop) as context:
        page = context.new_page()
        page.goto("/products/?page=2")
        expect(page.get_by_role("navigation", name="Pages")).to_contain_text("Page 2 of 3")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_no_page_breaks_its_own_policy_or_asks_anybody_else(desk: Page, troubles: list[str]) -> None:
    for path in PAGES[:-1]:
        desk.goto(path, wait_until="networkidle")
    assert troubles == []


def test_nothing_moves_while_a_page_is_loading(phone: Page) -> None:
    moved = """() => new Promise(done => new PerformanceObserver(list => done(
        list.getEntries().reduce((sum, entry) => sum + entry.value, 0)
    )).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => done(0), 300))"""
    for path in ["/", "/products/", SHIRT]:
        phone.goto(path, wait_until="networkidle")
        assert phone.evaluate(moved) < 0.02, path


def test_a_logo_that_arrives_late_moves_nothing(desk: Page, shop: str) -> None:
    Storefront.objects.update(logo=f"{shop}/static/shop/icon.svg")
    desk.route("**/icon.svg", lambda route: route.abort())
    desk.goto("/")
    place = "() => document.querySelector('.nav').getBoundingClientRect().x"
    before = desk.evaluate(place)

    desk.unroute("**/icon.svg")
    desk.goto("/", wait_until="networkidle")

    assert desk.evaluate(place) == before
    assert desk.evaluate("document.querySelector('.wordmark img').naturalWidth") > 0


def test_text_and_headings_are_in_the_shops_own_faces_and_accents_are_fetched_only_for_those_who_write_them(
    desk: Page,
) -> None:
    fonts = """() => performance.getEntriesByType("resource").map(one => one.name.match(/fonts\\/([a-z-]+)/)?.[1])
        .filter(Boolean).sort()"""
    desk.goto("/", wait_until="networkidle")
    assert desk.evaluate(
        "document.fonts.check('16px Hanken Grotesk') && document.fonts.check('16px Fraunces')"
    )
    assert set(desk.evaluate(fonts)) == {"fraunces", "hanken-grotesk"}

    Storefront.objects.update(about="Größe")
    desk.goto("/", wait_until="networkidle")

    assert set(desk.evaluate(fonts)) == {"fraunces", "hanken-grotesk", "hanken-grotesk-accents"}


def test_on_a_phone_the_menu_shows_the_category_one_is_in(phone: Page) -> None:
    for category in ["kids", "music", "posters", "zines"]:
        on_shelf(f"prod_{category}", name=category, metadata={"category": category})

    phone.goto("/category/zines/")

    here = phone.get_by_role("navigation", name="Categories", exact=True).get_by_role("link", name="Zines")
    expect(here).to_be_in_viewport(ratio=1)
    assert phone.evaluate("scrollY") == 0


# --- Choosing ---------------------------------------------------------------------------------


def test_the_keyboard_reaches_a_size_and_passes_over_what_is_sold_out(desk: Page) -> None:
    desk.goto(SHIRT)

    choice(desk, "M").locator("input").focus()
    desk.keyboard.press("ArrowRight")

    expect(choice(desk, "L").locator("input")).to_be_checked()
    expect(choice(desk, "S").locator("input")).to_be_disabled()
    expect(choice(desk, "XL").locator("input")).to_be_disabled()
    expect(choice(desk, "XL")).to_contain_text("may come back")


def test_the_bar_on_a_phone_tells_the_chosen_size_and_its_price(phone: Page) -> None:
    phone.goto(SHIRT)
    bar = phone.locator(".buybar")
    expect(bar).to_contain_text("from $25.00")

    choose(phone, "L")

    expect(bar).to_contain_text("$28.00")
    expect(bar).to_contain_text("Size L")
    expect(phone.locator(".buy__price")).to_have_text("$28.00")
    expect(bar.get_by_role("button", name="Put into the cart")).to_be_in_viewport()


def test_without_a_size_the_form_asks_for_one(phone: Page) -> None:
    phone.goto(SHIRT)

    phone.locator(".buybar").get_by_role("button").click()

    assert phone.url.endswith(SHIRT)
    assert phone.evaluate("document.activeElement.name") == "item"


def test_pictures_are_reached_by_keyboard(phone: Page) -> None:
    phone.goto(SHIRT)
    pictures = phone.get_by_role("list", name="Pictures")

    pictures.focus()
    phone.keyboard.press("ArrowRight")
    phone.keyboard.press("ArrowRight")

    expect(pictures.locator("img").nth(1)).to_be_in_viewport(ratio=0.6)


def test_no_more_can_be_asked_for_than_is_left_of_the_chosen_size(desk: Page) -> None:
    desk.goto(SHIRT)

    choose(desk, "M")

    expect(desk.get_by_label("Quantity")).to_have_attribute("max", "3")


def test_a_colour_has_its_dot_and_one_that_nobody_knows_has_none(desk: Page) -> None:
    Product.objects.filter(pk="prod_balm").update(colours=["Heather Grey", "Plum", "Dusk"])
    desk.goto(SHIRT)

    assert choice(desk, "Plum").locator("circle").get_attribute("fill") == "#5c3a52"
    assert choice(desk, "Heather Grey").locator("circle").count() == 1
    assert choice(desk, "Dusk").locator(".swatch").count() == 0


def test_the_size_guide_opens_as_a_dialog_and_gives_the_focus_back(desk: Page) -> None:
    desk.goto(SHIRT)
    opener = desk.get_by_role("button", name="Size guide")

    opener.click()
    dialog = desk.get_by_role("dialog", name="Shirts")
    expect(dialog).to_contain_text("27 1/2 in")
    expect(dialog).to_contain_text("70 cm")
    desk.keyboard.press("Escape")

    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_measure_stands_on_one_line_on_a_phone(phone: Page) -> None:
    phone.goto(SHIRT)
    phone.get_by_role("button", name="Size guide").click()

    expect(phone.get_by_role("dialog", name="Shirts")).to_be_visible()
    assert (
        phone.evaluate("Math.max(...[...document.querySelectorAll('td')].map(one => one.offsetHeight))") < 75
    )


# --- Stock of a page that was left open -------------------------------------------------------


def test_a_page_that_was_left_open_tells_what_is_left_now(desk: Page) -> None:
    desk.goto(SHIRT)
    choose(desk, "M")
    StockItem.objects.filter(size="M").update(on_hand=1)

    come_back(desk)

    expect(choice(desk, "M")).to_contain_text("only 1 left")
    expect(choice(desk, "M").locator("input")).to_be_checked()
    expect(desk.locator("#stock-said")).to_have_text("What is left has changed.")


def test_the_chosen_size_that_has_just_gone_is_let_go_and_said(desk: Page) -> None:
    desk.goto(SHIRT)
    choose(desk, "M")
    StockItem.objects.filter(size="M").update(on_hand=0)

    come_back(desk)

    expect(choice(desk, "M")).to_contain_text("sold out")
    expect(desk.locator("#stock-said")).to_have_text(
        "The size you chose has just gone. Please choose another."
    )
    expect(desk.locator("input[name=item]:checked")).to_have_count(0)


def test_with_the_chosen_size_its_name_and_price_go_from_the_bar_and_the_sentence_is_seen(
    phone: Page,
) -> None:
    phone.goto(SHIRT)
    choose(phone, "L")
    StockItem.objects.filter(size="L").update(on_hand=0)

    come_back(phone)

    expect(phone.locator(".buybar")).to_contain_text("Which size?")
    expect(phone.locator(".buybar")).to_contain_text("from $25.00")
    expect(phone.locator(".buy__price")).to_have_text("from $25.00")
    expect(phone.get_by_text("The size you chose has just gone. Please choose another.")).to_be_visible()
    assert phone.evaluate("document.querySelector('#stock-said').getBoundingClientRect().height") > 40

    choose(phone, "M")
    expect(phone.locator("#stock-said")).to_be_empty()


@pytest.mark.parametrize("window", ["phone", "desk"])
def test_what_came_back_can_be_bought_from_the_page_that_was_left_open(
    request: pytest.FixtureRequest, window: str
) -> None:
    page: Page = request.getfixturevalue(window)
    page.goto("/products/prod_gone/gone/")
    expect(page.get_by_role("button", name="Sold out")).to_be_disabled()
    expect(page.get_by_role("button", name="Put into the cart")).to_have_count(0)
    StockItem.objects.filter(product="prod_gone", size="M").update(on_hand=5)

    come_back(page)
    choose(page, "M")
    page.locator("button:visible", has_text="Put into the cart").click()

    expect(page.get_by_role("dialog", name="Your cart")).to_contain_text("Gone")
    expect(page.get_by_role("button", name="Sold out")).to_have_count(0)


@pytest.mark.parametrize("window", ["phone", "desk"])
def test_what_sold_out_cannot_be_put_into_the_cart_of_a_page_that_was_left_open(
    request: pytest.FixtureRequest, window: str
) -> None:
    page: Page = request.getfixturevalue(window)
    page.goto("/products/prod_tote/tote/")
    StockItem.objects.filter(product="prod_tote").update(on_hand=0)

    come_back(page)

    expect(page.get_by_role("button", name="Sold out")).to_be_disabled()
    expect(page.get_by_role("button", name="Put into the cart")).to_have_count(0)
    expect(page.get_by_text("It has just gone.")).to_be_visible()


def test_what_was_typed_and_where_one_was_stays_while_the_rest_changes(desk: Page) -> None:
    desk.goto(SHIRT)
    choose(desk, "L")
    desk.get_by_label("Quantity").fill("2")
    desk.get_by_role("button", name="Put into the cart").focus()
    StockItem.objects.filter(size="M").update(on_hand=1)

    come_back(desk)

    expect(choice(desk, "M")).to_contain_text("only 1 left")
    expect(desk.get_by_label("Quantity")).to_have_value("2")
    expect(desk.get_by_role("button", name="Put into the cart")).to_be_focused()


def test_a_refusal_of_the_cart_has_the_page_look_at_once(desk: Page) -> None:
    desk.goto(SHIRT)
    choose(desk, "M")
    StockItem.objects.filter(size="M").update(on_hand=0)

    desk.evaluate("document.body.dispatchEvent(new CustomEvent('stock-changed'))")

    expect(choice(desk, "M").locator("input")).to_be_disabled()
    expect(desk.get_by_text("The size you chose has just gone.")).to_be_visible()


def test_stock_that_cannot_be_asked_for_leaves_the_page_as_it_is(desk: Page) -> None:
    desk.goto(SHIRT)
    choose(desk, "M")
    desk.route("**/stock/**", lambda route: route.abort())

    with desk.expect_event("requestfailed"):
        come_back(desk)

    expect(choice(desk, "M").locator("input")).to_be_checked()


# --- Browsing ---------------------------------------------------------------------------------


def test_a_filter_narrows_the_list_in_place_and_in_the_address(desk: Page, shop: str) -> None:
    desk.goto("/products/")
    desk.evaluate("window.sameDocument = true")

    desk.get_by_label("In my size").select_option("M")

    expect(desk.locator(".card__name")).to_have_text(["BALM T-Shirt"])
    expect(desk.locator("#count")).to_have_text("1 product")
    expect(desk).to_have_url(f"{shop}/products/?size=M")
    assert desk.evaluate("window.sameDocument")


def test_searching_narrows_while_one_types(desk: Page, shop: str) -> None:
    desk.goto("/products/")

    desk.get_by_label("Search").fill("tote")

    expect(desk.locator(".card__name")).to_have_text(["Tote"])
    expect(desk).to_have_url(f"{shop}/products/?q=tote")


def test_a_search_is_the_pages_title_and_one_step_back_undoes_all_that_was_typed(
    desk: Page, shop: str
) -> None:
    desk.goto("/products/")
    field = desk.get_by_label("Search")
    for words in ["t", "tote", "tot"]:
        field.fill(words)
        expect(desk).to_have_url(f"{shop}/products/?q={words}")
        expect(desk.get_by_role("heading", level=1)).to_have_text(f"Search: “{words}”")
    field.blur()

    desk.go_back()

    expect(desk).to_have_url(f"{shop}/products/")
    expect(desk.get_by_role("heading", level=1)).to_have_text("Everything")


def test_each_wish_can_be_taken_away_above_the_results(desk: Page, shop: str) -> None:
    desk.goto("/products/")
    desk.get_by_label("In my size").select_option("M")
    desk.get_by_label("Colour").select_option("Black")
    expect(desk).to_have_url(f"{shop}/products/?size=M&colour=Black")

    desk.locator("#results").get_by_role("link", name="Size M").click()

    expect(desk).to_have_url(f"{shop}/products/?colour=Black")
    expect(desk.get_by_label("In my size")).to_have_value("")
    expect(desk.locator(".wish")).to_have_text(["Black"])


def test_a_list_that_cannot_be_fetched_says_so_and_stays(desk: Page) -> None:
    desk.goto("/products/")
    desk.route("**/products/?*", lambda route: route.fulfill(status=500, body="no"))

    desk.get_by_label("In my size").select_option("M")

    expect(desk.get_by_role("status").filter(has_text="That did not work. Please try again.")).to_be_visible()
    expect(desk.locator(".card__name")).to_have_count(4)
    expect(desk.get_by_role("dialog")).to_have_count(0)


def test_with_scripts_there_is_no_button_that_repeats_what_the_list_does_by_itself(desk: Page) -> None:
    desk.goto("/products/")

    expect(desk.get_by_text("Show", exact=True)).to_be_hidden()


def test_the_back_button_undoes_a_filter(desk: Page) -> None:
    desk.goto("/products/")
    desk.get_by_label("In my size").select_option("M")
    expect(desk.locator(".card__name")).to_have_count(1)

    desk.go_back()

    expect(desk.locator(".card__name")).to_have_count(4)


def test_on_a_phone_the_filters_are_folded_away(phone: Page) -> None:
    phone.goto("/products/")
    expect(phone.get_by_label("In my size")).to_be_hidden()

    phone.get_by_text("Filter and sort").click()

    expect(phone.get_by_label("In my size")).to_be_visible()


# --- Without scripts --------------------------------------------------------------------------


def test_everything_works_without_scripts(browser: Browser, shop: str) -> None:
    with browser.new_context(java_script_enabled=False, viewport=PHONE, base_url=shop) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto("/products/")
        page.get_by_text("Filter and sort").click()
        page.get_by_label("In my size").select_option("M")
        page.get_by_role("button", name="Show").click()
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


# --- The owner's desk -------------------------------------------------------------------------


@pytest.fixture
def owner(admin_client: Client) -> dict[str, str]:
    """The cookie of the owner's session."""
    return {"name": "sessionid", "value": admin_client.cookies["sessionid"].value}


def test_the_desk_is_no_wider_than_a_phone_whatever_a_product_is_called(
    phone: Page, shop: str, owner: dict[str, str]
) -> None:
    Product.objects.filter(pk="prod_balm").update(name="Balm" * 60, problems=["It has no name."])
    phone.context.add_cookies([{**owner, "url": shop}])  # type: ignore[typeddict-item]

    phone.goto("/admin/")

    expect(phone.locator(".desk-panel", has_text="BalmBalm")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_list_of_stock_is_whole_at_a_desk_and_each_line_can_be_changed(
    desk: Page, shop: str, owner: dict[str, str]
) -> None:
    Product.objects.filter(pk="prod_balm").update(name="A long name that somebody typed " * 3)
    desk.context.add_cookies([{**owner, "url": shop}])  # type: ignore[typeddict-item]

    desk.goto("/admin/inventory/stockitem/")

    assert (
        desk.evaluate("(box => box.scrollWidth - box.clientWidth)(document.querySelector('.results'))") <= 0
    )
    desk.get_by_role("link", name="Change stock").first.click()
    fields = desk.get_by_label("What happened?"), desk.locator("table.stock-before")
    apart = [field.bounding_box() for field in fields]
    assert apart[0] and apart[1] and apart[0]["y"] - apart[1]["y"] - apart[1]["height"] > 20


def test_a_colour_is_chosen_by_eye_or_typed(desk: Page, shop: str, owner: dict[str, str]) -> None:
    desk.context.add_cookies([{**owner, "url": shop}])  # type: ignore[typeddict-item]
    desk.goto("/admin/shop/storefront/1/change/")
    typed, picker = desk.locator("#id_accent"), desk.locator("#id_accent + input[type=color]")
    expect(picker).to_have_value("#8a2d1a")

    typed.fill("#1f4b3f")
    expect(picker).to_have_value("#1f4b3f")
    picker.fill("#224466")
    expect(typed).to_have_value("#224466")
