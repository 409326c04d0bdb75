"""Answer API requests. The steps, with the error statuses each can give:

1. authenticate, find the route, check the version    401, 404, 403, 400
2. apply rate limits                                  429
3. parse the form                                     400
4. look up the idempotency key                        the stored answer, 400, 409
5. lock the object that is changed                    429 with lock_timeout
6. apply the injected faults, before or after the call takes effect
7. check the parameters, run the call, expand ids and store the answer under its key, in one transaction
"""

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cached_property
from typing import Any

from fake_stripe import forms, routes
from fake_stripe.account import VERSION, Account, Call, Cause
from fake_stripe.errors import StripeError, unknown_address
from fake_stripe.expand import expand
from fake_stripe.faults import CallPlan, Rule
from fake_stripe.idempotency import Idempotency, StoredAnswer, check_key, fingerprint
from fake_stripe.keys import Key, Keys, authorize
from fake_stripe.limits import ObjectLocks, RateLimits, lock_timed_out, rate_limited
from fake_stripe.store import Json

log = logging.getLogger("fake_stripe")
MAX_BODY_BYTES = 1_000_000
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are lower case; `path` is decoded.

    length: the Content-Length; larger than `body` where the body was too long to be read completely.
    """

    method: str
    path: str
    query: bytes = b""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Exchange:
    """One API call as passed to observers: the request and its answer, even if the connection was cut."""

    method: str
    path: str
    query: bytes
    form: bytes
    version: str
    status: int
    response: Json
    request_id: str
    idempotency_key: str | None
    replayed: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Record:
    """One API call as kept in `FakeStripe.calls`. `params` holds the sent form as nested text."""

    method: str
    path: str
    params: Json
    idempotency_key: str | None
    status: int
    request_id: str
    replayed: bool = False
    cut: bool = False


class ConnectionCut(Exception):
    """A `cut` fault ends the connection without an answer."""


@dataclass
class CallState:
    """The state of a call while it is being answered."""

    request: Request
    request_id: str
    key: str | None
    version: str
    params: forms.Form = field(default_factory=dict)
    replayed: bool = False
    original: str | None = None
    cut: bool = False

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(self.request.method, self.request.path, self.params)


class Api:
    """Answers requests to /v1. Thread-safe."""

    def __init__(self, account: Account, keys: Keys, *, max_calls: int = 10_000) -> None:
        self.account = account
        self.keys = keys
        self.limits = RateLimits(account.clock)
        self.locks = ObjectLocks()
        self.idempotency = Idempotency(account)
        # Whether the account may use preview versions of the API.
        self.previews = True
        self.observers: list[Callable[[Exchange], None]] = []
        self.calls: deque[Record] = deque(maxlen=max_calls)
        self._answered = 0

    def answer(self, request: Request) -> Answer:
        """Answer any request; raises only ConnectionCut."""
        key = request.headers.get("idempotency-key")
        state = CallState(request, self.account.ids.new("request"), key, self.account.api_version)
        extra: dict[str, str] = {}
        try:
            status, text = self._run(state)
        except StripeError as error:
            status, text, extra = error.status, json.dumps(error.body(state.request_id)), error.headers
        except Exception:
            log.exception("fake_stripe failed on %s %s", request.method, request.path)
            status, text = 500, json.dumps(BROKEN)
        self._note(state, status, text)
        if state.cut:
            raise ConnectionCut(f"{request.method} {request.path}")
        return Answer(status, text.encode(), self._headers(state) | extra)

    def _run(self, state: CallState) -> tuple[int, str]:
        self.account.tick()
        request = state.request
        key = self.keys.authenticate(request.headers.get("authorization"))
        match = routes.find(request.method, request.path)
        if match is None:
            raise unknown_address(request.method, request.path)
        route, args = match
        authorize(key, route.resource, route.access)
        state.version = _version(request.headers.get("stripe-version"), state.version)
        if state.version.endswith(".preview") and not self.previews:
            raise StripeError(f"Invalid Stripe API version: {state.version}", executed=False)
        _refuse_other_accounts(request, self.account.id)
        self.limits.check(key.livemode, f"{route.method} {route.pattern}")
        state.params = _params(request)
        call = Call(
            self.account,
            Cause(state.request_id, _posted(state)),
            key.livemode,
            {},
            args,
            state.version,
            key.secret,
        )
        plan = self.account.faults.for_call(request.method, request.path)
        with self._claim_key(state, key) as name:
            if isinstance(name, StoredAnswer):
                return self._replay(state, plan, name)
            held = f"{route.resource}/{args['id']}" if args and request.method != "GET" else None
            with self.locks.hold(held):
                return self._run_with_faults(state, route, call, name, plan)

    @contextmanager
    def _claim_key(self, state: CallState, key: Key) -> Iterator[str | StoredAnswer | None]:
        """Yield the name to store the answer under, the stored answer to replay, or None without a key."""
        if state.key is None or state.request.method != "POST":
            yield None
            return
        check_key(state.key)
        name = f"{'live' if key.livemode else 'test'}:{state.key}"
        stored = self.idempotency.begin(name, state.fingerprint)
        if stored is not None:
            yield stored
            return
        state.original = state.request_id
        try:
            yield name
        finally:
            self.idempotency.end(name)

    def _replay(self, state: CallState, plan: CallPlan, stored: StoredAnswer) -> tuple[int, str]:
        """Replay the stored answer. An injected outage affects replays too, but does not change what is stored."""
        self._apply_faults(state, plan)
        if plan.failure and plan.failure.kind == "error_500":
            return 500, json.dumps(BROKEN)
        state.replayed, state.original = True, stored.request_id
        _wait(plan.wait_after)
        return stored.status, stored.body

    def _apply_faults(self, state: CallState, plan: CallPlan) -> None:
        """Apply the faults that come before the call runs. A cut is only noted here and carried out at the end."""
        _wait(plan.wait_before)
        failure = plan.failure
        if failure and failure.kind in ("error_429", "lock_timeout"):
            raise rate_limited("global-rate") if failure.kind == "error_429" else lock_timed_out()
        state.cut = failure is not None and failure.kind == "cut"

    def _run_with_faults(
        self, state: CallState, route: routes.Route, call: Call, name: str | None, plan: CallPlan
    ) -> tuple[int, str]:
        self._apply_faults(state, plan)
        if plan.failure and plan.failure.when == "before":
            return self._fail_before(state, plan.failure, name)
        answer = self._execute(state, route, call, name, plan)
        _wait(plan.wait_after)
        return answer

    def _fail_before(self, state: CallState, failure: Rule, name: str | None) -> tuple[int, str]:
        text = json.dumps(BROKEN)
        if failure.kind == "error_500" and failure.stored:
            self._store_answer(state, name, 500, text)
        return 500, text

    def _execute(
        self, state: CallState, route: routes.Route, call: Call, name: str | None, plan: CallPlan
    ) -> tuple[int, str]:
        """Run the call and store its answer in one transaction."""
        form: Any = state.params
        if route.fit:
            form = route.fit(form, state.version)
        call.params = route.shape.read_all(form)
        try:
            with self.account.store.transaction():
                status, text = _result(state, route, call)
                if plan.failure and plan.failure.kind == "error_500":
                    status, text = 500, json.dumps(BROKEN)
                if plan.failure is None or plan.failure.kind == "cut" or plan.failure.stored:
                    self._store_answer(state, name, status, text)
        except StripeError as error:
            if error.executed:
                self._store_answer(state, name, error.status, json.dumps(error.body(state.request_id)))
            raise
        return status, text

    def _store_answer(self, state: CallState, name: str | None, status: int, text: str) -> None:
        if name is None:
            return
        with self.account.store.transaction():
            self.idempotency.store(name, state.fingerprint, StoredAnswer(status, text, state.request_id))

    def _headers(self, state: CallState) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Request-Id": state.request_id,
            "Stripe-Version": state.version,
            "Cache-Control": "no-cache, no-store",
            # By the account's clock, which a test may move.
            "Date": formatdate(self.account.clock.now(), usegmt=True),
        }
        if state.key is not None and state.original is not None:
            headers |= {"Idempotency-Key": state.key, "Original-Request": state.original}
        if state.replayed:
            headers["Idempotent-Replayed"] = "true"
        return headers

    def _note(self, state: CallState, status: int, text: str) -> None:
        request, key = state.request, _posted(state)
        self.calls.append(
            Record(
                request.method,
                request.path,
                state.params,
                key,
                status,
                state.request_id,
                state.replayed,
                state.cut,
            )
        )
        self._answered += 1
        if self._answered % 1000 == 0:
            with self.account.store.transaction():
                self.idempotency.prune()
        if not self.observers:
            return
        exchange = Exchange(
            request.method,
            request.path,
            request.query,
            request.body,
            state.version,
            status,
            json.loads(text),
            state.request_id,
            key,
            state.replayed,
            state.cut,
        )
        for observer in list(self.observers):
            observer(exchange)


BROKEN = {"error": {"message": "An unknown error occurred.", "type": "api_error"}}


def _result(state: CallState, route: routes.Route, call: Call) -> tuple[int, str]:
    try:
        return 200, json.dumps(expand(call, route.answer(call)))
    except StripeError as error:
        if not error.takes_effect:
            raise
        return error.status, json.dumps(error.body(state.request_id))


def _wait(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)


def _posted(state: CallState) -> str | None:
    return state.key if state.request.method == "POST" else None


def _version(header: str | None, default: str) -> str:
    if header is None:
        return default
    if not VERSION.match(header):
        raise StripeError(f"Invalid Stripe API version: {header[:50]}", executed=False)
    return header


def _refuse_other_accounts(request: Request, account_id: str) -> None:
    for name in ("stripe-account", "stripe-context"):
        other = request.headers.get(name)
        if other and other != account_id:
            message = (
                f"The provided key does not have access to account '{other[:50]}' (or it does not exist)."
            )
            raise StripeError(message, status=403, code="account_invalid", executed=False)


def _json(body: bytes) -> forms.Form:
    """The body of a call of API v2, in which the fake reads only texts and objects."""
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise StripeError("The body of a request must be a JSON object.", executed=False)
    return forms.of(given)


def _params(request: Request) -> forms.Form:
    if len(request.body) > MAX_BODY_BYTES:
        length = len(request.body) if request.length is None else request.length
        message = f"The request has {length} bytes, and may have {MAX_BODY_BYTES}."
        raise StripeError(message, status=413, executed=False)
    if request.method == "GET":
        return forms.parse(request.query)
    kind = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if kind == "application/json" and request.path.startswith("/v2/"):
        return _json(request.body)
    if request.body and kind != FORM:
        message = f"The body of a request must be {FORM}, not {kind[:50] or 'nothing'}."
        raise StripeError(message, executed=False)
    return {**forms.parse(request.query), **forms.parse(request.body)}
