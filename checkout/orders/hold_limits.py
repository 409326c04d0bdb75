"""Limits on what unpaid checkouts may hold, shared by all web servers through the database.

A hold costs its visitor nothing, so a few visitors could take a drop off the shelf. Each order has a limit of units
(checkout.cart). Here are the others: how long one cart may hold without a pause, how many payment pages one address may
open, and how much an order may hold of a size that others are holding (inventory.stock.ledger.Rush).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from checkout.models import Order, OrderLine
from inventory import issues
from inventory.models import Issue, StockItem
from inventory.stock.ledger import Rush

WINDOW = timedelta(hours=4)  # in which a cart's earlier checkouts are looked at
PAUSE = timedelta(minutes=10)  # between two holds of a cart that has held for HOLD_MINUTES_IN_A_ROW
HOUR = timedelta(hours=1)
MAX_ROWS = 500
MANY_PAGES = 300  # payment pages in an hour, of which hardly any was paid
KEEP_ADDRESSES = timedelta(days=1)
MOSTLY_HELD_PERCENT, MIN_UNITS = 80, 10
# Payments that take days (https://docs.stripe.com/payments/payment-methods/payment-method-support).
DELAYED_METHODS = [
    "acss_debit",
    "au_becs_debit",
    "bacs_debit",
    "boleto",
    "customer_balance",
    "konbini",
    "multibanco",
    "nz_bank_account",
    "oxxo",
    "sepa_debit",
    "us_bank_account",
]
HELD = gettext_noop(
    "%(held)d of %(units)d units of %(item)s are held by unpaid checkouts. If these are not customers, end them under "
    "Orders (state: open)."
)
PAGES = gettext_noop(
    "%(opened)d payment pages were opened within an hour, and %(paid)d were paid. Someone may be trying stolen cards: see "
    "the payments in Stripe’s Dashboard, and set TRUSTED_PROXIES so that each address is limited."
)


class HoldLimitReached(Exception):
    """A checkout that would hold too much or too long, with a text for the customer. Nothing is held."""

    def __init__(self, text: str, *, retry_after: timedelta) -> None:
        super().__init__(text)
        self.retry_after = retry_after


def rush() -> Rush | None:
    return Rush(settings.HOLD_RUSH_PERCENT) if settings.HOLD_RUSH_PERCENT else None


def check(cart_token: str, network: str, now: datetime) -> None:
    """Raise HoldLimitReached if this cart or this address (config.client_address) has to wait. One query."""
    earlier = Q(cart_token=cart_token) | Q(client_network=network) if network else Q(cart_token=cart_token)
    columns = ("cart_token", "client_network", "state", "created_at", "expires_at")
    orders = Order.objects.filter(earlier, created_at__gte=now - WINDOW, is_external=False).only(*columns)
    rows = list(orders.order_by("-created_at")[:MAX_ROWS])
    unpaid = [order for order in rows if order.state in {Order.State.OPEN, Order.State.CANCELED}]
    _check_time([order for order in unpaid if order.cart_token == cart_token], now)
    if network:
        _check_address([order for order in unpaid if order.client_network == network], now)


def _check_time(orders: Iterable[Order], now: datetime) -> None:
    # `orders`: the unpaid ones of one cart, newest first.
    began, ends = now, None
    for order in orders:
        held_until = order.expires_at or order.created_at
        if held_until + PAUSE < began:
            break  # The units were free in between.
        began, ends = order.created_at, ends or held_until
    if ends is not None and now - began >= timedelta(minutes=settings.HOLD_MINUTES_IN_A_ROW):
        wait = max(ends, now) + PAUSE - now
        text = _(
            "Your items have been reserved for more than %(minutes)d minutes. Others may have them now; you can try again "
            "in %(wait)d minutes. Your cart is saved."
        )
        facts = {"minutes": settings.HOLD_MINUTES_IN_A_ROW, "wait": wait.total_seconds() // 60 + 1}
        raise HoldLimitReached(text % facts, retry_after=wait)


def _check_address(orders: list[Order], now: datetime) -> None:
    still_open = [o for o in orders if o.state == Order.State.OPEN and (o.expires_at or now) > now]
    last_hour = [order for order in orders if order.created_at > now - HOUR]
    if len(still_open) >= settings.OPEN_CHECKOUTS_PER_ADDRESS:
        wait = min(order.expires_at or now for order in still_open) - now
    elif len(last_hour) >= settings.CHECKOUTS_PER_ADDRESS_AND_HOUR:
        wait = last_hour[-1].created_at + HOUR - now
    else:
        return
    text = _(
        "Many payment pages were opened from your network. Please finish or cancel one of them, or try again in %(wait)d "
        "minutes. Your cart is saved."
    )
    raise HoldLimitReached(text % {"wait": wait.total_seconds() // 60 + 1}, retry_after=wait)


def excluded_methods(demand: dict[int, int], items: Iterable[StockItem]) -> list[str]:
    """DELAYED_METHODS if payments that take days would hold too much of a size, else []. One query."""
    if not settings.HOLD_RUSH_PERCENT:
        return []
    awaiting = OrderLine.objects.filter(order__state=Order.State.AWAITING_PAYMENT, item__in=demand)
    held = dict(awaiting.order_by().values_list("item").annotate(units=Sum("quantity")))
    for item in items:
        units = (item.on_hand or 0) + item.pending
        is_counted = item.state == StockItem.State.COUNTED
        if is_counted and held.get(item.pk, 0) * 100 > units * settings.HOLD_RUSH_PERCENT:
            return DELAYED_METHODS
    return []


def watch(now: datetime) -> int:
    """Worker task: open issues for sizes that are mostly held and for many unpaid pages; forget addresses."""
    mostly = StockItem.objects.filter(
        state=StockItem.State.COUNTED, held__gte=MIN_UNITS * MOSTLY_HELD_PERCENT / 100
    ).filter(held__gt=(F("on_hand") + F("pending")) * MOSTLY_HELD_PERCENT / 100)
    items = {f"{item.product_id} {item.key}": item for item in mostly.select_related("product")[:20]}
    for subject, item in items.items():
        facts = {"held": item.held, "units": (item.on_hand or 0) + item.pending, "item": item}
        if not issues.is_open(Issue.Kind.HOLDS, subject):
            issues.open_issue(Issue.Kind.HOLDS, subject, HELD, **facts)
    pages = Order.objects.filter(created_at__gt=now - HOUR, is_external=False)
    opened = pages.count()
    paid = pages.filter(paid_at__isnull=False).count() if opened >= MANY_PAGES else opened
    if paid * 10 < opened and not issues.is_open(Issue.Kind.HOLDS, "pages"):
        issues.open_issue(Issue.Kind.HOLDS, "pages", PAGES, opened=opened, paid=paid)
    known = Order.objects.exclude(client_network="").filter(created_at__lt=now - KEEP_ADDRESSES)
    return known.update(client_network="")
