"""Back in stock in a browser: asked for, confirmed and stopped, on phone and desktop, with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, ViewportSize, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from checkout.models import CustomerMail, RestockSignup, RestockSubscriber
from checkout.restock import links
from checkout.tests.conftest import put_on_show
from config.tests.accessibility import each_scheme, violations
from fake_stripe import FakeStripe
from inventory.models import StockItem
from shop.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE: ViewportSize = {"width": 390, "height": 800}
DESKTOP: ViewportSize = {"width": 1280, "height": 860}
FITS = "document.documentElement.scrollWidth <= innerWidth"


@pytest.fixture
def shirt(fake: FakeStripe, live_server: LiveServer, settings: Settings) -> Product:
    """BALM T-Shirt, of which S and M are sold out."""
    settings.CUSTOMER_MAILS_OFF, settings.RESTOCK_SIGNUPS = [], True
    settings.SITE_URL = live_server.url
    metadata = {"sizes": "S,M,L", "stock_S": "0", "stock_M": "0", "stock_L": "2", "colors": "Black"}
    return put_on_show(fake, "prod_balm", "BALM T-Shirt", metadata)


# Those that differ most in the quick suite; the others with ALL_PROOFS=1, as in CI.
@pytest.fixture(
    params=[
        "phone",
        pytest.param("desktop", marks=pytest.mark.slow),
        pytest.param("phone without scripts", marks=pytest.mark.slow),
        "desktop without scripts",
    ]
)
def page(request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    viewport = PHONE if "phone" in request.param else DESKTOP
    scripts = "without" not in request.param
    context = browser.new_context(
        viewport=viewport, java_script_enabled=scripts, base_url=live_server.url, reduced_motion="reduce"
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert errors == []


def test_a_size_is_asked_for_confirmed_and_stopped(page: Page, shirt: Product) -> None:
    page.goto(shirt.get_absolute_url())
    page.get_by_role("link", name="Email me when a size is back").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Email me when it is back")
    expect(page.get_by_role("radio")).to_have_count(2)
    page.get_by_role("radio", name="M").check(force=True)
    page.get_by_label("E-mail").fill("ada")
    page.get_by_role("button", name="Email me").click()
    expect(page.get_by_role("alert")).to_contain_text("Please enter an e-mail address")
    expect(page.get_by_role("radio", name="M")).to_be_checked()
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_role("button", name="Email me").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your mail")
    assert page.evaluate(FITS)

    [mail] = CustomerMail.objects.all()
    page.goto(mail.context["confirm_url"])
    page.get_by_role("button", name="Yes, email me").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are on the list")
    assert RestockSignup.objects.get().state == "waiting"
    page.get_by_role("link", name="No more mails").click()
    page.get_by_role("button", name="Stop this mail").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("No more mails")
    assert not RestockSubscriber.objects.exists()


def test_the_link_of_a_chosen_size_leads_to_that_size(page: Page, shirt: Product) -> None:
    page.goto(f"{shirt.get_absolute_url()}?size=M")
    page.get_by_role("link", name="Email me when it is back").click()

    expect(page).to_have_url(re.compile(r"\?size=M$"))
    expect(page.get_by_role("radio", name="M")).to_be_checked()


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP])
def test_axe_finds_no_accessibility_problems(
    browser: Browser, live_server: LiveServer, shirt: Product, viewport: ViewportSize
) -> None:
    from checkout.restock import signups

    for item in StockItem.objects.filter(available=0).order_by("pk"):
        signups.ask("ada@example.com", item, network="", now=timezone.now())
    subscriber = RestockSubscriber.objects.get()
    form = f"/restock/{shirt.pk}/"
    paths = [form, f"{form}?asked=1", links.link(links.CONFIRM, subscriber.pk), "/restock/stop/x/"]
    context = browser.new_context(base_url=live_server.url, viewport=viewport, bypass_csp=True)
    page = context.new_page()
    found: list[tuple[str, str, str, str]] = []

    def look(path: str) -> None:
        page.goto(path)
        for scheme in each_scheme(page):
            found.extend((path, scheme, rule["id"], rule["nodes"][0]["html"]) for rule in violations(page))
        assert page.evaluate(FITS)

    for path in paths:
        look(path)
    signups.confirm(subscriber.pk, now=timezone.now())
    look(links.link(links.CONFIRM, subscriber.pk))
    look(links.link(links.STOP, subscriber.pk))
    context.close()

    assert found == []
