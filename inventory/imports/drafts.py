"""Turn products of an export into products as this shop keeps them at Stripe, or say why that cannot be done.

No request and no database: everything is checked here, before anything is written.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import Any

from inventory.imports.html_text import text_of
from inventory.imports.option_names import is_color, is_size
from inventory.imports.source import Export, SourceProduct, Variant
from inventory.stock import metadata as stock_metadata
from inventory.stock.counts import MAX_COUNT
from shop import metadata as shop_metadata
from shop.images import partition_images
from shop.money import WRITTEN_WITHOUT_DECIMALS, decimals

FORMULA = re.compile(r"=|#(?:REF|NAME|VALUE|DIV/0|N/A|NULL|NUM)[!?]?", re.ASCII)
MAX_IMAGES, MAX_KEYS, MAX_VALUE = 8, 50, 500  # Stripe's limits.
MAX_NAME, MAX_DESCRIPTION, MAX_AMOUNT = 1000, 20_000, 99_999_999
HANDLE_KEY, UNFINISHED_KEY = "import_handle", "import_unfinished"


@dataclass(frozen=True)
class Settings:
    """`beyond`: what to do with variants that are sold below 0: "unlimited", "counted", or "" to ask the owner."""

    currency: str
    image_origins: Sequence[str] = ()
    beyond: str = ""


@dataclass(frozen=True)
class Draft:
    """A product to create. `extra_prices`: size to amount, where it differs from the default `amount`."""

    handle: str
    line: int
    name: str
    description: str
    images: tuple[str, ...]
    metadata: dict[str, str]
    currency: str
    amount: int
    extra_prices: dict[str, int] = field(default_factory=dict)

    @property
    def product_id(self) -> str:
        """The id at Stripe, derived from the handle, so that a product can be created only once."""
        slug = re.sub(r"[^a-z0-9_-]+", "-", self.handle.lower()).strip("-")[:80]
        if slug != self.handle:
            slug += "-" + hashlib.sha256(self.handle.encode()).hexdigest()[:8]
        return f"prod_{slug.strip('-')}"

    def create_params(self) -> dict[str, Any]:
        """Parameters of POST /v1/products. With prices per size it stays archived until those are there."""
        unfinished = {UNFINISHED_KEY: "yes"} if self.extra_prices else {}
        params: dict[str, Any] = {
            "id": self.product_id,
            "name": self.name,
            "active": not self.extra_prices,
            "metadata": {**self.metadata, **unfinished},
            "default_price_data": {"currency": self.currency, "unit_amount": self.amount},
        }
        if self.description:
            params["description"] = self.description
        if self.images:
            params["images"] = list(self.images)
        return params

    def price_params(self, size: str) -> dict[str, Any]:
        """Parameters of POST /v1/prices. Stripe accepts a lookup key once, so a price cannot be doubled."""
        digest = hashlib.sha256(f"{self.product_id}\n{size}".encode()).hexdigest()[:24]
        return {
            "product": self.product_id,
            "currency": self.currency,
            "unit_amount": self.extra_prices[size],
            "metadata": {"size": size},
            "lookup_key": f"import-{digest}",
        }


@dataclass
class Plan:
    drafts: list[Draft] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Refused(ValueError):
    """One product cannot be imported; the message is a sentence with its line."""


def make_plan(export: Export, settings: Settings) -> Plan:
    """Drafts of all products, and every problem of the file. Nothing may be written while there is one."""
    plan = Plan(problems=list(export.problems), notes=list(export.left_out))
    for product in export.products:
        try:
            plan.drafts.append(_draft(product, settings, plan.notes))
        except _Refused as exc:
            plan.problems.append(str(exc))
    seen: dict[str, Draft] = {}
    for draft in plan.drafts:
        if (other := seen.setdefault(draft.product_id, draft)) is not draft:
            plan.problems.append(
                f"Line {draft.line}: “{draft.handle}” and “{other.handle}” (line {other.line}) are too alike: both would "
                f"be {draft.product_id}."
            )
    return plan


def _draft(product: SourceProduct, settings: Settings, notes: list[str]) -> Draft:
    name = " ".join(product.name.split())
    if not name:
        raise _Refused(f"Line {product.line}: {product.handle} has no name.")
    if not product.variants:
        raise _Refused(f"Line {product.line}: {name} has no row with a price.")
    if len(name) > MAX_NAME:
        raise _Refused(f"Line {product.line}: the name has {len(name)} characters; {MAX_NAME} are possible.")
    values = [value for variant in product.variants for _name, value in variant.options]
    for text in (name, product.handle, product.category, *product.colors, *values):
        if FORMULA.match(text):
            problem = f"“{text[:40]}” is a spreadsheet formula or its error, not a text."
            raise _Refused(f"Line {product.line}: {problem}")
    description = text_of(product.description)
    if len(description) > MAX_DESCRIPTION:
        text = f"the description of {name} has {len(description)} characters; {MAX_DESCRIPTION} are possible."
        raise _Refused(f"Line {product.line}: {text}")

    size_name, color_name = _option_names(product, name, notes)
    by_size = _by_size(product, name, size_name, color_name)
    amounts = {size: _one_amount(variants, name, settings.currency) for size, variants in by_size.items()}
    amount = Counter(amounts.values()).most_common(1)[0][0]
    colors = [_option(variant, color_name) for variant in product.variants if color_name]
    metadata = {
        "category": product.category,
        "sizes": ",".join(by_size) if list(by_size) != [""] else "",
        **{stock_metadata.key_for(size): _count(rows, name, settings) for size, rows in by_size.items()},
        "colors": ",".join(dict.fromkeys(filter(None, [*colors, *product.colors]))),
        HANDLE_KEY: product.handle,
    }
    metadata |= _skus(by_size, len(metadata), f"Line {product.line}: {name}", notes)
    metadata = {key: text for key, text in metadata.items() if text}
    _check_metadata(product, name, metadata, [size for size in by_size if size])
    return Draft(
        handle=product.handle,
        line=product.line,
        name=name,
        description=description,
        images=tuple(_images(product, name, settings, notes)),
        metadata=metadata,
        currency=settings.currency,
        amount=amount,
        extra_prices={size: each for size, each in amounts.items() if each != amount},
    )


# --- Which option is the size -------------------------------------------------------------------


def _option(variant: Variant, name: str) -> str:
    return dict(variant.options).get(name, "")


def _option_names(product: SourceProduct, name: str, notes: list[str]) -> tuple[str, str]:
    # The options that are the size and the color, "" for none. Raises _Refused if other options vary.
    values: dict[str, dict[str, None]] = {}
    for variant in product.variants:
        for option, value in variant.options:
            values.setdefault(option, {})[value] = None
    colors = [option for option in values if is_color(option)]
    sizes = [option for option in values if is_size(option) and option not in colors]
    varying = [option for option, different in values.items() if len(different) > 1]
    size = next((option for option in sizes if option in varying), sizes[0] if sizes else "")
    color = colors[0] if colors else ""
    if not size and len(varying) == 1:
        size = varying[0]
        color = "" if color == size else color
        notes.append(
            f"Line {product.line}: {name}: “{size}” becomes the size, because it is what has counts of its own."
        )
    others = [option for option in varying if option not in (size, color)]
    if others:
        raise _Refused(
            f"Line {product.line}: {name} has variants by {' and '.join(f'“{one}”' for one in [size, *others] if one)}. "
            "This shop has sizes and colors only; make a product of each."
        )
    for option in values.keys() - {size, color} - set(varying):
        notes.append(f"Line {product.line}: {name}: the option “{option}” has one value and is left out.")
    return size, color


def _by_size(product: SourceProduct, name: str, size_name: str, color_name: str) -> dict[str, list[Variant]]:
    # The variants of each size. Raises _Refused if a size is counted per color, or has the same variant twice.
    by_size: dict[str, list[Variant]] = {}
    for variant in product.variants:
        size = _option(variant, size_name) if size_name else ""
        if size_name and not size:
            raise _Refused(f"Line {variant.line}: a variant of {name} has no “{size_name}”.")
        if "," in size:
            text = (
                f"the size “{size}” of {name} has a comma, which separates sizes here. Write it with a point."
            )
            raise _Refused(f"Line {variant.line}: {text}")
        by_size.setdefault(size, []).append(variant)
    for size, variants in by_size.items():
        lines = " and ".join(str(variant.line) for variant in variants)
        which = f"{name} {size}".strip()
        colors = [_option(variant, color_name) for variant in variants]
        if len(variants) > len(set(colors)):
            raise _Refused(f"Lines {lines}: {which} stands there {len(variants)} times.")
        if len(variants) > 1 and any(variant.is_counted for variant in variants):
            raise _Refused(
                f"Lines {lines}: {which} is counted per color ({', '.join(colors)}). This shop counts sizes, and the sum "
                "would sell one color as another. Make a product of each color."
            )
    return by_size


# --- Prices and counts --------------------------------------------------------------------------


def parse_amount(text: str, currency: str) -> int | None:
    """A price with a decimal point or comma, in minor units; None for anything else.

    "1,234" and "1.234" are refused in most currencies: one shop means a thousand, another one and a bit.
    """
    match = re.fullmatch(r"([0-9]{1,9})(?:[.,]([0-9]+))?", text.strip(), re.ASCII)
    places = decimals(currency)
    fraction = (match[2] or "") if match else ""
    if match is None or len(fraction) > max(2, places) or len(fraction.rstrip("0")) > places:
        return None
    amount = int(Decimal(f"{match[1]}.{fraction or 0}").scaleb(places))
    # Stripe's last digits of these currencies are always 0.
    step = 100 if currency in WRITTEN_WITHOUT_DECIMALS else 10 if places == 3 else 1
    return None if amount % step else amount


def _one_amount(variants: list[Variant], name: str, currency: str) -> int:
    amounts: dict[int, Variant] = {}
    for variant in variants:
        if not variant.price:
            raise _Refused(f"Line {variant.line}: {name} has no price.")
        amount = parse_amount(variant.price, currency)
        if amount is None or amount > MAX_AMOUNT:
            raise _Refused(
                f"Line {variant.line}: the price “{variant.price[:30]}” of {name} is not an amount in {currency.upper()}."
            )
        amounts.setdefault(amount, variant)
    if len(amounts) > 1:
        lines = " and ".join(str(variant.line) for variant in amounts.values())
        raise _Refused(f"Lines {lines}: the colors of {name} have different prices. Make a product of each.")
    return next(iter(amounts))


def _count(variants: list[Variant], name: str, settings: Settings) -> str:
    # The count at Stripe: digits, or “unlimited”.
    variant = variants[0]
    if not variant.is_counted:
        return stock_metadata.UNLIMITED
    if variant.sells_beyond and settings.beyond != "counted":
        if not settings.beyond:
            raise _Refused(
                f"Line {variant.line}: {name} is sold after its count has reached 0. Say what this shop is to do: "
                "--beyond counted (sold until 0) or --beyond unlimited (sold without counting)."
            )
        return stock_metadata.UNLIMITED
    if not variant.count:
        raise _Refused(f"Line {variant.line}: {name} is counted, but the file has no count of it.")
    match = re.fullmatch(r"(-?)([0-9]{1,12})(?:[.,]0+)?", variant.count, re.ASCII)
    if match is None:
        raise _Refused(
            f"Line {variant.line}: the count “{variant.count[:30]}” of {name} is not a whole number."
        )
    if match[1] and int(match[2]):
        raise _Refused(
            f"Line {variant.line}: the count {variant.count} of {name} is below 0, so more were sold than there were. "
            "Enter what is on the shelf."
        )
    if int(match[2]) > MAX_COUNT:
        raise _Refused(f"Line {variant.line}: the count {variant.count} of {name} is more than {MAX_COUNT}.")
    return str(int(match[2]))


# --- What Stripe and the shop accept ------------------------------------------------------------


def _skus(
    by_size: dict[str, list[Variant]], keys: int, where: str, notes: list[str]
) -> Iterator[tuple[str, str]]:
    skus = {size: variants[0].sku for size, variants in by_size.items() if variants[0].sku}
    if list(by_size) == [""]:
        yield from [("sku", sku[:MAX_VALUE]) for sku in skus.values()]
    elif len(skus) + keys <= MAX_KEYS - 4:
        # Room is left for the version tag and for what the owner adds.
        yield from [(f"sku_{size}", sku[:MAX_VALUE]) for size, sku in skus.items()]
    elif skus:
        notes.append(f"{where}: its SKUs are left out, because Stripe has room for {MAX_KEYS} texts only.")


def _images(product: SourceProduct, name: str, settings: Settings, notes: list[str]) -> list[str]:
    where = f"Line {product.line}: {name}"
    shown, problems = partition_images(dict.fromkeys(product.images), settings.image_origins)
    notes += [f"{where}: {problem}" for problem in problems]
    if len(shown) > MAX_IMAGES:
        notes.append(f"{where} has {len(shown)} pictures; the first {MAX_IMAGES} are used.")
    return shown[:MAX_IMAGES]


def _check_metadata(product: SourceProduct, name: str, metadata: dict[str, str], sizes: list[str]) -> None:
    # Raise _Refused for anything that Stripe would refuse, or `sync_catalog` would report as a problem.
    facts = shop_metadata.parse(metadata)
    problems = [*facts.problems]
    problems += [reading.problem for reading in stock_metadata.read(metadata, sizes) if reading.problem]
    if facts.sizes != tuple(sizes):
        problems.append("its sizes cannot be kept as they are.")
    if len(metadata) > MAX_KEYS - 2:
        problems.append(f"it needs {len(metadata)} texts at Stripe, which has room for {MAX_KEYS}.")
    for key, text in metadata.items():
        if len(key) > 40 or set(key) & set("[]"):
            problems.append(f"“{key}” cannot be a key at Stripe.")
        if len(text) > MAX_VALUE:
            problems.append(f"“{key}” has {len(text)} characters; {MAX_VALUE} are possible.")
        if not text.isprintable():
            problems.append(f"“{key}” has characters that are not allowed.")
    if problems:
        unique = [problem for problem, _same in groupby(problems)]
        raise _Refused(f"Line {product.line}: {name}: {' '.join(unique)}")
