"""Protection against other sites, and the content security policy."""

from __future__ import annotations

import pytest

from fake_stripe import FakeStripe
from fake_stripe.pages.tests.conftest import Json, Till
from fake_stripe.pages.tests.visitor import Visitor

PAGES = [
    "/dashboard",
    "/dashboard/products",
    "/dashboard/payments",
    "/dashboard/events",
    "/dashboard/webhooks",
]
PAGES += ["/dashboard/faults", "/c/pay/cs_test_nowhere", "/dashboard/products/nothing"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://[bad"},
        {"sec_fetch_site": "cross-site"},
    ],
    ids=["another origin", "a hidden origin", "no origin at all", "cross-site"],
)
def test_a_form_of_another_site_changes_nothing(
    fake: FakeStripe, visitor: Visitor, headers: dict[str, str]
) -> None:
    refused = visitor.post("/dashboard/faults", {"do": "forward", "seconds_on": "3600"}, **headers)

    assert refused.status == 403
    assert fake.clock.offset == 0


def test_a_form_of_our_own_works_in_a_browser(fake: FakeStripe, visitor: Visitor) -> None:
    own = {"origin": "http://pretend.test", "sec_fetch_site": "same-origin"}

    assert visitor.post("/dashboard/faults", {"do": "forward", "seconds_on": "3600"}, **own).status == 303
    assert fake.clock.offset == 3600


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_a_strict_policy(visitor: Visitor, path: str) -> None:
    page = visitor.get(path)

    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none';")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    for inline in ("<script", "<style", " style=", "javascript:", " onclick"):
        assert inline not in page.html


def test_the_payment_page_allows_only_its_shop_and_its_images(visitor: Visitor, till: Till) -> None:
    policy = visitor.get(f"/c/pay/{till.open()['id']}").headers["Content-Security-Policy"]

    assert policy.endswith("form-action 'self' http://shop.test; img-src 'self' https://pictures.example")


def test_a_url_with_unsafe_characters_is_not_in_the_policy(visitor: Visitor, till: Till) -> None:
    session = till.open(success_url="http://shop.test;script-src/thanks")

    policy = visitor.get(f"/c/pay/{session['id']}").headers["Content-Security-Policy"]

    assert "script-src" not in policy


def test_a_products_name_is_escaped_on_the_dashboard(visitor: Visitor, shirt: Json) -> None:
    page = visitor.get(f"/dashboard/products/{shirt['id']}")

    assert "Cursive &lt;Shirt&gt;" in page.html
    assert "<Shirt>" not in page.html


def test_every_page_says_that_it_is_not_stripe(visitor: Visitor) -> None:
    for path in PAGES:
        assert "Fake Stripe: no real payments" in visitor.get(path).text


def test_only_the_files_of_the_package_are_served(visitor: Visitor) -> None:
    assert visitor.get("/-/pages.css").headers["Content-Type"] == "text/css; charset=utf-8"
    assert visitor.get("/-/routes.py").status == 404
