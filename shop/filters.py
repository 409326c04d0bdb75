"""Search, filters, sorting and pagination of product lists, read from the query string."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Self
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import F, IntegerField, Q, Subquery
from django.db.models.expressions import Combinable
from django.http import QueryDict

from shop.models import Product, ProductQuerySet
from shop.money import decimals

PAGE_SIZE = 24
MAX_PAGE = 10_000
MAX_LENGTH_QUERY = 100
MAX_TERMS = 8

SORT_ORDERS: dict[str, list[str]] = {
    "": ["-featured", "-created_at", "id"],
    "new": ["-created_at", "id"],
    "price": ["id"],  # After the price.
    "-price": ["id"],
    "name": ["name", "id"],
}


class _Count(Subquery):
    # A window would make the database copy all columns of all pages before it takes one page.
    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


@dataclass(frozen=True)
class ProductFilter:
    """Filters of a product list. `min_price` and `max_price` are amounts in minor units of `currency`."""

    q: str = ""
    size: str = ""
    color: str = ""
    in_stock: bool = False
    min_price: int | None = None
    max_price: int | None = None
    sort: str = ""
    page: int = 1
    currency: str = "usd"

    @classmethod
    def read(cls, query: QueryDict, currency: str) -> Self:
        """Parse the query string. Invalid values are ignored, so no URL results in an error."""
        sort, number = query.get("sort", ""), query.get("page", "")
        page = int(number[:6]) if number.isascii() and number.isdigit() else 1
        return cls(
            q=_text(query.get("q", "")),
            size=_text(query.get("size", "")),
            color=_text(query.get("color") or query.get("colour", "")),
            in_stock=query.get("in_stock", "") not in {"", "0"},
            min_price=_amount(query.get("from", ""), currency),
            max_price=_amount(query.get("to", ""), currency),
            sort=sort if sort in SORT_ORDERS else "",
            page=max(1, min(page, MAX_PAGE)),
            currency=currency,
        )

    @property
    def previous_page(self) -> int:
        return self.page - 1

    @property
    def next_page(self) -> int:
        return self.page + 1

    @property
    def is_active(self) -> bool:
        # Sorting and pagination are no filters.
        return self != replace(ProductFilter(currency=self.currency), sort=self.sort, page=self.page)

    def queryset(self, slug: str = "") -> ProductQuerySet:
        """Matching products of a category in order. `total` of each row is the number of products on all pages."""
        rows = Product.objects.visible().filter(**({"category_slug": slug} if slug else {}))
        for term in self.q.casefold().split()[:MAX_TERMS]:
            rows = rows.filter(search_text__contains=term)
        if self.color:
            rows = rows.filter(color_index__contains=f"|{self.color.casefold()}|")
        lowest, highest = "lowest_amount", "highest_amount"
        if self.currency != settings.SHOP_CURRENCY:
            lowest, highest = f"amounts__{self.currency}__0", f"amounts__{self.currency}__1"
        if self.min_price is not None:
            rows = rows.filter(**{f"{highest}__gte": self.min_price})
        if self.max_price is not None:
            rows = rows.filter(**{f"{lowest}__lte": self.max_price})
        if self.size or self.in_stock:
            in_stock = Q(stock_items__state="unlimited") | Q(stock_items__available__gt=0)
            # The keys at Stripe keep their case; a customer who wants M wants m as well.
            in_size = Q(stock_items__size__iexact=self.size) if self.size else Q()
            sellable = Product.objects.filter(
                in_size & in_stock, stock_items__is_listed=True, lowest_amount__isnull=False
            )
            rows = rows.filter(pk__in=sellable.values("pk"))
        by_price: dict[str, list[Combinable]] = {
            "price": [F(lowest).asc(nulls_last=True)],
            "-price": [F(lowest).desc(nulls_last=True)],
        }
        order: list[str | Combinable] = [*by_price.get(self.sort, []), *SORT_ORDERS[self.sort]]
        return rows.annotate(total=_Count(rows.order_by().values("pk"))).order_by(*order)

    def slice(self) -> slice:
        return slice((self.page - 1) * PAGE_SIZE, self.page * PAGE_SIZE)

    def querystring(self, **changes: Any) -> str:
        """The query string with `changes`, "?..." or empty. It goes back to page 1 unless `page` is given."""
        changed = replace(self, **({"page": 1} | changes))
        values: dict[str, object] = {
            "q": changed.q,
            "size": changed.size,
            "color": changed.color,
            "in_stock": int(changed.in_stock) or "",
            "from": _amount_text(changed.min_price, self.currency),
            "to": _amount_text(changed.max_price, self.currency),
            "sort": changed.sort,
            "page": changed.page if changed.page > 1 else "",
        }
        text = urlencode({key: value for key, value in values.items() if value != ""})
        return f"?{text}" if text else ""

    @property
    def min_price_text(self) -> str:
        return _amount_text(self.min_price, self.currency)

    @property
    def max_price_text(self) -> str:
        return _amount_text(self.max_price, self.currency)


def _text(text: str) -> str:
    # One short printable line; PostgreSQL rejects NUL.
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[
        :MAX_LENGTH_QUERY
    ]


def _amount(text: str, currency: str) -> int | None:
    try:
        amount = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount < 10**9:
        return None
    return int(amount.scaleb(decimals(currency)))


def _amount_text(amount: int | None, currency: str) -> str:
    # "25" rather than "25.00", as customers would type it.
    if amount is None:
        return ""
    written = Decimal(amount).scaleb(-decimals(currency))
    return format(written.to_integral() if written == written.to_integral() else written, "f")
