"""The products of an export as its file has them, before any decision: what the readers of all formats return."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Variant:
    """One purchasable row. `options`: name to value, in the file's order. `is_counted`: its shop tracks a count.

    `count`: as text, "" if the file has none. `sells_beyond`: the shop goes on selling it below 0.
    """

    line: int
    options: tuple[tuple[str, str], ...] = ()
    price: str = ""
    sku: str = ""
    is_counted: bool = False
    count: str = ""
    sells_beyond: bool = False


@dataclass
class SourceProduct:
    """`handle`: the product's identity in its old shop; importing it twice makes one product."""

    handle: str
    line: int
    name: str = ""
    description: str = ""
    category: str = ""
    colors: tuple[str, ...] = ()
    images: list[str] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)


@dataclass
class Export:
    """Everything in a file. `problems` and `left_out` are sentences that begin with their line.

    `ignored`: handles of products that are left out on purpose.
    """

    products: list[SourceProduct] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)

    def leave_out(self, product: SourceProduct, reason: str) -> None:
        self.left_out.append(f"Line {product.line}: {product.name or product.handle}: {reason}")
        self.ignored.add(product.handle)
