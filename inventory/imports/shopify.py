"""Read Shopify's product export, in both generations of its column names, and its inventory export in three forms.

https://help.shopify.com/manual/products/import-export/using-csv,
https://help.shopify.com/manual/products/inventory/setup/inventory-csv
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from django.utils.text import slugify

from inventory.csv_files import CsvProblem, Row, Table
from inventory.imports.source import Export, SourceProduct, Variant

HANDLE = ("handle", "url handle")
PUBLISHED = ("published", "published on online store")
IMAGE = ("image src", "product image url")
SKU = ("variant sku", "sku")
PRICE = ("variant price", "price")
TRACKER = ("variant inventory tracker", "inventory tracker")
QUANTITY = ("variant inventory qty", "inventory quantity")
POLICY = ("variant inventory policy", "continue selling when out of stock")
OPTIONS = (1, 2, 3)
DEFAULT_OPTION = ("title", "default title")
SHORT_SIZES = frozenset("xxxs xxs xs s m l xl xxl xxxl xxxxl 2xs 3xs 2xl 3xl 4xl 5xl 6xl".split())  # noqa: SIM905
# Columns of the inventory export that are not locations, in the form with one column per location.
NOT_LOCATIONS = frozenset(
    ["", "handle", "title", "sku", "hs code", "coo", "barcode", "bin name"]
    + [f"option{n} {what}" for n in OPTIONS for what in ("name", "value", "linked to")]
)
AVAILABLE = ("available (not editable)", "available")

Key = tuple[str, tuple[str, ...]]


def fits(table: Table) -> bool:
    columns = set(table.header)
    return "title" in columns and bool(columns & set(HANDLE)) and bool(columns & set(PRICE))


def read(table: Table) -> Export:
    """The products of the export; gift cards, drafts and archived products are left out."""
    export = Export()
    rows: dict[str, list[Row]] = {}
    for row in table.rows():
        handle = row.get(*HANDLE) or slugify(row.get("title"), allow_unicode=True)
        if row.problem:
            export.problems.append(row.problem)
        elif not handle:
            export.problems.append(f"Line {row.line}: the row has no handle.")
        else:
            rows.setdefault(handle, []).append(row)
    for handle, group in rows.items():
        product = _product(handle, group, export.problems)
        if reason := _reason_to_leave_out(group[0]):
            export.leave_out(product, reason)
        else:
            export.products.append(product)
    return export


def _reason_to_leave_out(first: Row) -> str:
    status = first.get("status").casefold()
    if first.get("gift card").casefold() in ("true", "yes"):
        return "gift cards are left out."
    if status not in ("", "active"):
        return f"left out, its status is {status}."
    if first.get(*PUBLISHED).casefold() == "false":
        return "left out, it is not published."
    return ""


def _product(handle: str, rows: list[Row], problems: list[str]) -> SourceProduct:
    first = rows[0]
    titles = dict.fromkeys(filter(None, (row.get("title") for row in rows)))
    if len(titles) > 1:
        problems.append(
            f"Line {first.line}: “{handle}” is the handle of {len(titles)} products: {', '.join(titles)}."
        )
    # Names of options and whether they are linked stand on a product's first row only.
    names = {n: first.get(f"option{n} name") for n in OPTIONS}
    linked = {n: bool(first.get(f"option{n} linked to")) for n in OPTIONS}
    product = SourceProduct(
        handle=handle,
        line=first.line,
        name=next(iter(titles), ""),
        description=first.get("body (html)", "description"),
        category=first.get("type", "custom product type")
        or first.get("product category").split(">")[-1].strip(),
        images=[image for row in _by_position(rows) if (image := row.get(*IMAGE))],
    )
    for row in rows:
        values = tuple(row.get(f"option{n} value") for n in OPTIONS)
        if not any(values) and not row.get(*PRICE) and not row.get(*SKU):
            continue  # A further picture.
        options = tuple(
            (names[n] or f"Option {n}", _linked_value(value) if linked[n] else value)
            for n, value in zip(OPTIONS, values, strict=True)
            if value and (names[n].casefold(), value.casefold()) != DEFAULT_OPTION
        )
        product.variants.append(
            Variant(
                line=row.line,
                options=options,
                price=row.get(*PRICE),
                sku=row.get(*SKU).removeprefix("'"),
                is_counted=bool(row.get(*TRACKER)),
                count=row.get(*QUANTITY),
                sells_beyond=row.get(*POLICY).casefold() in ("continue", "true", "yes"),
            )
        )
    return product


def _linked_value(value: str) -> str:
    # Options linked to a metafield come as that entry's handle: `m`, `3xl`, `one-size`.
    if value != value.lower():
        return value
    return value.upper() if value in SHORT_SIZES else value.replace("-", " ").capitalize()


def _by_position(rows: list[Row]) -> list[Row]:
    def position(row: Row) -> int:
        text = row.get("image position")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 10**6

    return sorted(rows, key=position)


# --- The inventory export -----------------------------------------------------------------------


def add_counts(export: Export, table: Table, locations: Iterable[str]) -> None:
    """Replace the counts by those of the inventory export. Adds to the export's problems.

    `locations`: those whose counts are added up; needed if the export has several.
    """
    wanted = {name.casefold() for name in locations}
    counts: dict[Key, int] = {}
    lines: dict[Key, int] = {}
    seen: dict[tuple[Key, str], int] = {}
    places: dict[str, None] = {}
    for line, key, place, text in _inventory_rows(table, export.problems):
        places.setdefault(place)
        lines.setdefault(key, line)
        if (other := seen.setdefault((key, place.casefold()), line)) != line:
            export.problems.append(
                f"Lines {other} and {line} of {table.name} are the same variant at {place}."
            )
        elif wanted and place.casefold() not in wanted:
            continue
        elif text.casefold() in ("not stocked", ""):
            counts.setdefault(key, 0)
        elif text.lstrip("-").isascii() and text.lstrip("-").isdecimal():
            counts[key] = counts.get(key, 0) + int(text[:12])
        else:
            export.problems.append(f"Line {line} of {table.name}: “{text[:30]}” is not a count.")
    if unknown := wanted - {place.casefold() for place in places}:
        export.problems.append(
            f"{table.name} has no location “{', '.join(sorted(unknown))}”; it has {', '.join(places)}."
        )
    if len(places) > 1 and not wanted:
        export.problems.append(
            f"{table.name} has counts at {', '.join(places)}. Say which of them this shop sells from, such as "
            f"--location “{next(iter(places))}”; several are added up."
        )
    _put(export, table.name, counts, lines)


def _put(export: Export, name: str, counts: dict[Key, int], lines: dict[Key, int]) -> None:
    used: set[Key] = set()
    for product in export.products:
        for place, variant in enumerate(product.variants):
            key = (product.handle, tuple(value.casefold() for _name, value in variant.options))
            used.add(key)
            if key in counts:
                product.variants[place] = replace(variant, count=str(counts[key]))
            elif variant.is_counted:
                product.variants[place] = replace(variant, count="")
    for key, line in lines.items():
        handle, values = key
        if key not in used and handle not in export.ignored:
            which = " ".join([handle, *values])
            export.problems.append(f"Line {line} of {name}: {which} is not in the product file.")


def _inventory_rows(table: Table, problems: list[str]) -> Iterator[tuple[int, Key, str, str]]:
    # (line, variant, location, count as text) of each count.
    columns = set(table.header)
    available = next((name for name in AVAILABLE if name in columns), "")
    per_location = [name for name in table.header if name not in NOT_LOCATIONS]
    has_rows = "location" in columns and available
    if not columns & set(HANDLE) or not (has_rows or (per_location and "location" not in columns)):
        raise CsvProblem(
            f"{table.name} is not an inventory export: it needs the columns Handle, Option1 Value, Location and Available, "
            "or a column for each location."
        )
    linked: dict[str, list[bool]] = {}
    for row in table.rows():
        if row.problem:
            problems.append(row.problem)
            continue
        handle = row.get(*HANDLE)
        if not handle:
            problems.append(f"Line {row.line} of {table.name}: the row has no handle.")
            continue
        marks = [bool(row.get(f"option{n} linked to")) for n in OPTIONS]
        linked.setdefault(handle, marks)
        pairs = [(row.get(f"option{n} name"), row.get(f"option{n} value")) for n in OPTIONS]
        values = tuple(
            (_linked_value(value) if is_linked else value).casefold()
            for (name, value), is_linked in zip(pairs, linked[handle], strict=True)
            if value and (name.casefold() or "title", value.casefold()) != DEFAULT_OPTION
        )
        if has_rows:
            yield row.line, (handle, values), row.get("location"), row.get(available)
        else:
            for place in per_location:
                yield row.line, (handle, values), place, row.get(place)
