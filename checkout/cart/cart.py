"""What is in the visitor's cart? Lines of one size in one color, kept in the session; prices are the mirror's.

The session holds {"token": text, "lines": [[stock item id, color, quantity], ...]}. The token names this
cart in orders: it is made with the first line and thrown away when the cart has been paid for.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from checkout.cart.rules import (
    WHOLE_NUMBER,
    CartError,
    check_color,
    get_sellable_item,
    has_color,
    is_for_sale,
    is_offered,
    max_units,
    parse_quantity,
    shortage_text,
    siblings_of,
    too_many_text,
)
from checkout.models import CUSTOMER_DONE_STATES, Order, OrderLine
from inventory.models import StockItem
from shop.availability import MAX_QUANTITY, max_quantity
from shop.context_processors import get_storefront
from shop.models import Product
from shop.prices import Price
from shop.storefront import StorefrontContext

SESSION_KEY = "cart"
STRIPE_TIMEOUT = timedelta(seconds=20)  # Connecting to Stripe and reading its answer may take 13.
MAX_LINES = 100  # Stripe takes no more in one Checkout Session.


@dataclass(frozen=True)
class CartItem:
    """One line as the session keeps it."""

    item_id: int
    color: str
    quantity: int

    @property
    def key(self) -> tuple[int, str]:
        """Two lines with the same size and color are one. A size belongs to one product, so that is told too."""
        return self.item_id, self.color


@dataclass(frozen=True)
class CartLine:
    """One line with what the mirror and the stock say of it now. `problem` is empty if it can be bought as it is."""

    cart_item: CartItem
    item: StockItem | None
    price: Price | None
    limit: int | None
    problem: str
    sizes: tuple[StockItem, ...]
    storefront: (
        StorefrontContext  # Read only where it matters whether the customer may learn how many there are.
    )

    @property
    def product(self) -> Product | None:
        return self.item.product if self.item else None

    @property
    def color(self) -> str:
        return self.cart_item.color

    @property
    def quantity(self) -> int:
        return self.cart_item.quantity

    @property
    def key(self) -> str:
        """Names the line in pages and answers."""
        return key_of(str(self.cart_item.item_id), self.color)

    @property
    def name(self) -> str:
        """As the shop would say it: BALM T-Shirt, M, Black."""
        if self.item is None:
            return _("An article that is no longer here")
        return ", ".join(part for part in (self.item.product.name, self.item.size, self.color) if part)

    @property
    def unit_amount(self) -> int | None:
        return self.price.unit_amount if self.price else None

    @property
    def amount(self) -> int:
        """What the line costs in the minor unit; 0 while it cannot be bought."""
        return (self.unit_amount or 0) * self.quantity if self.can_be_bought else 0

    @property
    def can_be_bought(self) -> bool:
        """Is it for sale at all? How many there are is for the ledger to decide."""
        return self.item is not None and self.price is not None and self.limit != 0

    @property
    def max_quantity(self) -> int:
        """The largest quantity that may be asked for."""
        return max_quantity(self.limit if self.storefront.settings.show_counts else None)

    @property
    def image(self) -> str:
        return str(self.product.images[0]) if self.product and self.product.images else ""


@dataclass(frozen=True)
class PendingPayment:
    """A payment page that waits for this customer, wanted at `since`.

    `url`: empty until Stripe has told; `is_for_this`: same contents.
    """

    url: str
    since: datetime
    expires_at: datetime | None
    matches_cart: bool

    @property
    def minutes_left(self) -> int:
        """Whole minutes for which Stripe keeps the page open; 0 when its time is over."""
        left = (self.expires_at - timezone.now()).total_seconds() if self.expires_at else 0
        return max(0, int(left // 60))

    @property
    def is_late(self) -> bool:
        """Has Stripe been silent for longer than one request to it may take?"""
        return not self.url and timezone.now() - self.since > STRIPE_TIMEOUT


class Cart:
    """The cart of one request. Looking at it never writes; an empty one never asks the database."""

    def __init__(self, request: HttpRequest) -> None:
        self._session = request.session
        self._house = get_storefront(request)
        kept = self._session.get(SESSION_KEY) or {}
        self.token: str = kept.get("token", "")
        self.items = [
            CartItem(int(item), str(color), int(units)) for item, color, units in kept.get("lines", [])
        ]

    def __bool__(self) -> bool:
        return bool(self.items)

    @property
    def units(self) -> int:
        return sum(line.quantity for line in self.items)

    @property
    def currency(self) -> str:
        return str(settings.SHOP_CURRENCY)

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def has_something_to_buy(self) -> bool:
        return any(line.can_be_bought for line in self.lines)

    @property
    def can_be_bought(self) -> bool:
        return bool(self.lines) and not any(line.problem for line in self.lines)

    @cached_property
    def lines(self) -> list[CartLine]:
        """Every line with its prices and stock: one query, however many lines."""
        if not self.items:
            return []
        items = {item.id: item for item in self._items}
        demand = self.demand
        return [self._line(line, items, demand) for line in self.items]

    @property
    def demand(self) -> Counter[int]:
        """Units per stock item: colors of one size share its count."""
        units: Counter[int] = Counter()
        for line in self.items:
            units[line.item_id] += line.quantity
        return units

    @property
    def fingerprint(self) -> str:
        """Tells whether two carts ask for the same: sizes, colors, quantities and prices."""
        asked = sorted(
            [line.cart_item.item_id, line.color, line.quantity, line.price.id if line.price else ""]
            for line in self.lines
        )
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    @property
    def is_bought(self) -> bool:
        """Has it been paid for, although the customer has not come back to the page that says so?"""
        return bool(self) and any(getattr(item, "bought", False) for item in self._items)

    @cached_property
    def pending_payment(self) -> PendingPayment | None:
        """The payment page that is open for this cart, if there is one."""
        item = next(iter(self._items), None)
        fingerprint = getattr(item, "open_fingerprint", None)
        if fingerprint is None:
            return None
        return PendingPayment(
            url=getattr(item, "open_url", ""),
            since=getattr(item, "open_since", timezone.now()),
            expires_at=getattr(item, "open_until", None),
            matches_cart=fingerprint == self.fingerprint,
        )

    @cached_property
    def _items(self) -> list[StockItem]:
        """The lines' items and the other sizes of their products, with what this cart's own payment page holds."""
        ids = {line.item_id for line in self.items}
        products = StockItem.objects.filter(id__in=ids).values("product")
        page = (
            Order.objects.filter(cart_token=self.token, state=Order.State.OPEN)
            .exclude(cart_token="")
            .order_by()
        )
        items = StockItem.objects.filter(product__in=products).select_related("product")
        return list(
            items.annotate(
                kept=Subquery(_own_reserved(self.token)),
                open_url=Subquery(page.values("session_url")[:1]),
                open_since=Subquery(page.values("created_at")[:1]),
                open_until=Subquery(page.values("expires_at")[:1]),
                open_fingerprint=Subquery(page.values("fingerprint")[:1]),
                bought=Exists(
                    Order.objects.filter(cart_token=self.token, state__in=CUSTOMER_DONE_STATES).exclude(
                        cart_token=""
                    )
                ),
            )
        )

    def invalidate(self) -> None:
        """Forget what was read of prices and stock: somebody else was at it meanwhile."""
        for name in ("lines", "open_page", "_items"):
            self.__dict__.pop(name, None)

    def add(self, *, item: str, color: str, quantity: str) -> CartLine:
        """Put more of one size and color in; the arguments are the form's texts. Raises CartError."""
        units = parse_quantity(quantity)
        found = get_sellable_item(item)
        check_color(found.product, color)
        already = next((line.quantity for line in self.items if line.key == (found.id, color)), 0)
        self._check_room(found, more=units, line_units=already + units, is_new=not already)
        self._put(CartItem(found.id, color, already + units))
        return self._line_of(found.id, color)

    def change(self, *, item: str, color: str, quantity: str, to_item: str = "") -> CartLine:
        """Ask for another quantity, or another size, of a line that is there. Raises CartError."""
        # The same change sent twice finds the line in its new size already.
        old = self._find(item, color) or self._find(to_item, color)
        if old is None:
            raise CartError(_("This is no longer in your cart."))
        units = parse_quantity(quantity)
        found = get_sellable_item(to_item or item)
        if found.product_id != self._product_of(old):
            raise CartError(_("A line can change its size, but not become another article."))
        check_color(found.product, color)
        same_size = found.id == old.item_id
        beside = 0 if same_size else self._units_of((found.id, color))
        more = units - old.quantity if same_size else units
        self._check_room(found, more=more, line_units=beside + units, is_new=False)
        self._put(CartItem(found.id, color, beside + units), instead_of=old)
        return self._line_of(found.id, color)

    def remove(self, *, item: str, color: str) -> None:
        """Take a line out; one that is not there is out already."""
        key = (int(item) if WHOLE_NUMBER.fullmatch(item) else 0, color)
        self._keep([line for line in self.items if line.key != key])

    def remove_purchased(self, bought: Mapping[tuple[int, str], int]) -> None:
        """After the payment: take out what was bought, keep what was added since, and begin a new cart."""
        left = [
            CartItem(line.item_id, line.color, line.quantity - bought.get(line.key, 0)) for line in self.items
        ]
        self.token = ""
        self._keep([line for line in left if line.quantity > 0])

    def _find(self, item: str, color: str) -> CartItem | None:
        return next((line for line in self.items if (str(line.item_id), line.color) == (item, color)), None)

    def _units_of(self, key: tuple[int, str]) -> int:
        return next((line.quantity for line in self.items if line.key == key), 0)

    def _product_of(self, line: CartItem) -> str:
        return StockItem.objects.values_list("product_id", flat=True).filter(id=line.item_id).first() or ""

    def _check_room(self, item: StockItem, *, more: int, line_units: int, is_new: bool) -> None:
        if is_new and len(self.items) >= MAX_LINES:
            raise CartError(_("A cart has room for %(count)d different articles.") % {"count": MAX_LINES})
        if line_units > MAX_QUANTITY:
            raise CartError(too_many_text())
        limit = max_units(item, _held_by(self.token, item.id))
        if more > 0 and limit is not None and self.demand[item.id] + more > limit:
            in_cart = self.demand[item.id]
            others = siblings_of(item)
            raise CartError(shortage_text(item, limit, others, in_cart=in_cart, counted=self._counted))

    @property
    def _counted(self) -> bool:
        return bool(self._house.settings.show_counts)

    def _put(self, line: CartItem, instead_of: CartItem | None = None) -> None:
        """In the place of the line it replaces, else of its equal, else at the end."""
        place = instead_of or next((old for old in self.items if old.key == line.key), None)
        kept = [line if old is place else old for old in self.items if old is place or old.key != line.key]
        self._keep(kept if place else [*kept, line])

    def _keep(self, lines: list[CartItem]) -> None:
        self.items = lines
        self.invalidate()
        if lines and not self.token:
            self.token = secrets.token_urlsafe(18)
        if lines or SESSION_KEY in self._session:
            self._session[SESSION_KEY] = {
                "token": self.token,
                "lines": [[line.item_id, line.color, line.quantity] for line in lines],
            }

    def _line_of(self, item_id: int, color: str) -> CartLine:
        return next(line for line in self.lines if line.cart_item.key == (item_id, color))

    def _line(self, wanted: CartItem, items: Mapping[int, StockItem], demand: Counter[int]) -> CartLine:
        item = items.get(wanted.item_id)
        if item is None or not is_offered(item):
            problem = _("This is no longer for sale. Please take it out.")
            return CartLine(wanted, item, None, 0, problem, (), self._house)
        siblings = [other for other in items.values() if other.product_id == item.product_id]
        limit = max_units(item, getattr(item, "kept", None) or 0)
        is_short = limit is not None and demand[item.id] > limit
        short = shortage_text(item, limit or 0, siblings, counted=self._counted) if is_short else ""
        return CartLine(
            cart_item=wanted,
            item=item,
            price=item.product.price_for(item.size),
            limit=limit,
            problem=_problem(item, wanted.color) or short,
            sizes=tuple(other for other in siblings if other.id == item.id or is_for_sale(other)),
            storefront=self._house,
        )


