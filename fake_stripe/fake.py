"""FakeStripe: one account with its API, pages, webhook deliveries and faults."""

import copy
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fake_stripe import events, forms
from fake_stripe.account import ACCOUNT_ID, API_VERSION, VERSION, Account, Call, Cause
from fake_stripe.api import Api, Exchange, Record, Request
from fake_stripe.app import App
from fake_stripe.backend import Backend
from fake_stripe.clock import Clock
from fake_stripe.courier import Courier, Post, post_over_http, valid_secrets
from fake_stripe.customers import Customers
from fake_stripe.dashboard import Dashboard
from fake_stripe.faults import Faults
from fake_stripe.ids import Ids
from fake_stripe.keys import Keys
from fake_stripe.params import URL
from fake_stripe.resources import (
    catalog_imports,
    prices,
    products,
    session_params,
    sessions,
    taxes,
    webhook_endpoints,
)
from fake_stripe.store import Json, Rows, Store

if TYPE_CHECKING:
    from fake_stripe.transport import InProcess


class FakeStripe:
    """A fake Stripe account.

    secret_key: a key with all permissions; its prefix (sk_test_ or sk_live_) decides the mode.
    seed: the same seed and the same calls produce the same ids and the same faults.
    state_path: a SQLite file for the state; None keeps it in memory.
    base_url: the address of the hosted pages, without a trailing slash.
    now: seconds since 1970 at which the account's clock is frozen; None follows the machine's clock.
    api_version: the account's default version, for calls without a Stripe-Version and in events.
    account_id: the account's id; give a second fake another one.
    """

    # Called for each exchange and event of every FakeStripe, for checks across a whole test run.
    everywhere: list[Callable[[Exchange], None]] = []
    events_everywhere: list[Callable[[Json], None]] = []

    def __init__(
        self,
        secret_key: str = "sk_test_fake",  # noqa: S107
        seed: object = 0,
        state_path: str | None = None,
        base_url: str = "http://127.0.0.1:12111",
        now: float | None = None,
        api_version: str = API_VERSION,
        account_id: str = ACCOUNT_ID,
    ) -> None:
        if not VERSION.match(api_version):
            raise ValueError(f"not an API version: {api_version!r}")
        store = Store(state_path)
        started = store.get("setting", "start") or {"times": 0, "offset": 0.0}
        self.secret_key = secret_key
        self.clock = Clock(now, started["offset"])
        self.faults = Faults(seed)
        # A second start from the same file must not generate the first start's ids again.
        ids = Ids(seed if not started["times"] else (seed, started["times"]))
        self.account = Account(
            store, self.clock, ids, self.faults, base_url, api_version=api_version, id=account_id
        )
        with store.transaction():
            store.put("setting", "start", {**started, "times": started["times"] + 1})
        self.keys = Keys(secret_key)
        self.api = Api(self.account, self.keys)
        self.courier = Courier(self.account)
        self.customers = Customers(self.account)
        self.dashboard = Dashboard(self.account, self.livemode)
        self._backend = Backend(
            self.account, self.api, self.customers, self.dashboard, self.courier, self.livemode
        )
        self.wsgi_app = App(self._backend)
        self._connect()

    def _connect(self) -> None:
        sessions.watch_deadlines(self.account)
        self.account.on_tick.append(lambda: events.delete_old(self.account))
        self.account.on_tick.append(lambda: catalog_imports.finish_due(self.account))
        self.clock.when_pushed.append(self._time_passed)
        self.api.observers.extend(type(self).everywhere)
        self.account.event_observers.extend(type(self).events_everywhere)

    @property
    def livemode(self) -> bool:
        """Whether the secret key is a live-mode key."""
        return self.secret_key.startswith("sk_live_")

    @property
    def base_url(self) -> str:
        """Where the hosted pages are."""
        return self.account.base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self.account.base_url = url.rstrip("/")
        sessions.move_pages(self.account)

    # making calls

    def http_client(self) -> "InProcess":
        """An in-process client for `stripe.StripeClient(..., http_client=...)`."""
        # Imported here because transport.py needs the stripe library, and the fake itself does not.
        from fake_stripe.transport import InProcess

        return InProcess(self.api, self.wsgi_app)

    def call(self, method: str, path: str, form: str = "", **headers: str) -> tuple[int, Json]:
        """Make one API call without the stripe library. `form` is the urlencoded body or query string.

        Returns (status, JSON).
        """
        data = form.encode()
        given = {"authorization": f"Bearer {self.secret_key}"}
        given |= {name.lower().replace("_", "-"): value for name, value in headers.items()}
        in_query = method == "GET"
        request = Request(method, path, data if in_query else b"", b"" if in_query else data, given)
        answer = self.api.answer(request)
        return answer.status, json.loads(answer.body)

    @property
    def calls(self) -> list[Record]:
        """The last 10,000 API calls, oldest first."""
        return list(self.api.calls)

    def forget_calls(self) -> None:
        self.api.calls.clear()

    @property
    def observers(self) -> list[Callable[[Exchange], None]]:
        """Called with an Exchange after each API call of this fake."""
        return self.api.observers

    @property
    def event_observers(self) -> list[Callable[[Json], None]]:
        """Called with each Event object that this fake makes."""
        return self.account.event_observers

    # reading the state

    @property
    def products(self) -> Rows:
        return self._backend.rows("product")

    @property
    def prices(self) -> Rows:
        return self._backend.rows("price")

    @property
    def sessions(self) -> Rows:
        return self._backend.rows("checkout.session")

    @property
    def events(self) -> Rows:
        return self._backend.rows("event")

    @property
    def payment_intents(self) -> Rows:
        return self._backend.rows("payment_intent")

    @property
    def charges(self) -> Rows:
        return self._backend.rows("charge")

    @property
    def refunds(self) -> Rows:
        return self._backend.rows("refund")

    @property
    def webhook_endpoints(self) -> Rows:
        return self._backend.rows("webhook_endpoint")

    @property
    def catalog(self) -> Rows:
        """What agents are given: the rows of the finished imports, by id."""
        return Rows(self.account.store, catalog_imports.ROW_KIND)

    def lines(self, session_id: str) -> list[Json]:
        """The line items of a session, each with its expanded price."""
        return self._backend.lines(session_id)

    # seeding

    def _call(self, params: Json, **args: str) -> Call:
        return Call(self.account, Cause(), self.livemode, params, args)

    def add_product(
        self,
        *,
        id: str | None = None,
        name: str,
        metadata: Mapping[str, str] | None = None,
        images: list[str] | None = None,
        description: str | None = None,
        prices: list[Json] | None = None,
        active: bool = True,
        emit: bool = False,
    ) -> Json:
        """Create a product with its prices; returns the product.

        prices: dicts of price parameters (unit_amount, currency, metadata ...); the one with `default`,
        or else the first, becomes the default price.
        emit: whether to create events, as an API call would.
        """
        params: Json = {"name": name, "active": active, "metadata": dict(metadata or {})}
        params |= {"images": list(images or []), "description": description}
        if id is not None:
            params["id"] = id
        with self.account.store.transaction():
            product = products.create(self._call(params), silent=not emit)
            return copy.deepcopy(self._add_prices(product, prices or [], silent=not emit))

    def _add_prices(self, product: Json, given: list[Json], *, silent: bool) -> Json:
        prices = [self.add_price(product["id"], emit=not silent, **_without_default(one)) for one in given]
        if not prices:
            return product
        chosen = next((i for i, one in enumerate(given) if one.get("default")), 0)
        return self.account.change(product, default_price=prices[chosen]["id"])

    def add_price(self, product: str, *, emit: bool = False, **params: Any) -> Json:
        """Create a price; returns it."""
        with self.account.store.transaction():
            call = self._call({})
            call.referred("product", product, "product")
            price = prices.make(call, {"currency": "usd", **params, "product": product})
            if emit:
                events.emit(call, "price.created", price)
            return copy.deepcopy(price)

    def open_session(self, **params: Any) -> Json:
        """Open a session outside the shop, as a payment link or another program does. It is not in `calls`.

        params: those of POST /v1/checkout/sessions; `mode` and `success_url` have defaults.
        """
        asked = {"mode": "payment", "success_url": f"{self.base_url}/", **params}
        with self.account.store.transaction():
            return copy.deepcopy(sessions.create(self._call(session_params.CREATE.read_all(forms.of(asked)))))

    def sell_through_agent(self, items: list[Json], *, active_products: bool = False, **options: Any) -> Json:
        """Sell through an agent that knows an uploaded catalog; returns the completed session.

        items: dicts with `name`, `unit_amount`, `currency`, `quantity`, and for articles `reference`, the id of the
        catalog's row. https://docs.stripe.com/agentic-commerce/for-sellers
        active_products: it is not documented which products such prices have; tests can try both.
        options: those of `pay`.
        """
        lines = [
            {
                "price_data": {
                    "currency": item.get("currency", "usd"),
                    "unit_amount": item["unit_amount"],
                    "product_data": {"name": item["name"]},
                },
                "quantity": item.get("quantity", 1),
            }
            for item in items
        ]
        session = self.open_session(line_items=lines)
        with self.account.store.transaction():
            for item, line in zip(items, self.lines(session["id"]), strict=True):
                price = line["price"]
                hidden = {"livemode": self.livemode, "external_reference": item.get("reference")}
                self.account.store.put("price_hidden", price["id"], hidden)
                if active_products:
                    products.update(
                        Call(self.account, Cause(), self.livemode, {"active": True}, {"id": price["product"]})
                    )
        return self.pay(session["id"], **options)

    def set_up_tax(self, percent: int) -> None:
        """Set up Stripe Tax with one rate; sessions may then ask for `automatic_tax`."""
        taxes.set_up(self.account, percent)

    def add_webhook_endpoint(
        self,
        url: str,
        enabled_events: list[str] | None = None,
        secret: str | None = None,
        description: str | None = None,
        *,
        thin: bool = False,
    ) -> Json:
        """Create a webhook endpoint; returns it with its `secret`. `thin`: one whose payload style is thin."""
        self._check_url(url)
        with self.account.store.transaction():
            secret = secret or self.account.ids.new("webhook_secret")
            given = {"url": url, "enabled_events": list(enabled_events or ["*"]), "description": description}
            endpoint = webhook_endpoints.make(self._call(given), secret, thin=thin)
            return {**endpoint, "secret": secret}

    def move_webhook_endpoint(self, id: str, url: str, secret: str | None = None) -> Json:
        """Change an endpoint's URL and optionally its secret; returns it with its `secret`."""
        self._check_url(url)
        with self.account.store.transaction():
            endpoint = self.account.change(self.account.find("webhook_endpoint", id, self.livemode), url=url)
            if secret is not None:
                webhook_endpoints.set_secret(self._call({}), id, secret)
            return {**endpoint, "secret": valid_secrets(self.account, id)[0]}

    def _check_url(self, url: str) -> None:
        if not URL.match(url):
            raise ValueError(f"not an http or https URL: {url!r}")

    # deliveries

    def deliver_to(self, post: Post) -> None:
        """Pass deliveries to `post(url, headers, body) -> (status, body)` instead of sending them over HTTP."""
        self.courier.post = post

    def deliver_over_http(self) -> None:
        self.courier.post = post_over_http

    def deliver_due(self) -> list[Json]:
        """Make every attempt that is due; returns them in order. See Courier.deliver_due."""
        self.account.tick()
        return self.courier.deliver_due()

    def deliveries(self, event_id: str | None = None) -> list[Json]:
        """An event's deliveries with their attempts, or the newest hundred of all events."""
        return self._backend.deliveries(event_id)

    # customers and the Dashboard

    def pay(self, session_id: str, **options: Any) -> Json:
        """Pay a session as its customer. See Customers.pay for the options and errors."""
        return copy.deepcopy(self.customers.pay(session_id, **options))

    def expire(self, session_id: str) -> Json:
        return copy.deepcopy(self.customers.expire(session_id))

    def settle_delayed(self, session_id: str, succeeded: bool = True) -> Json:
        """Let the bank debit of a completed session succeed or fail; returns the session."""
        return copy.deepcopy(self.customers.settle_delayed(session_id, succeeded=succeeded))

    def refund(self, **options: Any) -> Json:
        """Refund at the Dashboard. See Dashboard.refund for the options."""
        return copy.deepcopy(self.dashboard.refund(**options))

    # time and shutdown

    def forward(self, seconds: float) -> int:
        """Move the clock forward and run everything that becomes due; returns the new time."""
        return self.clock.forward(seconds)

    def _time_passed(self) -> None:
        store = self.account.store
        with store.transaction():
            start = store.get("setting", "start") or {"times": 1}
            store.put("setting", "start", {**start, "offset": self.clock.offset})
            self.api.idempotency.prune()
        self.account.tick()
        self.account.wake()

    def close(self) -> None:
        """Stop the delivery threads, end the connections of the Stripe CLI and close the file."""
        self.account.listeners.close()
        self.courier.stop()
        self.account.store.close()


def _without_default(price: Json) -> Json:
    return {key: value for key, value in price.items() if key != "default"}
