"""Which of a product's images may be shown? Those at https, or at an origin that the shop lists."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit


def sort_images(images: Iterable[str], origins: Sequence[str]) -> tuple[list[str], list[str]]:
    """(addresses that may be shown, problems). Without `origins` any https address may be."""
    shown: list[str] = []
    problems: list[str] = []
    for address in images:
        trouble = _trouble(address, origins)
        if trouble:
            problems.append(f"The image {_short(address)} is not shown: {trouble}")
        else:
            shown.append(address)
    return shown, problems


def _trouble(address: str, origins: Sequence[str]) -> str:
    if not address.isprintable() or set(address) & set(" \"'<>\\`;,"):
        return "its address has characters that an address cannot have."
    origin = _origin(address)
    if origins:
        return "" if origin in origins else "its origin is not in IMAGE_ORIGINS."
    return "" if origin.startswith("https://") else "its address does not begin with https://."


def _origin(address: str) -> str:
    """`https://host:port` in lower case; empty for what is no address."""
    try:
        parts = urlsplit(address)
        if not parts.hostname or "@" in parts.netloc:
            return ""
        return f"{parts.scheme}://{parts.netloc}".lower()
    except ValueError:
        return ""


def _short(address: str) -> str:
    return ascii(address)[1:-1][:80]
