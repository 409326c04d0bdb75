"""Give the demo six weeks of orders: `python -m demo.past FOLDER`.

The story of demo.story is played through the shop's own code against a fake Stripe in this process, on a clock that is
moved from six weeks ago to now. What comes out are the two databases of a demo's folder.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from demo import account, story
from demo.prepare import OWNER
from demo.stripe_api import Json, StripeApi, StripeSaid, flattened
from script.processes import python

if TYPE_CHECKING:
    from checkout.models import Order
    from fake_stripe import FakeStripe
    from inventory.models import StockItem

ROOT = Path(__file__).resolve().parent.parent
DATABASES = ("shop.sqlite3", "stripe.sqlite3")
SOURCES = ("demo", "fake_stripe", "config", "shop", "inventory", "checkout")
DAY = 24 * 3600

OPEN_FOR = 600  # seconds: a customer who is on the payment page now
SETTLED_EVERY = 4  # days
UNSENT_DAYS = 1.6  # younger orders are still on the table


class NoPast(Exception):
    """The past could not be made; the message has the end of the program's output."""


# --- Making it once ---------------------------------------------------------------------------


def provide(folder: Path, environment: Mapping[str, str], *, cache: Path) -> None:
    """Put the two databases into `folder`: those of an earlier call today, or new ones. Raises NoPast."""
    if any((folder / name).exists() for name in DATABASES):
        return
    kept = cache / f"{datetime.now(UTC):%Y-%m-%d}-{digest()}"
    if not kept.exists():
        _make(kept, environment)
    for name in DATABASES:
        shutil.copy(kept / name, folder / name)


def digest() -> str:
    """Of all sources that take part: a past made by other code is not used again."""
    seen = hashlib.sha256()
    for package in SOURCES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "tests" not in path.parts:
                seen.update(path.read_bytes())
    return seen.hexdigest()[:16]


