"""Parse a product's metadata: category, sizes, colors, details and link.

Metadata is typed by hand in the Dashboard, so problems are listed and never raised.
Stock counts (`stock_<size>`) and the version tag are parsed by inventory.stock.metadata.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Stripe allows 50 keys of up to 40 characters. `stock_` takes six of them, and other keys need room as well.
MAX_SIZES = 40
MAX_LENGTH_SIZE = 34
MAX_LENGTH_WORD = 60

KEYS = {
    "category": "category",
    "sizes": "sizes",
    "colors": "colours",
    "details": "details",
    "featured": "featured",
    "link": "link",
}
# Written by inventory: counts and the version tag. They change with every sale.
STOCK_KEY_PREFIX = "stock_"
SINGLE_ITEM_KEY = "stock"  # The key of a product without sizes.
VERSION_KEY = "inventory_version"
LINK_KEYS = ("link", "streamUrl", "stream_url")
FALSY = frozenset({"", "0", "no", "false", "off"})


@dataclass(frozen=True)
class ProductMetadata:
    """`sizes` are in the owner's order, empty for a product without sizes; `problems` are sentences."""

    category: str = ""
    sizes: tuple[str, ...] = ()
    colors: tuple[str, ...] = ()
    details: str = ""
    featured: bool = False
    link: str = ""
    translations: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # Language to "name" and "description".
    problems: tuple[str, ...] = ()


def parse(metadata: Mapping[str, str], languages: Sequence[str] = ()) -> ProductMetadata:
    """Parse the keys that the shop knows. `details` keeps its line breaks.

    `languages`: those that pages may be in. The first is that of the product's own texts.
    """
    sizes, size_problems = _sizes(metadata)
    colors, color_problems = _listed(metadata.get("colors", ""), "colors", longest=MAX_LENGTH_WORD)
    # The first key that has an address counts.
    link_key = next((key for key in LINK_KEYS if metadata.get(key, "").strip()), "link")
    link, link_problems = metadata.get(link_key, "").strip(), []
    if link and not is_https(link):
        link, link_problems = "", [f"“{link_key}” is not a URL that begins with https://."]
    translations, translation_problems = _translations(metadata, languages)
    # Keys are case-sensitive, so `Sizes` would be ignored without notice.
    misspelt = [
        f"The key “{key}” is ignored; it must be “{right}”."
        for key in metadata
        for right in KEYS
        if key != right and right not in metadata and key.strip().casefold() in {right, KEYS[right]}
    ]
    return ProductMetadata(
        category=" ".join(_printable(metadata.get("category", "")).split())[:100],
        sizes=sizes,
        colors=tuple(colors),
        details=_printable(metadata.get("details", "").replace("\r\n", "\n")).strip(),
        featured=metadata.get("featured", "").strip().lower() not in FALSY,
        link=link,
        translations=translations,
        problems=(
            *size_problems,
            *(color_problems if colors else ()),
            *link_problems,
            *translation_problems,
            *misspelt,
        ),
    )


def without_counts(metadata: Mapping[str, str]) -> dict[str, str]:
    """Metadata as stored locally: counts are emptied (stock items hold them), the version tag is dropped.

    Stripe does not store empty values, so an empty value always marks a count.
    """
    return {
        key: "" if key == SINGLE_ITEM_KEY or key.startswith(STOCK_KEY_PREFIX) else text
        for key, text in metadata.items()
        if key != VERSION_KEY
    }


def _sizes(metadata: Mapping[str, str]) -> tuple[tuple[str, ...], list[str]]:
    if "sizes" not in metadata:
        return (), []
    listed, problems = _listed(metadata["sizes"], "sizes", longest=MAX_LENGTH_SIZE)
    if not listed:
        problems.append("“sizes” lists no size.")
    # Metadata keys are case-sensitive, so these are two sizes, but it is probably a mistake.
    seen: dict[str, str] = {}
    for size in listed:
        if (other := seen.setdefault(size.casefold(), size)) != size:
            problems.append(f"“sizes” has {other} and {size}, which differ only in case.")
    if len(listed) > MAX_SIZES:
        problems.append(f"“sizes” has {len(listed)} sizes; the first {MAX_SIZES} are used.")
    return tuple(listed[:MAX_SIZES]), problems


def _listed(text: str, key: str, *, longest: int) -> tuple[list[str], list[str]]:
    # Split a comma-separated text. Empty, repeated and invalid parts are left out and listed as problems.
    valid: list[str] = []
    problems: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        if not part:
            problems.append(f"“{key}” has an empty entry between its commas.")
        elif part in valid:
            problems.append(f"“{key}” lists {part} twice.")
        elif len(part) > longest:
            problems.append(f"“{key}” has “{part[:20]}…”, which is longer than {longest} characters.")
        elif not part.isprintable() or set(part) & set("[]<>"):
            problems.append(f"“{key}” has {part!a}, with characters that are not allowed in a size or color.")
        else:
            valid.append(part)
    return valid, list(dict.fromkeys(problems))


def _translations(
    metadata: Mapping[str, str], languages: Sequence[str]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    # Keys such as name_de. Stripe allows 500 characters for a value, so a longer description cannot be translated.
    found: dict[str, dict[str, str]] = {}
    problems = []
    for key in metadata if languages else ():
        match = re.fullmatch(r"\s*(name|description)_([a-z]{2})\s*", key, re.IGNORECASE)
        if not match:
            continue
        what, language = match[1].lower(), match[2].lower()
        right = f"{what}_{language}"
        text = _printable(metadata[key].replace("\r\n", "\n")).strip()
        text = " ".join(text.split()) if what == "name" else text
        if key != right and language in languages:
            if right not in metadata:
                problems.append(f"The key “{key}” is ignored; it must be “{right}”.")
        elif language not in languages:
            problems.append(f"“{key}” is ignored: pages are in {', '.join(languages)}.")
        elif language == languages[0]:
            problems.append(f"“{key}” is ignored: the product’s own {what} is in this language.")
        elif not text:
            problems.append(f"“{key}” has no text that can be shown.")
        else:
            found.setdefault(language, {})[what] = text
    return found, problems


def is_https(address: str) -> bool:
    """Accept plain https URLs only. Others could be scripts, or break out of the Content-Security-Policy."""
    is_plain = address.isprintable() and not set(address) & set(" \"'<>\\`;,")
    return is_plain and address.startswith("https://") and len(address) > 10


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
