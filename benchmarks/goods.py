"""The products that the page benchmark sells: one full list page of shirts in six sizes."""

from __future__ import annotations

from typing import Any

from demo.catalog import SAMPLES

SIZES = ("S", "M", "L", "XL", "2XL", "3XL")
HOW_MANY = 24  # shop.filters.PAGE_SIZE
LONG_NAME = "Shirt of the Harbor, drawn in one line from the lighthouse to the last crane, second printing"
DESCRIPTION = (
    "Printed by hand in a back room with a good window, on heavy cotton that has been washed once already. "
    "The ink is water-based, so the print bends with the cloth and stays when the color fades. "
)
DETAILS = (
    "Fabric: 6.1 oz, 100 % combed cotton\nRibbed collar\nPrinted with water-based ink\nWash cold, hang to dry"
)


def goods(image_origin: str) -> list[dict[str, Any]]:
    """{id, name, description, category, unit_amount (cents), counts, colors, details, images} of each product."""
    return [_shirt(number, image_origin) for number in range(HOW_MANY)]


def _shirt(number: int, image_origin: str) -> dict[str, Any]:
    pictures = SAMPLES[number % len(SAMPLES)].image_paths()
    return {
        "id": f"prod_shirt{number:02}",
        "name": LONG_NAME
        if number == 0
        else f"Shirt of the {('Harbor', 'Orchard', 'Night Bus', 'Tin Roof', 'Long Field')[number % 5]} {number + 1}",
        "description": DESCRIPTION * 2,
        "category": ("art", "music", "clothing")[number % 3],
        "unit_amount": 2500 + 100 * (number % 7),
        "counts": {size: (number + 3 * place) % 17 for place, size in enumerate(SIZES)},
        "colors": "Black,White,Navy",
        "details": DETAILS,
        "images": [image_origin + path for path in pictures],
    }
