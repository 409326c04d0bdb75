"""The plan of the demo's past: who buys what in six weeks, deliveries, and what a small label corrects now and then.

The plan is the same on every machine. It is computed backwards, so that after six weeks the counts are those of the
sample catalog.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from demo.catalog import SAMPLES, Sample

DAYS = 42  # before today, which is the last one, as far as it has come
DELIVERY_DAY = 22  # days after the beginning
DROP_DAY = 15  # a new print is announced, and more is sold than on other days
LEAST_DELIVERED = 4
SEED = 12

# How often a product and a size is bought, relative to the others.
PRODUCTS = {
    "prod_balm_tshirt": 9,
    "prod_sunday_rider": 7,
    "prod_night_swim": 5,
    "prod_paper_crane": 5,
    "prod_pear_study": 4,
    "prod_buttonup_cursive": 4,
    "prod_fern": 3,
    "prod_little_comet": 2,
    "prod_harbour_tote": 3,
    "prod_sticker_sheet": 4,
    "prod_foghorn_hoodie": 7,
}
SIZES = {
    "XS": 4,
    "S": 9,
    "M": 16,
    "L": 13,
    "XL": 7,
    "2XL": 3,
    "3XL": 2,
    "2Y": 3,
    "4Y": 4,
    "6Y": 3,
    "8Y": 2,
    "": 1,
}
SOLD_OUT = {"prod_foghorn_hoodie": 19}  # the day after which there are none left
FIRST = (
    "Ada Ben Chloe Dario Elin Farid Greta Hugo Ines Jonas Kaya Lena Milo Nora Otto Priya Rosa Sam Tilda Yusuf"
)
LAST = "Abel Brandt Costa Dahl Eriksen Frost Gomez Hale Ito Jensen Klein Lopez Moreau Novak Okafor Petit Rossi Stone"
PLACES = [
    ("US", "94103", "San Francisco", "CA"),
    ("US", "11211", "Brooklyn", "NY"),
    ("US", "97214", "Portland", "OR"),
    ("GB", "E8 3PN", "London", ""),
    ("DE", "10999", "Berlin", ""),
    ("CA", "H2T 1S6", "Montreal", "QC"),
]

Size = tuple[str, str]  # product id and size


@dataclass(frozen=True)
class Buyer:
    name: str
    email: str
    address: dict[str, str]


@dataclass(frozen=True)
class Purchase:
    """`at`: days since the beginning. `lines`: size, color and quantity."""

    at: float
    buyer: Buyer
    lines: list[tuple[Size, str, int]]


@dataclass(frozen=True)
class Correction:
    """A change of a count. `how`: take, count or edit (in Stripe's Dashboard); `delta`: units."""

    at: float
    how: str
    size: Size
    delta: int
    reason: str = ""


CORRECTIONS = [
    Correction(12.4, "take", ("prod_paper_crane", "S"), -1, "Sample for the photographer"),
    Correction(31.5, "edit", ("prod_balm_tshirt", "L"), 2),
    Correction(36.4, "count", ("prod_sunday_rider", "M"), -1, "Stocktaking, one had a hole"),
]


@dataclass
class Story:
    """`start`: counts at the beginning; `delivery`: units that arrive on DELIVERY_DAY."""

    purchases: list[Purchase]
    start: dict[Size, int] = field(default_factory=dict)
    delivery: dict[Size, int] = field(default_factory=dict)

    @property
    def samples(self) -> list[Sample]:
        """The catalog with the counts of the beginning."""
        return [
            replace(sample, metadata={**sample.metadata, **dict(self._counts_of(sample))})
            for sample in SAMPLES
        ]

    def _counts_of(self, sample: Sample) -> Iterator[tuple[str, str]]:
        for (product, size), count in self.start.items():
            if product == sample.id:
                yield (f"stock_{size}" if size else "stock"), str(count)


def counts_at_the_end() -> dict[Size, int]:
    """The counts of the sample catalog, as far as they are valid."""
    ends: dict[Size, int] = {}
    for sample in SAMPLES:
        for key, text in sample.metadata.items():
            if sample.id in PRODUCTS and key.startswith("stock") and text.isdecimal():
                ends[sample.id, key.removeprefix("stock").removeprefix("_")] = int(text)
    return ends


def tell() -> Story:
    dice = random.Random(SEED)
    ends = counts_at_the_end()
    samples = {sample.id: sample for sample in SAMPLES}
    purchases = []
    for day in range(DAYS + 1):
        usual = 2 + day / 20 + (2 if day % 7 in (4, 5) else 0) + (9 if day == DROP_DAY else 0)
        for _number in range(round(dice.gauss(usual, 1.2))):
            at = day + min(0.97, max(0.3, dice.gauss(0.68, 0.15)))
            lines = [_line(dice, day, samples, ends) for _line_number in range(dice.choice([1, 1, 1, 2, 3]))]
            purchases.append(Purchase(at, _buyer(dice), list({line[:2]: line for line in lines}.values())))
    return stocked_up(sorted(purchases, key=lambda purchase: purchase.at))


def _line(
    dice: random.Random, day: int, samples: dict[str, Sample], ends: dict[Size, int]
) -> tuple[Size, str, int]:
    products = [product for product in PRODUCTS if day <= SOLD_OUT.get(product, day)]
    [product] = dice.choices(products, [PRODUCTS[product] for product in products])
    sizes = [size for owner, size in ends if owner == product] or [""]
    [size] = dice.choices(sizes, [SIZES[size] for size in sizes])
    colors = [color.strip() for color in samples[product].metadata.get("colors", "").split(",")]
    return (product, size), dice.choice(colors), dice.choice([1, 1, 1, 1, 1, 2])


def _buyer(dice: random.Random) -> Buyer:
    first, last = dice.choice(FIRST.split()), dice.choice(LAST.split())
    country, code, city, state = dice.choice(PLACES)
    street = f"{dice.randint(1, 180)} {dice.choice(['Mill', 'Station', 'Garden', 'Canal', 'Hill'])} Street"
    address = {"country": country, "postal_code": code, "city": city, "line1": street, "state": state}
    return Buyer(f"{first} {last}", f"{first}.{last}@example.com".lower(), address)


def stocked_up(purchases: list[Purchase]) -> Story:
    """The purchases, with first counts and a delivery with which each of them finds its units."""
    story, ends = Story(purchases), counts_at_the_end()
    before, after = Counter[Size](), Counter[Size]()
    for purchase in purchases:
        for size, _color, quantity in purchase.lines:
            (before if purchase.at < DELIVERY_DAY else after)[size] += quantity
    corrected = Counter[Size]()
    for correction in CORRECTIONS:
        corrected[correction.size] += correction.delta
    for size, end in ends.items():
        needed = end + before[size] + after[size] - corrected[size]
        # About half of what is needed, and at least what is sold or taken until the delivery.
        start = max(math.ceil(needed / 2), before[size] + max(0, -corrected[size]))
        if needed - start < LEAST_DELIVERED:
            start = needed
        story.start[size] = start
        if needed > start:
            story.delivery[size] = needed - start
    return story
