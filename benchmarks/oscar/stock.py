"""Fill oscar's catalog: a parent per product, a child with a stock record per size, one category each.

Run with oscar's Python: `python -m benchmarks.oscar.stock goods.json`; prints the path of the first product
page. `goods.json`: a list of {name, description, category, unit_amount (cents), counts: {size: units}}.
"""

from __future__ import annotations

import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.oscar.settings")


def main() -> None:
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    products = [stock(goods) for goods in json.loads(Path(sys.argv[1]).read_text())]
    call_command("rebuild_index", verbosity=0, interactive=False)
    print(products[0].get_absolute_url())


def stock(goods: dict[str, Any]) -> Any:
    """Create one parent with its children; returns the parent."""
    from oscar.apps.catalogue.models import Category, Product, ProductClass  # type: ignore[import-not-found]

    kind, created = ProductClass.objects.get_or_create(name="Shirt", defaults={"track_stock": True})
    if created:
        kind.attributes.create(name="Size", code="size", type="text")
    parent = Product.objects.create(
        structure=Product.PARENT, product_class=kind, title=goods["name"], description=goods["description"]
    )
    category = Category.objects.filter(name=goods["category"]).first() or Category.add_root(
        name=goods["category"]
    )
    parent.categories.add(category)
    for size, units in goods["counts"].items():
        _child(parent, size, units, Decimal(goods["unit_amount"]) / 100)
    return parent


def _child(parent: Any, size: str, units: int, price: Decimal) -> None:
    from oscar.apps.catalogue.models import Product
    from oscar.apps.partner.models import Partner  # type: ignore[import-not-found]

    partner, _ = Partner.objects.get_or_create(name="The label")
    child = Product(structure=Product.CHILD, parent=parent, title=f"{parent.title} {size}")
    child.attr.size = size
    child.save()
    child.stockrecords.create(
        partner=partner, partner_sku=f"{parent.pk}-{size}", price=price, num_in_stock=units
    )


if __name__ == "__main__":
    main()
