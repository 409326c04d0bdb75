"""The address of a request's client: that of the connection, or behind a declared proxy the one that it reports.

X-Forwarded-For is believed only if the connection comes from TRUSTED_PROXIES. Each proxy appends the address that it
saw, and a client may have put anything before it: the last address that is not a trusted proxy is the client's.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
UNIX_SOCKET = "unix"  # in TRUSTED_PROXIES: connections through a Unix socket, which have no address


def client_address(request: HttpRequest) -> str:
    networks = [ip_network(text) for text in settings.TRUSTED_PROXIES if text != UNIX_SOCKET]
    reported = request.headers.get("X-Forwarded-For", "").split(",")
    peer = _parsed(request.META.get("REMOTE_ADDR", ""))
    if peer is not None:
        reported.append(str(peer))
    elif UNIX_SOCKET not in settings.TRUSTED_PROXIES:
        return ""
    for text in reversed(reported):
        address = _parsed(text)
        if address is None:
            break  # Beyond a text that is no address, nothing can be relied on.
        if not any(address in network for network in networks):
            return str(address)
    return ""


def client_network(request: HttpRequest) -> str:
    """The unit that limits count: an IPv4 address, or the /64 of an IPv6 address, which one customer has.

    "" unless a proxy is declared: without one, all customers might share the address of an undeclared proxy.
    """
    if not settings.TRUSTED_PROXIES:
        return ""
    address = _parsed(client_address(request))
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address or "")


def are_networks(texts: Sequence[str]) -> bool:
    try:
        return all(text == UNIX_SOCKET or ip_network(text) for text in texts)
    except ValueError:
        return False


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    # A socket that listens on both protocols reports ::ffff:192.0.2.1.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
