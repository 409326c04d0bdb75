"""Redirects from other loopback names to SITE_URL's host, so that the cart's cookie survives the payment."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from config.middleware import LOOPBACK_HOSTS, canonical_host
from config.tests.settings_run import settings_with


def response_to(method: str, host: str, settings: Settings, site_url: str) -> HttpResponse:
    settings.ALLOWED_HOSTS, settings.SITE_URL = [*LOOPBACK_HOSTS, "shop.example"], site_url
    request = RequestFactory().generic(method, "/cart/?a=1", headers={"Host": host})
    return canonical_host(lambda request: HttpResponse("the page"))(request)


@pytest.mark.parametrize(
    ("site_url", "host"),
    [
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000", "localhost:8000"),
        ("http://127.0.0.1:8000", "[::1]:8000"),
        ("http://localhost", "127.0.0.1"),
    ],
)
def test_another_loopback_name_is_redirected_to_site_url(
    settings: Settings, site_url: str, host: str
) -> None:
    response = response_to("GET", host, settings, site_url)

    assert (response.status_code, response.headers.get("Location")) == (302, f"{site_url}/cart/?a=1")


@pytest.mark.parametrize(
    ("method", "host"),
    [
        ("GET", "127.0.0.1:8000"),
        ("POST", "localhost:8000"),
        ("GET", "localhost:9000"),
        ("GET", "shop.example"),
    ],
)
def test_other_requests_are_not_redirected(settings: Settings, method: str, host: str) -> None:
    # Such as a delivery from the Stripe CLI, or a server on another port than SITE_URL's.
    assert response_to(method, host, settings, "http://127.0.0.1:8000").content == b"the page"


def test_only_a_site_url_on_this_machine_enables_the_middleware() -> None:
    local, public = (
        settings_with("MIDDLEWARE", SITE_URL=address)["MIDDLEWARE"]
        for address in ("http://localhost:8000", "https://shop.example")
    )

    assert "config.middleware.canonical_host" in local and "config.middleware.canonical_host" not in public
