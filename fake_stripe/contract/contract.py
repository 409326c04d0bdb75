"""Is this exchange with the API one that Stripe's OpenAPI document describes?"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from fake_stripe import forms
from fake_stripe.account import API_VERSION
from fake_stripe.contract import document, expansion
from fake_stripe.contract.document import Document
from fake_stripe.contract.explained import EXPLAINED, WITHDRAWN, Explained
from fake_stripe.contract.faults import ContractBroken, Fault
from fake_stripe.contract.routes import Endpoint, Routes
from fake_stripe.contract.rules import Record
from fake_stripe.contract.schemas import Schemas
from fake_stripe.errors import StripeError

Json = Mapping[str, Any]


@dataclass(slots=True)
class Tally:
    """How many calls were validated: accepted requests, answers, refusals (4xx and 5xx), events."""

    requests: int = 0
    answers: int = 0
    refusals: int = 0
    events: int = 0

    @property
    def total(self) -> int:
        return self.requests + self.answers + self.refusals + self.events

    def add(self, other: Tally) -> None:
        self.requests += other.requests
        self.answers += other.answers
        self.refusals += other.refusals
        self.events += other.events


@dataclass(slots=True)
class Coverage:
    """What was validated, by endpoint (`GET /v1/products`) and by event type (`event product.updated`)."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> int:
        return sum(tally.total for tally in self.tallies.values())

    def add(self, name: str, tally: Tally) -> None:
        with self.lock:
            self.tallies.setdefault(name, Tally()).add(tally)


class Contract:
    """Stripe's document, ready to check with. Rules are compiled when first used; safe to share among threads."""

    def __init__(self, source: Document, explained: Sequence[Explained] = EXPLAINED) -> None:
        self.version = source.version
        self.explained = tuple(explained)
        self.used: Counter[Explained] = Counter()
        self.coverage = Coverage()
        self._document = source
        self._schemas = Schemas(source)
        self._routes = Routes(source, self._schemas)
        self._event_types = self._known_event_types()

    @classmethod
    def load(cls, explained: Sequence[Explained] = EXPLAINED) -> Self:
        """The contract of the installed document. Raises DocumentMissing."""
        return cls(document.load(), explained)

    def check_request(self, method: str, path: str, form: bytes | str, *, version: str = API_VERSION) -> None:
        """Check a request that was accepted; `form` is its body, or its query string. Raises ContractBroken."""
        endpoint = self._endpoint(method, path)
        try:
            value = endpoint.request.read(forms.parse(form.encode() if isinstance(form, str) else form))
        except StripeError as error:
            faults: Sequence[Fault] = [Fault("format", error.message, owner=endpoint.name)]
        else:
            faults = [*endpoint.request.check(value), *self._asked_for(endpoint, value, version)]
        self.coverage.add(endpoint.name, Tally(requests=1))
        owned = [replace(fault, owner=endpoint.name, inside=fault.path) for fault in faults]
        self._raise(f"the request {endpoint.name}", owned)

    def check_response(self, method: str, path: str, status: int, json: object) -> None:
        """Check an answer's status and decoded JSON. Raises ContractBroken."""
        if status >= 400:
            self._check_refusal(method, path, status, json)
        else:
            self._check_answer(method, path, status, json)

    def check_event(self, event: Json) -> None:
        """Check an event, the object it carries, and the names of what changed. Raises ContractBroken."""
        name = str(event.get("type"))
        faults = list(self._schemas.named("event").check(event))
        if name not in self._event_types:
            faults.append(Fault("choice", f"{name!r} is no type of event at Stripe").under("type"))
        if not faults:
            faults += self._carried(event["data"])
        self.coverage.add(f"event {name}", Tally(events=1))
        self._raise(f"the event {name}", [fault.owned_by("event") for fault in faults])

    def unused(self) -> list[Explained]:
        """The exceptions that forgave nothing so far."""
        return [line for line in self.explained if not self.used[line]]

    def _check_answer(self, method: str, path: str, status: int, json: object) -> None:
        endpoint = self._endpoint(method, path)
        self.coverage.add(endpoint.name, Tally(answers=1))
        faults = [fault.owned_by(endpoint.name) for fault in endpoint.answer.check(json)]
        self._raise(f"the answer {status} to {endpoint.name}", faults)

    def _check_refusal(self, method: str, path: str, status: int, json: object) -> None:
        """A refusal has one shape everywhere, unknown addresses included."""
        endpoint = self._routes.find(method, path)
        rule = endpoint.refusal if endpoint else self._schemas.named("error")
        name = endpoint.name if endpoint else "(no such endpoint)"
        self.coverage.add(name, Tally(refusals=1))
        faults = [fault.owned_by("error") for fault in rule.check(json)]
        self._raise(f"the refusal {status} to {method} {path}", faults)

    def _endpoint(self, method: str, path: str) -> Endpoint:
        endpoint = self._routes.find(method, path)
        if endpoint is None:
            raise ContractBroken(
                f"{method} {path}", [Fault("unknown", "Stripe's document has no such endpoint")]
            )
        return endpoint

    def _asked_for(self, endpoint: Endpoint, value: object, version: str) -> Iterable[Fault]:
        """What a rule cannot see: paths that cannot be expanded, and parameters withdrawn since."""
        asked = value if isinstance(value, dict) else {}
        for line in WITHDRAWN:
            if line.endpoint == endpoint.name and line.parameter in asked and version >= line.since:
                yield Fault("withdrawn", line.reason).under(line.parameter)
        paths = asked.get("expand")
        for index, path in enumerate(paths if isinstance(paths, list) else ()):
            if reason := expansion.why_not(self._document, endpoint.answer_schema, str(path)):
                yield Fault("value", reason).under(str(index)).under("expand")

    def _carried(self, data: Json) -> Iterable[Fault]:
        carried, before = data["object"], data.get("previous_attributes", {})
        name = carried.get("object")
        if not isinstance(name, str) or not self._schemas.knows(name):
            return [Fault("choice", f"{name!r} is no object at Stripe").under("object").under("data")]
        rule = self._schemas.named(name)
        faults = [fault.owned_by(name).under("object") for fault in rule.check(carried)]
        faults += [fault.owned_by(name).under("previous_attributes") for fault in _changed(rule, before)]
        return [fault.under("data") for fault in faults]

    def _known_event_types(self) -> frozenset[str]:
        """The only list of them in the document is what a webhook endpoint may be told to listen to."""
        form = self._document.paths["/v1/webhook_endpoints"]["post"]["requestBody"]["content"]
        (body,) = form.values()
        return frozenset(body["schema"]["properties"]["enabled_events"]["items"]["enum"]) - {"*"}

    def _raise(self, what: str, faults: Sequence[Fault]) -> None:
        left = [fault for fault in faults if not self._forgiven(fault)]
        if left:
            raise ContractBroken(what, left)

    def _forgiven(self, fault: Fault) -> bool:
        for line in self.explained:
            if line.covers(fault):
                self.used[line] += 1
                return True
        return False


def _changed(rule: object, before: Json) -> Iterable[Fault]:
    """The old values of changed names; in a group only the changed keys stand, null where a key was new."""
    properties = rule.properties if isinstance(rule, Record) else {}
    for key, value in before.items():
        if key not in properties:
            yield Fault("unknown", "Stripe's document knows no such name").under(key)
        elif value is not None and not isinstance(value, dict):
            yield from (fault.under(key) for fault in properties[key].check(value))
