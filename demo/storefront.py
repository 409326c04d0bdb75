"""The demo's size guides and texts, which live in the shop's database and not in Stripe."""

from __future__ import annotations

SIZE_GUIDES = [
    {
        "name": "Shirts and hoodies",
        "category": "",
        "lines": "XS 26 3/4, 20, 33\n"
        "S 27 1/2, 21 1/2, 34\n"
        "M 28 1/4, 23, 35\n"
        "L 29, 24 1/2, 36\n"
        "XL 30, 26, 37\n"
        "2XL 30 3/4, 27 1/2, 38\n"
        "3XL 31 1/2, 29, 38 3/4",
        "note": "Measured lying flat. Sleeves are measured from the middle of the neck.",
    },
    {
        "name": "For children",
        "category": "kids",
        "lines": "2Y 15 1/2, 12, 18\n4Y 17, 13, 20\n6Y 18 1/2, 14, 22\n8Y 20, 15, 24",
        "note": "Children grow: if in doubt, take the larger size.",
    },
]

TEXTS = {
    "tagline": "Printed by hand, in small numbers",
    "about": "Two people, one press and a kitchen table. We print what our friends draw, until it is gone.",
    "terms": "Send it back within thirty days if it does not fit.\n\nThis is a demonstration: nothing is sold here, "
    "and no card is charged.",
}


def write_once() -> None:
    """Add the size guides and texts if there are none, so that the owner's changes stay."""
    from shop.models import SizeGuide, Storefront

    if not SizeGuide.objects.exists():
        SizeGuide.objects.bulk_create(SizeGuide(**guide) for guide in SIZE_GUIDES)
    if not Storefront.objects.exists():
        Storefront.objects.create(**TEXTS)
