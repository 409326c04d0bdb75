"""Read WooCommerce's product export: simple products, and variable products with their variations.

https://woocommerce.com/document/product-csv-importer-exporter/
"""

from __future__ import annotations

import re
from html import unescape

from inventory.csv_files import Row, Table
from inventory.imports.option_names import is_color
from inventory.imports.source import Export, SourceProduct, Variant

NEEDED = ("type", "name", "regular price")
LEFT_OUT_TYPES = {
    "external": "it is sold elsewhere.",
    "grouped": "grouped products are left out; their parts are products of their own.",
    "subscription": "subscriptions are left out.",
    "variable-subscription": "subscriptions are left out.",
    "bundle": "bundles are left out.",
    "composite": "composite products are left out.",
    "gift-card": "gift cards are left out.",
    "pw-gift-card": "gift cards are left out.",
}


def fits(table: Table) -> bool:
    return set(NEEDED) <= set(table.header)


def read(table: Table) -> Export:
    """The products of the export; drafts, private and external products are left out."""
    export = Export()
    rows: list[Row] = []
    for row in table.rows():
        if row.problem:
            export.problems.append(row.problem)
        else:
            rows.append(row)
    # By SKU and by `id:`, as variations name their parents.
    parents: dict[str, Row] = {}
    for row in rows:
        for name in filter(None, [row.get("id") and f"id:{row.get('id')}", row.get("sku")]):
            if (other := parents.setdefault(name, row)) is not row:
                noun = f"ID {name[3:]}" if name.startswith("id:") else f"SKU {name}"
                export.problems.append(f"Lines {other.line} and {row.line} have the same {noun}.")
        if not row.get("id") and not row.get("sku") and "variation" not in _types(row):
            export.problems.append(f"Line {row.line}: the row has neither an ID nor a SKU.")
    variations: dict[str, list[Row]] = {}
    for row in rows:
        if "variation" in _types(row):
            parent = parents.get(row.get("parent"))
            if parent is None:
                name = row.get("parent") or "nothing"
                export.problems.append(f"Line {row.line}: its parent “{name}” is not in the file.")
            else:
                variations.setdefault(_handle(parent), []).append(row)
    for row in rows:
        if "variation" not in _types(row):
            _add(row, variations.get(_handle(row), []), export)
    return export


def _types(row: Row) -> set[str]:
    return {part.strip().casefold() for part in row.get("type").split(",")}


def _handle(row: Row) -> str:
    # The export has no slug, and a SKU can be changed. Ids are for good.
    return f"woo-{row.get('id')}" if row.get("id") else row.get("sku") or f"woo-line-{row.line}"


def _add(row: Row, variations: list[Row], export: Export) -> None:
    types = _types(row)
    attributes = _attributes(row)
    product = SourceProduct(
        handle=_handle(row),
        line=row.line,
        name=unescape(_text(row.get("name"))),
        description=_text(row.get("description", "short description")),
        category=unescape(row.get("categories").split(",")[0].split(">")[-1].strip()),
        images=[part.strip() for part in row.get("images").split(",") if part.strip()],
    )
    if reason := next((why for kind, why in LEFT_OUT_TYPES.items() if kind in types), ""):
        export.leave_out(product, reason)
        return
    if row.get("published") != "1":
        kind = {"-1": "a draft", "0": "private"}.get(_text(row.get("published")), "not published")
        export.leave_out(product, f"left out, it is {kind}.")
        return
    if "variable" in types:
        published = [variation for variation in variations if variation.get("published") in ("1", "")]
        product.variants = [_variation(one, row, attributes, export.problems) for one in published]
        for name, values in attributes.items():
            if is_color(name) and all(_attributes(one).get(name) == [] for one in published):
                # The variations are for any color, so the parent has the colors.
                product.colors = tuple(values)
                break
        if variations and not published:
            export.leave_out(product, "left out, none of its variations is published.")
            return
    else:
        _refuse_shared(row, row, export.problems)
        product.variants = [_variant(row, ())]
    for priced in [row, *variations]:
        if sale := priced.get("sale price"):
            export.left_out.append(
                f"Line {priced.line}: {product.name}: the sale price {sale} is left out; the regular price is used."
            )
    export.products.append(product)


def _attributes(row: Row) -> dict[str, list[str]]:
    # Attribute name to its values, in the order of the columns.
    found: dict[str, list[str]] = {}
    for n in range(1, 30):
        if name := row.get(f"attribute {n} name"):
            values = re.split(r"\s*(?<!\\),\s*", row.get(f"attribute {n} value(s)"))
            found[name] = [unescape(value.replace("\\,", ",")) for value in values if value]
    return found


def _variation(row: Row, parent: Row, of_parent: dict[str, list[str]], problems: list[str]) -> Variant:
    options = []
    for name, values in _attributes(row).items():
        if values:
            options.append((name, values[0]))
        elif not is_color(name) and len(of_parent.get(name, [])) != 1:
            # WooCommerce calls it “any”: one count for all values, which cannot be divided.
            problems.append(
                f"Line {row.line}: the variation is for any “{name}”, so its count belongs to no size. Make a variation of "
                "each."
            )
        elif len(of_parent.get(name, [])) == 1:
            options.append((name, of_parent[name][0]))
    _refuse_shared(row, parent, problems)
    return _variant(row, tuple(options))


def _refuse_shared(row: Row, parent: Row, problems: list[str]) -> None:
    if row.get("stock").casefold() == "parent":
        name = _text(parent.get("name"))
        problems.append(
            f"Line {row.line}: the stock is that of the parent: {name} has one count for all sizes. Enter a count for each "
            "variation in WooCommerce first."
        )


def _variant(row: Row, options: tuple[tuple[str, str], ...]) -> Variant:
    stock = _text(row.get("stock"))
    in_stock = row.get("in stock?").casefold()
    sold_out = in_stock in ("0", "no", "outofstock")
    return Variant(
        line=row.line,
        options=options,
        price=_text(row.get("regular price")),
        sku=_text(row.get("sku")),
        # Without a number WooCommerce does not count: it is in stock, or it is not.
        is_counted=bool(stock) or sold_out,
        count=stock or ("0" if sold_out else ""),
        sells_beyond=row.get("backorders allowed?").casefold() in ("1", "yes", "notify"),
    )


def _text(text: str) -> str:
    # Without the apostrophe that WooCommerce puts before a formula, and with its line breaks as line breaks.
    return re.sub(r"^'(?=[=+\-@])", "", text).replace("\\n", "\n")
