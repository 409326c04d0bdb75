"""Choose the price of each size: the price with that size in its metadata, or else the default price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Price:
    """One price of a product. `unit_amount` is in minor units; `problem` says why it cannot be used."""

    id: str
    currency: str
    unit_amount: int | None
    active: bool = True
    size: str = ""
    problem: str = ""
    tax_included: bool = False

    @property
    def usable(self) -> bool:
        return self.active and not self.problem and self.unit_amount is not None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Price:
        return cls(**row)

    def as_row(self) -> dict[str, Any]:
        return asdict(self)


def price_for(size: str, prices: Iterable[Price], default_price_id: str) -> Price | None:
    """The usable price of `size` ("" for a product without sizes), or else the default price."""
    usable = [price for price in prices if price.usable]
    for price in usable:
        if size and price.size == size:
            return price
    return next((price for price in usable if price.id == default_price_id), None)


def range_of(sizes: Sequence[str], prices: Sequence[Price], default_price_id: str) -> tuple[int, int] | None:
    """Lowest and highest amount among the sizes, in minor units; None if no size has a price."""
    chosen = [price_for(size, prices, default_price_id) for size in sizes or [""]]
    amounts = [price.unit_amount for price in chosen if price and price.unit_amount is not None]
    return (min(amounts), max(amounts)) if amounts else None


def problems_of(sizes: Sequence[str], prices: Sequence[Price], default_price_id: str) -> list[str]:
    problems = [f"The price {price.id} cannot be used: {price.problem}" for price in prices if price.problem]
    sized = [price.size for price in prices if price.usable and price.size]
    problems += [
        f"A price is for size {size}, which is not in “sizes”."
        for size in dict.fromkeys(sized)
        if size not in sizes
    ]
    problems += [f"Size {size} has several prices." for size in dict.fromkeys(sized) if sized.count(size) > 1]
    without = [size for size in sizes or [""] if not price_for(size, prices, default_price_id)]
    if without and not any(sizes):
        problems.append("It has no default price that can be used.")
    elif without:
        problems.append(f"There is no price for {', '.join(without)}.")
    return problems
