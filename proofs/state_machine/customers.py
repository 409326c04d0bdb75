"""Actions of customers: fill carts, go to the payment page, pay at once or later, leave, return."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone

from checkout import return_page
from checkout.cart.cart import Cart
from checkout.cart.rules import CartError
from checkout.models import Order
from checkout.orders.checkout import start_checkout
from config.stripe_client import StripeCallError
from fake_stripe import Refused
from inventory.models import StockItem
from inventory.stock.ledger import InsufficientStock
from proofs.state_machine.books import Key
from proofs.state_machine.stage import POSTER, Stage


class Customers:
    def __init__(self, stage: Stage) -> None:
        self.stage, self.books, self.fake = stage, stage.books, stage.fake
        self.browsers: list[dict[str, Any]] = []
        self.outcomes: Counter[str] = Counter()

    # --- in the shop

    def buy(self, dice: Random) -> bool:
        """A new customer with one to three sizes goes to the payment page."""
        browser: dict[str, Any] = {}
        self.browsers.append(browser)
        wanted = [
            (dice.choice(self.stage.keys), dice.choice([1, 1, 1, 2, 3]))
            for _ in range(dice.choice([1, 1, 2, 3]))
        ]

        def act() -> None:
            for key, units in wanted:
                self._put_in(browser, key, units)
            self._go_to_payment(browser)

        self.stage.process("checkout", act)
        return True

    def go_again(self, dice: Random) -> bool:
        """Go to payment again with the same cart, possibly with one more item."""
        if not self.browsers:
            return False
        browser = dice.choice(self.browsers)
        more = dice.choice(self.stage.keys) if dice.random() < 0.5 else None

        def act() -> None:
            if more is not None:
                self._put_in(browser, more, 1)
            self._go_to_payment(browser)

        self.stage.process("checkout again", act)
        return True

    def cancel(self, dice: Random) -> bool:
        """Return from the payment page, remove a line, and go to payment with the rest."""
        if not self.browsers:
            return False
        browser, which = dice.choice(self.browsers), dice.randrange(100)

        def act() -> None:
            cart = Cart(_request(browser))
            if cart.lines:
                line = cart.lines[which % len(cart.lines)]
                cart.remove(line.key)
            self._go_to_payment(browser)

        self.stage.process("cancel", act)
        return True

    def _put_in(self, browser: dict[str, Any], key: Key, units: int) -> None:
        try:
            item = StockItem.objects.get(product=key[0], key=key[1])
            Cart(_request(browser)).add(item, color="", quantity=units)
        except CartError:
            self.outcomes["cart refused"] += 1

    def _go_to_payment(self, browser: dict[str, Any]) -> None:
        try:
            order = start_checkout(Cart(_request(browser)), now=timezone.now())
        except (InsufficientStock, CartError, StripeCallError) as refusal:
            self.outcomes[type(refusal).__name__] += 1
            return
        self.outcomes["page" if order.session_url else f"order {order.state}"] += 1

    def come_back(self, dice: Random) -> bool:
        """Load the thank-you page twice, a few seconds apart."""
        sessions = [id for id, row in self.fake.sessions.items() if row["status"] == "complete"]
        if not sessions:
            return False
        session = dice.choice(sessions)

        def look() -> None:
            order = return_page.order_of(session)
            if order is not None:
                return_page.poll_order(order, now=timezone.now())

        self.stage.process("return page", look)
        self.stage.clock.let_pass(6)
        self.stage.process("return page", look)
        return True

    # --- at Stripe

    def _of_status(self, *wanted: str) -> list[str]:
        return [id for id, row in self.fake.sessions.items() if row["status"] in wanted]

    def pay(self, dice: Random) -> bool:
        return self._complete(dice, lambda session: self.fake.pay(session))

    def pay_for_more(self, dice: Random) -> bool:
        """Add posters on the payment page, where the owner has switched on cross-sells. They were not held."""
        added = {self.fake.products[POSTER]["default_price"]: dice.choice([1, 2])}
        if not self._complete(dice, lambda session: self.fake.pay(session, added=added)):
            return False
        self.books.somebody_took.add((POSTER, "stock"))
        return True

    def pay_later(self, dice: Random) -> bool:
        """Pay by bank debit: the session completes unpaid."""
        return self._complete(dice, lambda session: self.fake.pay(session, delayed=True))

    def _complete(self, dice: Random, act: Callable[[str], Any]) -> bool:
        waiting = self._of_status("open")
        if not waiting:
            return False
        try:
            session = act(dice.choice(waiting))
        except Refused:
            return False
        if session["payment_status"] == "paid":
            self._write_down(session["id"])
        return True

    def _write_down(self, session: str) -> None:
        units: Counter[Key] = Counter()
        for line in self.fake.lines(session):
            price = line["price"]
            product = price["product"] if isinstance(price["product"], str) else price["product"]["id"]
            size = (line.get("metadata") or {}).get("size")
            units[product, f"stock_{size}" if size else "stock"] += line["quantity"]
        self.books.paid[session] = units

    def debit_ends(self, dice: Random) -> bool:
        """Let a bank debit succeed or fail, as happens days later."""
        waiting = [session for session in self._of_status("complete") if self._is_processing(session)]
        if not waiting:
            return False
        session = dice.choice(waiting)
        good = dice.random() < 0.6
        self.fake.settle_delayed(session, succeeded=good)
        if good:
            self._write_down(session)
        return True

    def _is_processing(self, session: str) -> bool:
        row = self.fake.sessions[session]
        unpaid: bool = row["payment_status"] == "unpaid"
        return unpaid and str(self.fake.payment_intents[row["payment_intent"]]["status"]) == "processing"

    def walk_away(self, dice: Random) -> bool:
        """Let an open session expire."""
        waiting = self._of_status("open")
        if not waiting:
            return False
        self.fake.expire(dice.choice(waiting))
        return True

    def end_somehow(self, dice: Random) -> bool:
        """End an open session, paid or expired."""
        return self.pay(dice) if dice.random() < 0.5 else self.walk_away(dice)

    def buy_elsewhere(self, dice: Random) -> bool:
        """Buy through a payment page that this shop did not open."""
        key = dice.choice(self.stage.keys)
        size = key[1].removeprefix("stock_") if key[1] != "stock" else ""
        form = {
            "mode": "payment",
            "success_url": "https://elsewhere.test/",
            "line_items[0][price]": self.fake.products[key[0]]["default_price"],
            "line_items[0][quantity]": str(dice.choice([1, 2])),
            **({"line_items[0][metadata][size]": size} if size else {}),
        }
        rules, self.fake.faults.rules = (
            self.fake.faults.rules,
            [],
        )  # Faults apply only to the shop's requests.
        _status, session = self.fake.call("POST", "/v1/checkout/sessions", urlencode(form))
        self.fake.faults.rules = rules
        self.books.elsewhere.add(session["id"])
        self.books.somebody_took.add(key)
        self.fake.pay(session["id"])
        self._write_down(session["id"])
        return True

    def refund(self, dice: Random) -> bool:
        paid = [session for session in self.books.paid if session not in self.books.refunded]
        if not paid:
            return False
        session = dice.choice(paid)
        self.fake.refund(payment_intent=self.fake.sessions[session]["payment_intent"])
        self.books.refunded.add(session)
        return True


def _request(browser: dict[str, Any]) -> HttpRequest:
    request = HttpRequest()
    request.session = browser  # type: ignore[assignment]
    return request


def order_of(session: str) -> Order | None:
    return Order.objects.filter(session_id=session).first()
