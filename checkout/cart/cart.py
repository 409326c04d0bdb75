"""The visitor's cart, stored in the session.

The session holds {"token": text, "lines": [[stock item id, color, quantity], ...]}. The token identifies the cart in
orders: it is created with the first line and dropped when the cart has been paid for.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from checkout.cart.lines import CartItem, CartLine, line_key
from checkout.cart.rules import CartError, max_units, shortage_text
from checkout.models import CUSTOMER_DONE_STATES, Order, OrderLine
from inventory.models import StockItem
from shop.context_processors import get_currency, get_storefront

SESSION_KEY = "cart"
STRIPE_TIMEOUT = timedelta(seconds=20)  # A request to Stripe takes 13 seconds at most.
MAX_LINES = 100  # Stripe's limit for a Checkout Session.


@dataclass(frozen=True)
class PendingPayment:
    """The payment page of a cart's open order. `url` is empty until Stripe has created the page."""

    url: str
    created_at: datetime
    expires_at: datetime | None
    fingerprint: str

    @property
    def minutes_left(self) -> int:
        left = (self.expires_at - timezone.now()).total_seconds() if self.expires_at else 0
        return max(0, int(left // 60))

    @property
    def is_late(self) -> bool:
        # The request for the page must have timed out.
        return not self.url and timezone.now() - self.created_at > STRIPE_TIMEOUT


class Cart:
    """The cart of one request. Reading it never writes to the session, and an empty cart makes no queries."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._session = request.session
        self._storefront = get_storefront(request)
        stored = self._session.get(SESSION_KEY) or {}
        self.token: str = stored.get("token", "")
        self.items = [
            CartItem(int(item_id), str(color), int(quantity))
            for item_id, color, quantity in stored.get("lines", [])
        ]

    def __bool__(self) -> bool:
        return bool(self.items)

    @property
    def units(self) -> int:
        return sum(item.quantity for item in self.items)

    @property
    def demand(self) -> Counter[int]:
        # Per stock item: colors of one size share its count.
        units: Counter[int] = Counter()
        for item in self.items:
            units[item.item_id] += item.quantity
        return units

    def find(self, key: str) -> CartItem | None:
        return next((item for item in self.items if item.key == key), None)

    # Lines with prices and stock

    @cached_property
    def lines(self) -> list[CartLine]:
        # One query for the stock and one for this cart's orders, however many lines there are.
        if not self.items:
            return []
        products = StockItem.objects.filter(id__in=self.demand).values("product")
        # All sizes of the products, because a line can change its size.
        sizes = StockItem.objects.filter(product__in=products).select_related("product")
        stock_items = {item.id: item for item in sizes}
        demand, own_reserved = self.demand, self.own_reserved
        return [
            CartLine.build(
                item,
                stock_items,
                demand=demand[item.item_id],
                own_reserved=own_reserved[item.item_id],
                currency=self.currency,
                storefront=self._storefront,
            )
            for item in self.items
        ]

    @property
    def currency(self) -> str:
        return get_currency(self._request)

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def has_something_to_buy(self) -> bool:
        return any(line.can_be_bought for line in self.lines)

    @property
    def has_problems(self) -> bool:
        return any(line.problem for line in self.lines)

    @property
    def can_be_bought(self) -> bool:
        return bool(self.lines) and not self.has_problems

    @property
    def fingerprint(self) -> str:
        """Digest of sizes, colors, quantities and prices: equal for carts that ask for the same."""
        contents = []
        for line in self.lines:
            terms = line.price.id if line.price else ""
            # The amount of a price never changes at Stripe, but its amounts in other currencies may.
            if line.price and line.price.currency != settings.SHOP_CURRENCY:
                terms += f" {line.price.unit_amount} {line.price.currency}"
            contents.append([line.cart_item.item_id, line.color, line.quantity, terms])
        return hashlib.sha256(json.dumps(sorted(contents)).encode()).hexdigest()

    # Orders made from this cart

    @cached_property
    def _order_lines(self) -> list[OrderLine]:
        # Of orders that are open, awaiting payment or paid, newest first.
        if not self.token:
            return []
        states = [Order.State.OPEN, *CUSTOMER_DONE_STATES]
        lines = OrderLine.objects.filter(order__cart_token=self.token, order__state__in=states)
        # SQLite uses the index of filled fields only if the query says that the field is filled.
        lines = lines.exclude(order__cart_token="")
        columns = ("state", "cart_token", "session_url", "created_at", "expires_at", "fingerprint")
        return list(
            lines.select_related("order")
            .only("item", "color", "quantity", *(f"order__{column}" for column in columns))
            .order_by("-order__created_at", "position")
        )

    @property
    def own_reserved(self) -> Counter[int]:
        units: Counter[int] = Counter()
        for line in self._order_lines:
            if line.order.state == Order.State.OPEN and line.item_id is not None:
                units[line.item_id] += line.quantity
        return units

    @property
    def pending_payment(self) -> PendingPayment | None:
        lines = self._order_lines if self.items else []
        order = next((line.order for line in lines if line.order.state == Order.State.OPEN), None)
        if order is None:
            return None
        return PendingPayment(order.session_url, order.created_at, order.expires_at, order.fingerprint)

    @property
    def matches_pending_payment(self) -> bool:
        # False if the cart or a price has changed since the payment page was created.
        payment = self.pending_payment
        return payment is not None and payment.fingerprint == self.fingerprint

    @property
    def paid_order(self) -> Order | None:
        """The order that the customer has paid for, if they have not seen its thank-you page yet."""
        lines = self._order_lines if self.items else []
        return next((line.order for line in lines if line.order.state in CUSTOMER_DONE_STATES), None)

    @property
    def added_at_payment(self) -> str:
        """What the payment page adds to the total, as a sentence."""
        if not settings.STRIPE_AUTOMATIC_TAX:
            return _("Shipping, if any, is added at payment.")
        if all(line.price.tax_included for line in self.lines if line.price):
            return _("Prices include tax. Shipping, if any, is added at payment.")
        return _("Shipping, and taxes that the prices do not include, are added at payment.")

    # Changes

    def add(self, item: StockItem, *, color: str, quantity: int) -> CartLine:
        """Add units of one size in one color. Raises CartError if they are too many."""
        present = self.find(line_key(item.id, color))
        if present is None and len(self.items) >= MAX_LINES:
            raise CartError(_("A cart can hold at most %(count)d different items.") % {"count": MAX_LINES})
        line_units = (present.quantity if present else 0) + quantity
        self._check_units(item, more=quantity, line_units=line_units)
        return self._put(CartItem(item.id, color, line_units), in_place_of=present)

    def change(self, line: CartItem, *, item: StockItem, quantity: int) -> CartLine:
        """Set the quantity of a line, and its size to `item`. Raises CartError if the units are too many.

        A line that gets the size of another line is merged with it.
        """
        merged = self.find(line_key(item.id, line.color)) if item.id != line.item_id else None
        line_units = quantity + (merged.quantity if merged else 0)
        more = quantity - (line.quantity if item.id == line.item_id else 0)
        self._check_units(item, more=more, line_units=line_units)
        return self._put(CartItem(item.id, line.color, line_units), in_place_of=line)

    def remove(self, key: str) -> None:
        self._save([item for item in self.items if item.key != key])

    def remove_purchased(self, order: Order) -> None:
        # What was added since stays, under another token.
        bought = {line_key(line.item_id, line.color): line.quantity for line in order.lines.all()}
        left = [
            CartItem(item.item_id, item.color, item.quantity - bought.get(item.key, 0)) for item in self.items
        ]
        self.token = ""
        self.invalidate()
        self._save([item for item in left if item.quantity > 0])

    def invalidate(self) -> None:
        """Drop the prices, stock and orders that were read, because they have changed since."""
        for name in ("lines", "_order_lines"):
            self.__dict__.pop(name, None)

    def _check_units(self, item: StockItem, *, more: int, line_units: int) -> None:
        # All colors of a size together.
        if more > 0 and max(line_units, self.demand[item.id] + more) > settings.MAX_UNITS_PER_SIZE:
            text = _("You can order at most %(count)d of one item.")
            raise CartError(text % {"count": settings.MAX_UNITS_PER_SIZE})
        if more > 0 and self.units + more > settings.MAX_UNITS_PER_CART:
            text = _("One order can have at most %(count)d items.")
            raise CartError(text % {"count": settings.MAX_UNITS_PER_CART})
        limit, in_cart = max_units(item, self.own_reserved[item.id]), self.demand[item.id]
        # Fewer units than before are always allowed, even if not all of them are left.
        if more > 0 and limit is not None and in_cart + more > limit:
            siblings = StockItem.objects.filter(product=item.product_id).select_related("product")
            show_counts = self._storefront.settings.show_counts
            raise CartError(shortage_text(item, limit, siblings, show_counts=show_counts, in_cart=in_cart))

    def _put(self, new: CartItem, *, in_place_of: CartItem | None) -> CartLine:
        # The line keeps its position in the cart; another line of the same size and color was merged into it.
        others = [item for item in self.items if item is in_place_of or item.key != new.key]
        if in_place_of is None:
            self._save([*others, new])
        else:
            self._save([new if item is in_place_of else item for item in others])
        return next(line for line in self.lines if line.cart_item == new)

    def _save(self, items: list[CartItem]) -> None:
        self.items = items
        self.__dict__.pop("lines", None)
        if items and not self.token:
            self.token = secrets.token_urlsafe(18)
        if items or SESSION_KEY in self._session:
            self._session[SESSION_KEY] = {
                "token": self.token,
                "lines": [[item.item_id, item.color, item.quantity] for item in items],
            }


def lazy_cart(request: HttpRequest) -> Cart:
    # Stored on the request, so that views, templates and context processors share its queries.
    if not hasattr(request, "_cart"):
        request._cart = SimpleLazyObject(lambda: Cart(request))  # type: ignore[attr-defined]
    return request._cart  # type: ignore[attr-defined,no-any-return]