def key_of(item: str, color: str) -> str:
    return f"{item} {color}"


def _problem(item: StockItem, color: str) -> str:
    if item.product.price_for(item.size) is None:
        return _("This has no price at the moment. Please take it out.")
    if not has_color(item.product, color):
        return _("This color is no longer offered. Please take it out.")
    return ""


def _own_reserved(token: str) -> QuerySet[Any, Any]:
    """Units of the outer item in the open order of the cart called `token`: they are no shortage for it."""
    lines = OrderLine.objects.filter(order__cart_token=token, order__state=Order.State.OPEN).exclude(
        order__cart_token=""
    )
    mine = lines.filter(item=OuterRef("pk")).order_by()
    return mine.values("item").annotate(units=Sum("quantity")).values_list("units")


def _held_by(token: str, item_id: int) -> int:
    item = StockItem.objects.annotate(kept=Subquery(_own_reserved(token))).filter(id=item_id)
    return item.values_list("kept", flat=True).first() or 0


def lazy_cart(request: HttpRequest) -> Cart:
    """The request's one cart: view, template and context processor share it and its queries."""
    if not hasattr(request, "_cart"):
        request._cart = SimpleLazyObject(lambda: Cart(request))  # type: ignore[attr-defined]
    return request._cart  # type: ignore[attr-defined,no-any-return]