def _make(kept: Path, environment: Mapping[str, str]) -> None:
    # Only the newest one is kept. It is moved into place as a whole, so an interrupted run leaves nothing behind.
    shutil.rmtree(kept.parent, ignore_errors=True)
    kept.parent.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as name:
        database = f"sqlite:///{(Path(name) / DATABASES[0]).as_posix()}"
        made = subprocess.run(
            python("-m", "demo.past", name),
            cwd=ROOT,
            env={**environment, "DATABASE_URL": database, "EMAIL_URL": "dummymail://", "LOG_LEVEL": "ERROR"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if made.returncode:
            raise NoPast(f"The demo's past could not be made.\n{made.stdout[-2000:]}")
        (Path(name) / "done").mkdir()
        for database_name in DATABASES:
            shutil.move(Path(name) / database_name, Path(name) / "done")
        shutil.move(Path(name) / "done", kept)


# --- Playing it -------------------------------------------------------------------------------


class Past:
    """The shop and its Stripe at a time that `go_to` sets, in seconds since 1970. `end`: the real time."""

    def __init__(self, end: float) -> None:
        self.fake: FakeStripe
        self.end = end
        self.midnight = end - end % DAY
        self.seconds = self.midnight - story.DAYS * DAY

    def go_to(self, day: float) -> None:
        """`day`: days since the beginning. The last day is as long as today has been so far."""
        if day > story.DAYS:
            at = self.midnight + (day - story.DAYS) * (self.end - self.midnight)
        else:
            at = self.midnight - (story.DAYS - day) * DAY
        self.wait(at - self.seconds)

    def wait(self, seconds: float) -> None:
        self.seconds = min(self.end, self.seconds + max(0, seconds))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, tz=UTC)

    def settle(self, *, hourly: bool = False) -> None:
        """Deliver Stripe's events and run the worker until both have nothing left to do."""
        from inventory.worker import drain

        drain(self.now(), hourly=hourly)
        while self.fake.deliver_due():
            drain(self.now())

    def item(self, size: story.Size) -> StockItem:
        from inventory.models import StockItem

        return StockItem.objects.select_related("product").get(product=size[0], size=size[1])


class FakeApi(StripeApi):
    """demo.stripe_api for a fake in this process."""

    def __init__(self, fake: FakeStripe) -> None:
        super().__init__(fake.base_url, fake.secret_key)
        self.fake = fake

    def post(self, path: str, params: Mapping[str, Any]) -> Json:
        status, answer = self.fake.call("POST", path, urlencode(list(flattened(params))))
        if status != 200:
            raise StripeSaid(f"POST {path}: {status} {answer}")
        return answer


@contextmanager
def a_clock_of_its_own(past: Past) -> Iterator[None]:
    """Django's and Stripe's clock show the time of `past`. Leases use the database's, which stays as it is."""
    from django.utils import timezone

    real = time.time, timezone.now
    time.time, timezone.now = (lambda: past.seconds), past.now
    try:
        yield
    finally:
        time.time, timezone.now = real


def main() -> None:
    folder = Path(sys.argv[1])
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from config import stripe_client
    from fake_stripe import FakeStripe
    from fake_stripe.__main__ import COMMAND_ENDPOINT

    # A machine that loses power here loses a demo.
    connection.cursor().execute("PRAGMA synchronous=OFF")
    call_command("migrate", "--no-input", verbosity=0)
    past = Past(time.time())
    with a_clock_of_its_own(past):
        fake = past.fake = FakeStripe(
            secret_key=settings.STRIPE_SECRET_KEY,
            state_path=str(folder / DATABASES[1]),
            base_url=settings.STRIPE_API_BASE,
        )
        stripe_client.http_client = fake.http_client
        webhook = f"{settings.SITE_URL}/stripe/webhook/"
        secret = settings.STRIPE_WEBHOOK_SECRETS[0]
        fake.add_webhook_endpoint(webhook, secret=secret, description=COMMAND_ENDPOINT)
        browser = Client(SERVER_NAME="127.0.0.1")

        def post(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
            sent = {name: value for name, value in headers.items() if name.lower() != "content-type"}
            answer = browser.post("/stripe/webhook/", body, content_type="application/json", headers=sent)
            return answer.status_code, answer.content

        fake.deliver_to(post)
        play(past, story.tell(), image_origin=settings.ALLOWED_IMAGE_ORIGINS[0])
        fake.close()
    connection.close()


def play(past: Past, told: story.Story, *, image_origin: str) -> None:
    from django.core.management import call_command

    for sample in told.samples:
        account.enter(FakeApi(past.fake), sample, image_origin)
    call_command("sync_catalog", stdout=io.StringIO(), stderr=io.StringIO())
    past.go_to(0.01)
    past.settle(hourly=True)
    for day in range(story.DAYS + 1):
        for at, act in sorted(_acts_of(past, told, day), key=lambda each: each[0]):
            past.go_to(at)
            act()
        # Stripe is told every few days, and daily in the last week: each time costs as much as a dozen orders.
        if day % SETTLED_EVERY == 0 or day >= story.DAYS - 7:
            past.settle(hourly=day % (3 * SETTLED_EVERY) == 0)
    past.wait(past.end - OPEN_FOR - past.seconds)
    _start_order(past, [(("prod_paper_crane", "M"), "Sky", 1)])
    past.go_to(story.DAYS + 1)
    past.settle()


def _acts_of(past: Past, told: story.Story, day: int) -> Iterator[tuple[float, Any]]:
    """What happens on a day: the time, and a function that does it."""
    for purchase in told.purchases:
        if day <= purchase.at < day + 1:
            yield purchase.at, lambda purchase=purchase: _buy(past, purchase)
    for correction in story.CORRECTIONS:
        if day <= correction.at < day + 1:
            yield correction.at, lambda correction=correction: _correct(past, correction)
    if day == story.DELIVERY_DAY:
        yield day + 0.1, lambda: _receive(past, told.delivery)
    if day == story.DAYS - 5:
        yield day + 0.5, lambda: _sell_by_payment_link(past)
    if day == story.DAYS - 1:
        yield day + 0.4, lambda: _oversell(past)
    if day == story.DAYS - 3:
        yield day + 0.6, lambda: _refund_one(past)
    if day == story.DAYS - 6:
        yield day + 0.8, lambda: _wait_for_a_size(past)
    if day == story.DAYS - 2:
        yield day + 0.3, lambda: _accept_a_return(past)
    if datetime.fromtimestamp(past.midnight + (day - story.DAYS) * DAY, tz=UTC).weekday() < 5:
        yield day + 0.66, lambda: _pack_and_send(past)


def _start_order(past: Past, lines: list[tuple[story.Size, str, int]]) -> Order:
    from django.contrib.sessions.backends.signed_cookies import SessionStore
    from django.test import RequestFactory

    from checkout.cart.cart import Cart
    from checkout.orders.checkout import start_checkout

    request = RequestFactory().post("/checkout/")
    request.session = SessionStore()
    cart = Cart(request)
    for size, color, quantity in lines:
        cart.add(past.item(size), color=color, quantity=quantity)
    return start_checkout(cart, now=past.now())


def _buy(past: Past, purchase: story.Purchase) -> None:
    from inventory.events import inbox

    order = _start_order(past, purchase.lines)
    past.wait(90)
    buyer = purchase.buyer
    past.fake.pay(order.session_id or "", email=buyer.email, name=buyer.name, address=buyer.address)
    past.fake.deliver_due()
    inbox.process_local(past.now())


def _receive(past: Past, delivery: Mapping[story.Size, int]) -> None:
    from inventory.stock.changes import Verb, apply_changes, plan

    reference = "delivery-7"
    changes = plan(
        Verb.RECEIVE, [(past.item(size), units) for size, units in delivery.items()], reference=reference
    )
    apply_changes(changes, reference=reference, reason="Delivery 7 from the printer", actor=OWNER)


def _correct(past: Past, correction: story.Correction) -> None:
    from inventory.stock import ledger

    past.settle()
    item = past.item(correction.size)
    units = (item.on_hand or 0) + item.pending
    reference = f"story:{correction.at}"
    if correction.how == "edit":
        past.fake.dashboard.edit_product(item.product_id, metadata={item.key: str(units + correction.delta)})
        past.settle()
    elif correction.how == "count":
        ledger.set_count(
            item.pk, units + correction.delta, reference=reference, reason=correction.reason, actor=OWNER
        )
    else:
        ledger.adjust(item.pk, correction.delta, reference=reference, reason=correction.reason, actor=OWNER)


def _sell_by_payment_link(past: Past) -> None:
    """A sale that names no size: the owner has to say which one it was."""
    product = past.fake.products["prod_night_swim"]
    session = past.fake.open_session(
        line_items=[{"price": product["default_price"], "quantity": 1}],
        shipping_address_collection={"allowed_countries": ["US", "GB", "DE"]},
    )
    past.fake.pay(session["id"], name="Ida Brandvold", email="ida@example.com")
    past.settle()


def _oversell(past: Past) -> None:
    """A payment link sells a size that has been sold out for weeks: the owner has to decide."""
    product = past.fake.products["prod_foghorn_hoodie"]
    session = past.fake.open_session(
        line_items=[{"price": product["default_price"], "quantity": 1, "metadata": {"size": "M"}}],
        shipping_address_collection={"allowed_countries": ["US", "GB", "DE"]},
    )
    past.fake.pay(session["id"], name="Juno Okafor", email="juno@example.com")
    past.settle()


def _refund_one(past: Past) -> None:
    from checkout.models import Order

    order = Order.objects.filter(sent_at__isnull=False).order_by("-paid_at")[0]
    past.fake.refund(payment_intent=order.payment_intent_id, reason="requested_by_customer")
    past.settle()


def _accept_a_return(past: Past) -> None:
    """Of the newest order that was sent and kept: its goods are on their way back."""
    from checkout.models import CustomerRequest, Order
    from checkout.orders import customer_requests

    order = Order.objects.sent().filter(state=Order.State.PAID, is_external=False).order_by("-paid_at")[0]
    line = order.lines.order_by("position")[0]
    request = customer_requests.ask(
        order.pk,
        CustomerRequest.Kind.RETURN,
        units=[customer_requests.ReturnedUnits(line.pk, 1, "too_small")],
        message="I should have ordered one size larger.",
        now=past.now(),
    )
    past.wait(2 * 3600)
    answer = "Please send it to Our Shop, 1 Main Street, with the order number."
    customer_requests.accept(request.pk, answer=answer, actor=OWNER, now=past.now())


def _wait_for_a_size(past: Past) -> None:
    """A customer asks to be mailed when a size that is sold out is back, and confirms the address."""
    from checkout.models import RestockSubscriber
    from checkout.restock import signups

    signups.ask("kaya@example.com", past.item(("prod_foghorn_hoodie", "M")), network="", now=past.now())
    past.wait(300)
    signups.confirm(RestockSubscriber.objects.get().pk, now=past.now())


def _pack_and_send(past: Past) -> None:
    """On working days everything is sent; of the newest orders two are packed."""
    from checkout.models import Order
    from checkout.orders.shipping import mark_packed, mark_sent

    now, is_recent = past.now(), past.seconds > past.end - UNSENT_DAYS * DAY
    orders = list(Order.objects.to_pack().order_by("paid_at"))
    if is_recent:
        mark_packed([order.pk for order in orders[:2]], actor=OWNER, now=now)
        return
    for number, order in enumerate(orders):
        code = f"1Z{order.number}{number:02d}"
        mark_packed([order.pk], actor=OWNER, now=now)
        mark_sent(order.pk, carrier="ups", tracking_number=code, actor=OWNER, now=now)


if __name__ == "__main__":
    main()
