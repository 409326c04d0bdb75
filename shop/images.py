"""Check which image URLs may be shown: https, or the origins listed in ALLOWED_IMAGE_ORIGINS."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit


def partition_images(images: Iterable[str], origins: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the URLs that may be shown and the problems of the others. Empty `origins` allow any https URL."""
    shown: list[str] = []
    problems: list[str] = []
    for address in images:
        problem = _problem(address, origins)
        if problem:
            problems.append(f"The image {_short(address)} is not shown: {problem}")
        else:
            shown.append(address)
    return shown, problems


def _problem(address: str, origins: Sequence[str]) -> str:
    if not address.isprintable() or set(address) & set(" \"'<>\\`;,"):
        return "its URL has invalid characters."
    origin = _origin(address)
    if origins:
        return "" if origin in origins else "its origin is not in ALLOWED_IMAGE_ORIGINS."
    return "" if origin.startswith("https://") else "its URL does not begin with https://."


def _origin(address: str) -> str:
    """`https://host:port` in lower case, or an empty string for an invalid URL or one with credentials."""
    try:
        parts = urlsplit(address)
        if not parts.hostname or "@" in parts.netloc:
            return ""
        return f"{parts.scheme}://{parts.netloc}".lower()
    except ValueError:
        return ""


def _short(address: str) -> str:
    return ascii(address)[1:-1][:80]
