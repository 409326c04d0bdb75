"""The pages in a real browser: accessibility, security policy, keyboard and phone layout."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fake_stripe import FakeStripe
from fake_stripe.pages.tests.conftest import Till
from fake_stripe.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]
pytest.importorskip("pytest_playwright")  # One process can run one Playwright, which this plugin starts.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
# What holds is not described, and style sheets are not fetched again, which takes most of the time.
VIOLATIONS = (
    """() => axe.run({resultTypes: ["violations"], preload: false}).then(results => results.violations)"""
)


@pytest.fixture(scope="module")
def chromium(playwright: Any) -> Iterator[Any]:
    if CHROMIUM is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("REQUIRE_BROWSER=1, and there is no Chromium")
        pytest.skip("there is no Chromium")
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()


@pytest.fixture
def served(fake: FakeStripe) -> Iterator[str]:
    """The URL of a fake served on a port."""
    server = Server(fake)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield fake.base_url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def full(fake: FakeStripe, till: Till) -> list[str]:
    """Create content for every page; returns their paths."""
    fake.deliver_to(lambda url, headers, body: (500, b"no"))
    fake.add_webhook_endpoint("http://shop.test/stripe/webhook/")
    paid, waiting = fake.pay(till.open()["id"]), fake.pay(till.open()["id"], delayed=True)
    fake.refund(payment_intent=paid["payment_intent"], amount=500)
    fake.faults.add("drop", types=("refund.*",), times=None, probability=0.5)
    fake.deliver_due()
    shop = till.open(
        phone_number_collection__enabled="true",
        shipping_address_collection__allowed_countries__0="DE",
        shipping_options__0__shipping_rate_data__display_name="Parcel",
        shipping_options__0__shipping_rate_data__fixed_amount__amount=450,
        shipping_options__0__shipping_rate_data__fixed_amount__currency="usd",
    )
    named = {"products": fake.products, "events": fake.events, "payments": fake.payment_intents}
    paths = ["/dashboard", "/dashboard/webhooks", "/dashboard/faults", f"/c/pay/{shop['id']}"]
    paths += [f"/dashboard/checkouts/{waiting['id']}", f"/c/pay/{paid['id']}"]
    for name, rows in named.items():
        paths += [f"/dashboard/{name}", f"/dashboard/{name}/{next(iter(rows))}"]
    return paths


def test_axe_finds_no_accessibility_problems(chromium: Any, served: str, full: list[str]) -> None:
    from axe_playwright_python.sync_playwright import Axe

    # Bypassed because the policy forbids scripts, and axe is a script.
    context = chromium.new_context(viewport=DESKTOP, bypass_csp=True)
    page = context.new_page()
    found = []
    for path in full:
        page.goto(served + path)
        page.add_script_tag(content=Axe().axe_script)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
            violations = page.evaluate(VIOLATIONS)
            found += [(path, scheme, rule["id"], rule["nodes"][0]["html"]) for rule in violations]
    context.close()

    assert found == []


def test_a_payment_with_the_keyboard_redirects_to_the_shop(
    chromium: Any, served: str, fake: FakeStripe, till: Till
) -> None:
    """The redirect to another origin must pass the policy's form-action, and nothing may be blocked."""
    shop = FakeStripe()
    other = Server(shop)
    threading.Thread(target=other.serve_forever, args=(0.02,), daemon=True).start()
    session = till.open(success_url=f"{shop.base_url}/dashboard", cancel_url=f"{shop.base_url}/dashboard")
    context = chromium.new_context()
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.goto(f"{served}/c/pay/{session['id']}")

    page.get_by_role("button", name="pays").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Full name").press("Enter")
    page.wait_for_url(f"{shop.base_url}/dashboard")
    context.close()
    other.shutdown()
    other.server_close()

    assert fake.sessions[session["id"]]["payment_status"] == "paid"
    assert [text for text in messages if "Content Security Policy" in text] == []


def test_on_a_phone_every_page_fits_and_every_control_is_large_enough(
    chromium: Any, served: str, full: list[str]
) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True)
    page = context.new_page()
    small, wide = [], []
    for path in full:
        page.goto(served + path)
        boxes = page.evaluate(SIZES)
        small += [(path, box) for box in boxes if min(box["width"], box["height"]) < 44]
        wide += [path] * (page.evaluate("document.documentElement.scrollWidth") > PHONE["width"])
    context.close()

    assert (small, wide) == ([], [])


# A checkbox or radio button is measured with the label around it.
SIZES = """() => [...document.querySelectorAll('a, button, input, select, textarea, summary')]
  .filter(e => e.type !== 'hidden' && !e.closest('.hidden-text, .skip') && e.offsetParent)
  .map(e => (e.matches('[type=radio], [type=checkbox]') ? e.closest('label') : e))
  .map(e => ({text: (e.innerText || e.name || '').slice(0, 40), ...e.getBoundingClientRect().toJSON()}))
  .map(({text, width, height}) => ({text, width: Math.ceil(width), height: Math.ceil(height)}))"""
