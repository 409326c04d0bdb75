"""Sample catalog: fourteen products, as an owner would enter them in Stripe.

They cover every case: prices per size, sold-out sizes, a last item, a product without sizes, one whose stock
is not tracked, one that is only a link, and one with invalid metadata.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SIZES = "S,M,L,XL,2XL,3XL"


@dataclass(frozen=True)
class Sample:
    """`price`: cents, None if it is not for sale. `prices`: size -> cents, for sizes with another price.

    `drawn`: garment and print of its images, of which there is one per color.
    """

    id: str
    name: str
    description: str
    drawn: tuple[str, str]
    colors: tuple[str, ...]
    metadata: dict[str, str]
    price: int | None = 2500
    prices: dict[str, int] = field(default_factory=dict)

    def image_paths(self) -> list[str]:
        """Paths in demo.images: the garment in each color, then a close-up of the print."""
        garment, print_name = self.drawn
        whole = [f"/{garment}/{print_name}/{color}.svg" for color in self.colors]
        return [*whole, f"/detail/{print_name}/{self.colors[0]}.svg"]


def stock(**counts: int | str) -> dict[str, str]:
    """stock(S=3, _2XL=1) is {"stock_S": "3", "stock_2XL": "1"}; the underscore is for names that begin with a digit."""
    return {f"stock_{size.lstrip('_')}": str(count) for size, count in counts.items()}


SAMPLES = [
    Sample(
        # The oldest and the last by id, so that the home page shows other products instead.
        id="prod_zz_misprint",
        name="Misprint",
        description="This one is broken on purpose: its counts have the mistakes that people make. See the admin.",
        drawn=("tee", "misprint"),
        colors=("White",),
        metadata={
            "category": "clothing",
            "sizes": "S,M,,L,XL",
            "colors": "White",
            # A count in words, a size without a count, a key in the wrong case, and a valid count.
            "stock_S": "ten",
            "stock_l": "4",
            "stock_XL": "2",
        },
        price=1900,
    ),
    Sample(
        id="prod_buttonup_cursive",
        name="Buttonup Screenprint Cursive",
        description="A letter that needs no answer, printed by hand on a shirt that dries on the way home.",
        drawn=("button-up", "cursive"),
        colors=("Black", "White", "Navy"),
        metadata={
            "category": "art",
            "sizes": SIZES,
            "colors": "Black,White,Navy",
            "details": "Fabric: 2.9 oz, 100 % polyester\nMechanical stretch, moisture-wicking\n"
            "Hidden button-down collar\nWash cold, hang to dry",
            "featured": "yes",
            **stock(S=0, M=0, L=3, XL=3, _2XL=0, _3XL=0),
        },
        prices={"3XL": 2800},
    ),
    Sample(
        id="prod_balm_tshirt",
        name="BALM T-Shirt",
        description="The tin that our first winter smelled of, on heavy cotton.",
        drawn=("tee", "balm"),
        colors=("White", "Black"),
        metadata={
            "category": "clothing",
            "sizes": SIZES,
            "colors": "White,Black",
            "details": "Fabric: 6.1 oz, 100 % combed cotton\nRibbed collar\nPrinted with water-based ink",
            "featured": "yes",
            **stock(S=10, M=15, L=12, XL=8, _2XL=4, _3XL=2),
        },
        prices={"3XL": 2800},
    ),
    Sample(
        id="prod_night_swim",
        name="Night Swim",
        description="Ida Brandvold drew this from memory, in the car, with the heating on.",
        drawn=("tee", "night-swim"),
        colors=("Navy", "Black"),
        metadata={
            "category": "art",
            "sizes": "S,M,L,XL",
            "colors": "Navy,Black",
            "details": "An edition of eighty, by Ida Brandvold\nFabric: 5.3 oz organic cotton",
            **stock(S=4, M=6, L=9, XL=1),
        },
        price=3200,
    ),
    Sample(
        id="prod_pear_study",
        name="Pear Study No. 4",
        description="Numbers one to three were eaten.",
        drawn=("tee", "pear"),
        colors=("Sage", "Cream"),
        metadata={
            "category": "art",
            # Spaces after commas must make no difference.
            "sizes": "S, M, L, XL, 2XL",
            "colors": "Sage, Cream",
            "details": "By Teo Marchetti\nFabric: 5.3 oz organic cotton, garment-dyed",
            **stock(S=7, M=2, L=0, XL=5, _2XL=3),
        },
        price=3200,
        prices={"2XL": 3500},
    ),
    Sample(
        id="prod_paper_crane",
        name="Paper Crane",
        description="Folded once, printed twice.",
        drawn=("tee", "crane"),
        colors=("Sky", "White", "Rust"),
        metadata={
            "category": "art",
            "sizes": "XS,S,M,L,XL",
            "colors": "Sky,White,Rust",
            "details": "By Hana Whitlock\nFabric: 4.8 oz cotton",
            **stock(XS=3, S=11, M=14, L=10, XL=6),
        },
        price=3000,
    ),
    Sample(
        id="prod_fern",
        name="Field Notes: Fern",
        description="From the shady side of the path behind the workshop.",
        drawn=("tee", "fern"),
        colors=("Cream", "Sage"),
        metadata={
            "category": "clothing",
            "sizes": "S,M,L,XL,2XL,3XL",
            "colors": "Cream,Sage",
            "details": "Fabric: 5.3 oz organic cotton\nA long cut",
            **stock(S=5, M=5, L=6, XL=4, _2XL=2, _3XL=1),
        },
        prices={"2XL": 2700, "3XL": 2800},
    ),
    Sample(
        id="prod_sunday_rider",
        name="Sunday Rider",
        description="No hurry, no helmet hair, no chain on the left.",
        drawn=("tee", "rider"),
        colors=("Rust", "Navy", "White"),
        metadata={
            "category": "clothing",
            "sizes": "S,M,L,XL",
            "colors": "Rust,Navy,White",
            "details": "Fabric: 5.3 oz organic cotton\nReflective ink: it shows in headlights",
            **stock(S=20, M=24, L=18, XL=9),
        },
    ),
    Sample(
        id="prod_last_lantern",
        name="Market Lantern",
        description="The last one of the winter market. There is exactly one.",
        drawn=("tee", "lantern"),
        colors=("Plum",),
        metadata={
            "category": "clothing",
            "sizes": "S,M,L",
            "colors": "Plum",
            "details": "Fabric: 6.1 oz cotton\nThe screen is washed out: there will be no more",
            **stock(S=0, M=1, L=0),
        },
        price=2200,
    ),
    Sample(
        id="prod_little_comet",
        name="Little Comet",
        description="For people who still run everywhere.",
        drawn=("tee", "comet"),
        colors=("Sky", "Plum"),
        metadata={
            "category": "kids",
            "sizes": "2Y,4Y,6Y,8Y",
            "colors": "Sky,Plum",
            "details": "Fabric: 4.4 oz cotton, soft at the neck",
            **stock(_2Y=6, _4Y=8, _6Y=0, _8Y=4),
        },
        price=1800,
    ),
    Sample(
        id="prod_foghorn_hoodie",
        name="Foghorn Hoodie",
        description="Heard before it is seen. Warm in any case.",
        drawn=("hoodie", "lighthouse"),
        colors=("Navy", "Sage"),
        metadata={
            "category": "clothing",
            "sizes": SIZES,
            "colors": "Navy,Sage",
            "details": "Fabric: 9.4 oz brushed cotton\nLined hood, flat cords\nRuns large",
            **stock(S=0, M=0, L=0, XL=0, _2XL=0, _3XL=0),
        },
        price=5800,
        prices={"2XL": 6100, "3XL": 6200},
    ),
    Sample(
        id="prod_harbour_tote",
        name="Harbor Tote",
        description="Holds a record, a loaf and a wet towel, though not for long in that order.",
        drawn=("tote", "anchor"),
        colors=("Cream",),
        metadata={"category": "things", "details": "Canvas, 12 oz\n38 × 42 cm", "stock": "24"},
        price=1600,
    ),
    Sample(
        id="prod_sticker_sheet",
        name="Sticker Sheet",
        description="Five of our drawings for things that are not shirts. We print more whenever we like.",
        drawn=("sheet", "stickers"),
        colors=("White",),
        metadata={"category": "things", "details": "A5, kiss-cut, weatherproof", "stock": "unlimited"},
        price=500,
    ),
    Sample(
        id="prod_slow_weather",
        name="Slow Weather",
        description="Nine songs recorded while it rained. For listening only: it is not for sale here.",
        drawn=("sleeve", "weather"),
        colors=("Sky",),
        metadata={
            "category": "music",
            "details": "Nine songs, 38 minutes",
            "link": "https://music.example/slow-weather",
        },
        price=None,
    ),
]
