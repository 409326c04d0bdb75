"""Choose the price of each size: the price with that size in its metadata, or else the default price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class CurrencyOption:
    """The amount of a price in another currency, in minor units."""

    currency: str
    unit_amount: int
    tax_included: bool = False


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
    options: tuple[CurrencyOption, ...] = ()

    @property
    def usable(self) -> bool:
        return self.active and not self.problem and self.unit_amount is not None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Price:
        options = tuple(CurrencyOption(**option) for option in row.get("options", ()))
        return cls(**{**row, "options": options})

    def as_row(self) -> dict[str, Any]:
        row = asdict(self)
        options = row.pop("options")
        return row | {"options": list(options)} if options else row

    def in_currency(self, currency: str) -> Price | None:
        """This price as it is charged in `currency`; None if it has no amount in it."""
        if currency == self.currency:
            return self
        for option in self.options:
            if option.currency == currency:
                amount, tax_included = option.unit_amount, option.tax_included
                return replace(self, currency=currency, unit_amount=amount, tax_included=tax_included)
        return None


def price_for(size: str, prices: Iterable[Price], default_price_id: str) -> Price | None:
    """The usable price of `size` ("" for a product without sizes), or else the default price."""
    usable = [price for price in prices if price.usable]
    for price in usable:
        if size and price.size == size:
            return price
    return next((price for price in usable if price.id == default_price_id), None)


def ranges_of(
    currencies: Iterable[str], sizes: Sequence[str], prices: Sequence[Price], default_price_id: str
) -> dict[str, tuple[int, int]]:
    """Lowest and highest amount among the sizes that have a price, by currency and in its minor unit.

    A currency in which one of these prices has no amount is left out, and so are all if no size has a price.
    """
    chosen = [price for size in sizes or [""] if (price := price_for(size, prices, default_price_id))]
    ranges = {}
    for currency in currencies if chosen else ():
        found = [option.unit_amount for price in chosen if (option := price.in_currency(currency))]
        amounts = [amount for amount in found if amount is not None]
        if len(amounts) == len(chosen):
            ranges[currency] = min(amounts), max(amounts)
    return ranges


def problems_of(
    sizes: Sequence[str], prices: Sequence[Price], default_price_id: str, currencies: Iterable[str] = ()
) -> list[str]:
    """`currencies`: those besides the shop's own in which each price should have an amount."""
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
    for currency in currencies:
        chosen = [(size, price_for(size, prices, default_price_id)) for size in sizes or [""]]
        without = [size for size, price in chosen if price and not price.in_currency(currency)]
        sizes_named = f" of {', '.join(without)}" if any(without) else ""
        if without:
            problems.append(f"The price{sizes_named} has no amount in {currency.upper()}.")
    return problems
