"""Check which image URLs may be shown: https, or the origins listed in ALLOWED_IMAGE_ORIGINS."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit


def partition_images(images: Iterable[str], origins: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the URLs that may be shown and the problems of the others. Empty `origins` allow any https URL."""
    shown: list[str] = []
    problems: list[str] = []
    for address in images:
        try:
            parts = urlsplit(address)
            # An address with credentials has no origin.
            has_origin = bool(parts.hostname) and "@" not in parts.netloc
            origin = f"{parts.scheme}://{parts.netloc}".lower() if has_origin else ""
        except ValueError:
            origin = ""
        if not address.isprintable() or set(address) & set(" \"'<>\\`;,"):
            problem = "its URL has invalid characters."
        elif origins and origin not in origins:
            problem = "its origin is not in ALLOWED_IMAGE_ORIGINS."
        elif not origins and not origin.startswith("https://"):
            problem = "its URL does not begin with https://."
        else:
            shown.append(address)
            continue
        problems.append(f"The image {ascii(address)[1:-1][:80]} is not shown: {problem}")
    return shown, problems
