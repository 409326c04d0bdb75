"""Is a shop on one's own machine visited by one name, so that the cart's cookie is there after paying?"""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from config.one_name import LOOPBACK, one_name
from config.tests.settings_run import settings_with


def answer_to(method: str, host: str, settings: Settings, site_url: str) -> HttpResponse:
    settings.ALLOWED_HOSTS, settings.SITE_URL = [*LOOPBACK, "shop.example"], site_url
    request = RequestFactory().generic(method, "/cart/?a=1", headers={"Host": host})
    return one_name(lambda request: HttpResponse("the page"))(request)


@pytest.mark.parametrize(
    ("site_url", "host"),
    [
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000", "localhost:8000"),
        ("http://127.0.0.1:8000", "[::1]:8000"),
        ("http://localhost", "127.0.0.1"),
    ],
)
def test_another_name_of_this_machine_leads_to_the_shops_own(
    settings: Settings, site_url: str, host: str
) -> None:
    answer = answer_to("GET", host, settings, site_url)

    assert (answer.status_code, answer.headers.get("Location")) == (302, f"{site_url}/cart/?a=1")


@pytest.mark.parametrize(
    ("method", "host"),
    [
        ("GET", "127.0.0.1:8000"),
        ("POST", "localhost:8000"),
        ("GET", "localhost:9000"),
        ("GET", "shop.example"),
    ],
)
def test_everything_else_is_answered_where_it_was_asked(settings: Settings, method: str, host: str) -> None:
    """A message from Stripe's command line, and a server on another port than SITE_URL says."""
    assert answer_to(method, host, settings, "http://127.0.0.1:8000").content == b"the page"


def test_only_a_shop_on_ones_own_machine_looks_at_the_name() -> None:
    at_home, outside = (
        settings_with("MIDDLEWARE", SITE_URL=address)["MIDDLEWARE"]
        for address in ("http://localhost:8000", "https://shop.example")
    )

    assert "config.one_name.one_name" in at_home and "config.one_name.one_name" not in outside
