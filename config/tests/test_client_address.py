"""The client's address behind honest and lying proxies."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from config.client_address import client_address, client_network
from config.tests.settings_run import refusal_with


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        ([], "203.0.113.7", "198.51.100.1", "203.0.113.7"),  # No proxy is declared, so the header is a claim.
        (["127.0.0.1"], "203.0.113.7", "198.51.100.1", "203.0.113.7"),  # Past the proxy.
        (["127.0.0.1"], "127.0.0.1", "203.0.113.7", "203.0.113.7"),
        (
            ["127.0.0.1"],
            "127.0.0.1",
            "198.51.100.1, 203.0.113.7",
            "203.0.113.7",
        ),  # The client has invented one.
        (["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", "203.0.113.7, 10.1.2.3", "203.0.113.7"),
        (["127.0.0.1"], "127.0.0.1", "203.0.113.7, rubbish", ""),
        (["127.0.0.1"], "127.0.0.1", "", ""),
        (["unix"], "", "203.0.113.7", "203.0.113.7"),
        ([], "", "203.0.113.7", ""),
        (["127.0.0.1"], "::ffff:127.0.0.1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_address_is_the_last_that_a_trusted_proxy_has_seen(
    proxies: list[str], peer: str, forwarded: str, address: str, settings: Settings, rf: RequestFactory
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = rf.get("/", headers={"X-Forwarded-For": forwarded}, REMOTE_ADDR=peer)

    assert client_address(request) == address


def test_an_ipv6_client_counts_as_its_network(settings: Settings, rf: RequestFactory) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]

    assert client_network(rf.get("/", headers={"X-Forwarded-For": "2001:db8::5"})) == "2001:db8::/64"


def test_a_list_that_is_no_list_of_networks_is_rejected() -> None:
    assert refusal_with(TRUSTED_PROXIES="127.0.0.1,nginx").startswith(
        "TRUSTED_PROXIES must be a list such as"
    )
