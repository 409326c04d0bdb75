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
            problems.append(f"The image {ascii(address)[1:-1][:80]} is not shown: {problem}")
        else:
            shown.append(address)
    return shown, problems


def _problem(address: str, origins: Sequence[str]) -> str:
    if not address.isprintable() or set(address) & set(" \"'<>\\`;,"):
        return "its URL has invalid characters."
    try:
        parts = urlsplit(address)
        # An address with credentials has no origin.
        has_origin = bool(parts.hostname) and "@" not in parts.netloc
        origin = f"{parts.scheme}://{parts.netloc}".lower() if has_origin else ""
    except ValueError:
        origin = ""
    if origins:
        return "" if origin in origins else "its origin is not in ALLOWED_IMAGE_ORIGINS."
    return "" if origin.startswith("https://") else "its URL does not begin with https://."
