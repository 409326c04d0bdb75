"""What does a product's metadata say about it? Category, sizes, colours, details; problems are listed, never raised.

Metadata is text that people type into a dashboard: whatever stands there, an answer comes back.
Stock counts (`stock_<size>`) and the mark are read by inventory.metadata.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Stripe allows 50 keys of 40 characters; `stock_` takes six of them, and ours and the owner's other keys need room.
MOST_SIZES = 40
LONGEST_SIZE = 34
LONGEST_WORD = 60

KEYS = {
    "category": "category",
    "sizes": "sizes",
    "colors": "colours",
    "details": "details",
    "featured": "featured",
    "link": "link",
}
# What inventory writes: counts and the mark. They change with every sale.
PREFIX = "stock_"
ONE_ITEM = "stock"  # The key of a product without sizes.
MARK_KEY = "inventory_version"
LINK_KEYS = ("link", "streamUrl", "stream_url")
NO = frozenset({"", "0", "no", "false", "off"})


@dataclass(frozen=True)
class Facts:
    """`sizes`: exact texts in the owner's order, empty for a product that is one item. `problems`: sentences."""

    category: str = ""
    sizes: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    details: str = ""
    featured: bool = False
    link: str = ""
    problems: tuple[str, ...] = ()


def parse(metadata: Mapping[str, str]) -> Facts:
    """Read the keys that the shop knows; `details` keeps its lines."""
    sizes, size_problems = _sizes(metadata)
    colours, colour_problems = _colours(metadata)
    link, link_problems = _link(metadata)
    return Facts(
        category=_one_line(metadata.get("category", ""))[:100],
        sizes=sizes,
        colours=colours,
        details=_printable(metadata.get("details", "").replace("\r\n", "\n")).strip(),
        featured=metadata.get("featured", "").strip().lower() not in NO,
        link=link,
        problems=(*size_problems, *colour_problems, *link_problems, *_misspelt_keys(metadata)),
    )


def without_counts(metadata: Mapping[str, str]) -> dict[str, str]:
    """What the mirror keeps: a count's key stays, but empty, for the count is its stock item's to say; no mark.

    Stripe keeps no empty text, so such a key is told from every other.
    """
    return {key: "" if _is_count(key) else text for key, text in metadata.items() if key != MARK_KEY}


def _is_count(key: str) -> bool:
    return key == ONE_ITEM or key.startswith(PREFIX)


def _sizes(metadata: Mapping[str, str]) -> tuple[tuple[str, ...], list[str]]:
    if "sizes" not in metadata:
        return (), []
    listed, problems = _listed(metadata["sizes"], "sizes", longest=LONGEST_SIZE)
    if not listed:
        problems.append("“sizes” names no size.")
    problems += _twins(listed)
    if len(listed) > MOST_SIZES:
        problems.append(f"“sizes” has {len(listed)} sizes; the first {MOST_SIZES} are used.")
    return tuple(listed[:MOST_SIZES]), problems


def _colours(metadata: Mapping[str, str]) -> tuple[tuple[str, ...], list[str]]:
    listed, problems = _listed(metadata.get("colors", ""), "colors", longest=LONGEST_WORD)
    return tuple(listed), problems if listed else []


def _listed(text: str, key: str, *, longest: int) -> tuple[list[str], list[str]]:
    """The members of a comma-separated text: trimmed, each once; blank, repeated and odd ones are problems."""
    kept: list[str] = []
    problems: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        trouble = _trouble(part, kept, longest)
        if trouble:
            problems.append(f"“{key}” {trouble}")
        else:
            kept.append(part)
    return kept, list(dict.fromkeys(problems))


def _trouble(part: str, kept: list[str], longest: int) -> str:
    if not part:
        return "has an empty place between its commas."
    if part in kept:
        return f"names {part} twice."
    if len(part) > longest:
        return f"has “{part[:20]}…”, which is longer than {longest} characters."
    if not part.isprintable() or set(part) & set("[]<>"):
        return f"has {part!a}, with characters that a size or colour cannot have."
    return ""


def _twins(sizes: Iterable[str]) -> list[str]:
    """Sizes that differ only in case are two sizes to Stripe and a mistake to people."""
    seen: dict[str, str] = {}
    problems = []
    for size in sizes:
        other = seen.setdefault(size.casefold(), size)
        if other != size:
            problems.append(f"“sizes” has {other} and {size}, which differ only in case.")
    return problems


def _link(metadata: Mapping[str, str]) -> tuple[str, list[str]]:
    for key in LINK_KEYS:
        address = metadata.get(key, "").strip()
        if address and is_https(address):
            return address, []
        if address:
            return "", [f"“{key}” is not an address that begins with https://."]
    return "", []


def _misspelt_keys(metadata: Mapping[str, str]) -> list[str]:
    """Keys are exact: `Sizes` would be ignored in silence, so it is named."""
    return [
        f"The key “{key}” is not read: it must be “{right}”."
        for key in metadata
        for right in KEYS
        if key != right and right not in metadata and key.strip().casefold() in {right, KEYS[right]}
    ]


def is_https(address: str) -> bool:
    """An https address of one printable word; anything else could be a script or break out of a page's policy."""
    return address.startswith("https://") and len(address) > 10 and _is_plain(address)


def _is_plain(address: str) -> bool:
    return address.isprintable() and not set(address) & set(" \"'<>\\`;,")


def _one_line(text: str) -> str:
    return " ".join(_printable(text).split())


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
