"""Check exchanges with the API against Stripe's OpenAPI document."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from fake_stripe import forms
from fake_stripe.account import API_VERSION
from fake_stripe.contract import document, expansion
from fake_stripe.contract.document import Document
from fake_stripe.contract.known_differences import KNOWN_DIFFERENCES, WITHDRAWN, KnownDifference, is_outside
from fake_stripe.contract.routes import Endpoint, Routes
from fake_stripe.contract.rules import Record
from fake_stripe.contract.schemas import Schemas
from fake_stripe.contract.violations import ContractBroken, Violation
from fake_stripe.errors import StripeError

Json = Mapping[str, Any]


@dataclass(slots=True)
class Tally:
    """The number of validated requests, answers, refusals (4xx and 5xx) and events."""

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
    """Tallies by endpoint (`GET /v1/products`) and event type (`event product.updated`)."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> int:
        return sum(tally.total for tally in self.tallies.values())

    def add(self, name: str, tally: Tally) -> None:
        with self.lock:
            self.tallies.setdefault(name, Tally()).add(tally)


class Contract:
    """Checks against Stripe's document. Rules are compiled on first use. Thread-safe."""

    def __init__(
        self, source: Document, known_differences: Sequence[KnownDifference] = KNOWN_DIFFERENCES
    ) -> None:
        self.version = source.version
        self.known_differences = tuple(known_differences)
        self.used: Counter[KnownDifference] = Counter()
        self.coverage = Coverage()
        self._document = source
        self._schemas = Schemas(source)
        self._routes = Routes(source, self._schemas)
        self._event_types = self._known_event_types()

    @classmethod
    def load(cls, known_differences: Sequence[KnownDifference] = KNOWN_DIFFERENCES) -> Self:
        """The contract of the installed document. Raises DocumentMissing."""
        return cls(document.load(), known_differences)

    def check_request(self, method: str, path: str, form: bytes | str, *, version: str = API_VERSION) -> None:
        """Check an accepted request; `form` is its body or query string. Raises ContractBroken."""
        if self._is_skipped(method, path):
            return
        endpoint = self._endpoint(method, path)
        body = form.encode() if isinstance(form, str) else form
        is_json = method == "POST" and path.startswith("/v2/")
        try:
            value = endpoint.request.read(
                forms.of(json.loads(body or b"{}")) if is_json else forms.parse(body)
            )
        except StripeError as error:
            violations: Sequence[Violation] = [Violation("format", error.message, owner=endpoint.name)]
        else:
            violations = [*endpoint.request.check(value), *self._request_violations(endpoint, value, version)]
        self.coverage.add(endpoint.name, Tally(requests=1))
        owned = [replace(violation, owner=endpoint.name, inside=violation.path) for violation in violations]
        self._raise(f"the request {endpoint.name}", owned)

    def check_response(self, method: str, path: str, status: int, json: object) -> None:
        """Check an answer's status and decoded JSON. Raises ContractBroken."""
        if status >= 400:
            self._check_refusal(method, path, status, json)
        else:
            self._check_answer(method, path, status, json)

    def check_event(self, event: Json) -> None:
        """Check an event, the object in it, and its `previous_attributes`. Raises ContractBroken."""
        name = str(event.get("type"))
        violations = list(self._schemas.named("event").check(event))
        if name not in self._event_types:
            violations.append(Violation("choice", f"{name!r} is not an event type of Stripe").under("type"))
        if not violations:
            violations += self._object_violations(event["data"])
        self.coverage.add(f"event {name}", Tally(events=1))
        self._raise(f"the event {name}", [violation.owned_by("event") for violation in violations])

    def unused(self) -> list[KnownDifference]:
        """The known differences that have not occurred so far."""
        return [line for line in self.known_differences if not self.used[line]]

    def _check_answer(self, method: str, path: str, status: int, json: object) -> None:
        if self._is_skipped(method, path):
            return
        endpoint = self._endpoint(method, path)
        self.coverage.add(endpoint.name, Tally(answers=1))
        violations = [violation.owned_by(endpoint.name) for violation in endpoint.answer.check(json)]
        self._raise(f"the answer {status} to {endpoint.name}", violations)

    def _check_refusal(self, method: str, path: str, status: int, json: object) -> None:
        # Refusals have the same error object everywhere, also for unknown paths.
        endpoint = self._routes.find(method, path)
        rule = endpoint.refusal if endpoint else self._schemas.named("error")
        name = endpoint.name if endpoint else "(no such endpoint)"
        self.coverage.add(name, Tally(refusals=1))
        violations = [violation.owned_by("error") for violation in rule.check(json)]
        self._raise(f"the refusal {status} to {method} {path}", violations)

    def _is_skipped(self, method: str, path: str) -> bool:
        return is_outside(path) and self._routes.find(method, path) is None

    def _endpoint(self, method: str, path: str) -> Endpoint:
        endpoint = self._routes.find(method, path)
        if endpoint is None:
            raise ContractBroken(
                f"{method} {path}", [Violation("unknown", "no such endpoint in Stripe's document")]
            )
        return endpoint

    def _request_violations(self, endpoint: Endpoint, value: object, version: str) -> Iterable[Violation]:
        """Violations outside the schema: paths that cannot be expanded, and removed parameters."""
        asked = value if isinstance(value, dict) else {}
        for line in WITHDRAWN:
            if line.endpoint == endpoint.name and line.parameter in asked and version >= line.since:
                yield Violation("withdrawn", line.reason).under(line.parameter)
        paths = asked.get("expand")
        for index, path in enumerate(paths if isinstance(paths, list) else ()):
            if reason := expansion.why_not(self._document, endpoint.answer_schema, str(path)):
                yield Violation("value", reason).under(str(index)).under("expand")

    def _object_violations(self, data: Json) -> Iterable[Violation]:
        carried, before = data["object"], data.get("previous_attributes", {})
        name = carried.get("object")
        if not isinstance(name, str) or not self._schemas.knows(name):
            return [
                Violation("choice", f"{name!r} is not an object type of Stripe").under("object").under("data")
            ]
        rule = self._schemas.named(name)
        violations = [violation.owned_by(name).under("object") for violation in rule.check(carried)]
        violations += [
            violation.owned_by(name).under("previous_attributes") for violation in _changed(rule, before)
        ]
        return [violation.under("data") for violation in violations]

    def _known_event_types(self) -> frozenset[str]:
        # The document lists event types only as values of a webhook endpoint's enabled_events.
        form = self._document.paths["/v1/webhook_endpoints"]["post"]["requestBody"]["content"]
        (body,) = form.values()
        return frozenset(body["schema"]["properties"]["enabled_events"]["items"]["enum"]) - {"*"}

    def _raise(self, what: str, violations: Sequence[Violation]) -> None:
        left = [violation for violation in violations if not self._is_known(violation)]
        if left:
            raise ContractBroken(what, left)

    def _is_known(self, violation: Violation) -> bool:
        for line in self.known_differences:
            if line.covers(violation):
                self.used[line] += 1
                return True
        return False


def _changed(rule: object, before: Json) -> Iterable[Violation]:
    """Check `previous_attributes`, which hold only the changed keys, None where a key was new."""
    properties = rule.properties if isinstance(rule, Record) else {}
    for key, value in before.items():
        if key not in properties:
            yield Violation("unknown", "not in Stripe's document").under(key)
        elif value is not None and not isinstance(value, dict):
            yield from (violation.under(key) for violation in properties[key].check(value))
