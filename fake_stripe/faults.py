"""Fault injection for API calls and webhook deliveries, reproducible from a seed.

A rule takes effect on the calls or events it matches, `times` times or without limit, each time with a
`probability`. The same seed and the same sequence of calls give the same faults.
"""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

FAILURES = ("error_429", "error_500", "cut", "lock_timeout")
CALL_KINDS = ("latency", *FAILURES)
DELIVERY_KINDS = ("duplicate", "twin", "delay", "reorder", "drop")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not _is_bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, float) or _is_whole(value)


def _is_types(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(map(_is_text, value))


# The types of a rule's values, checked because rules also arrive as JSON over HTTP.
VALUES: list[tuple[tuple[str, ...], Callable[[object], bool], str]] = [
    (("kind", "method", "path", "when"), _is_text, "text"),
    (("stored", "parallel"), _is_bool, "true or false"),
    (("types",), _is_types, 'a list of types, such as ["product.*"]'),
    (("seconds", "probability"), _is_number, "a number"),
    (("copies", "window"), _is_whole, "a whole number"),
    (("times",), lambda value: value is None or _is_whole(value), "a whole number, or null for no limit"),
]


@dataclass
class Rule:
    """One injected fault.

    kind: one of CALL_KINDS or DELIVERY_KINDS.
    method, path: the calls it matches; `path` may contain * ("/v1/products/*").
    when: "before" or "after" the call takes effect, for error_500, cut and latency.
    stored: whether an injected 500 is stored under the idempotency key, as Stripe does once a call has begun.
    types: the event types a delivery rule matches; * is allowed.
    seconds: the length of latency or delay; unused for reorder.
    copies, parallel: the total sent by duplicate, one after the other or at the same moment.
    window: reorder moves a delivery behind up to this many later ones. On a running clock it is due up to
        a fifth of a second later for each of them.
    times: how often the rule takes effect; None for no limit.
    """

    kind: str
    method: str = "*"
    path: str = "*"
    when: str = "before"
    stored: bool = True
    types: tuple[str, ...] = ("*",)
    seconds: float = 0.0
    copies: int = 2
    parallel: bool = False
    window: int = 5
    times: int | None = 1
    probability: float = 1.0
    id: str = ""
    used: int = 0

    def check(self) -> None:
        """Raise ValueError for a rule that could never take effect."""
        self._check_types()
        if self.kind not in CALL_KINDS + DELIVERY_KINDS:
            raise ValueError(
                f"kind must be one of {', '.join(CALL_KINDS + DELIVERY_KINDS)}, not {self.kind!r}"
            )
        if self.when not in ("before", "after"):
            raise ValueError(f"when must be 'before' or 'after', not {self.when!r}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be between 0 and 1, not {self.probability}")
        if not 0 <= self.seconds <= 10**9 or not 1 <= self.copies <= 100 or not 1 <= self.window <= 10**6:
            raise ValueError("seconds, copies or window is out of bounds")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times must be at least 1, or null for no limit, not {self.times}")

    def _check_types(self) -> None:
        for names, fits, wanted in VALUES:
            for name in names:
                if not fits(getattr(self, name)):
                    raise ValueError(f"{name} must be {wanted}, not {getattr(self, name)!r}")

    def left(self) -> bool:
        return self.times is None or self.used < self.times


@dataclass(frozen=True)
class CallPlan:
    """The faults of one call: waits before and after it, and at most one failure."""

    wait_before: float = 0.0
    wait_after: float = 0.0
    failure: Rule | None = None


@dataclass(frozen=True)
class DeliveryPlan:
    """The faults of the deliveries of one event."""

    twin: bool = False
    drop: bool = False
    delay: float = 0.0
    copies: int = 1
    parallel: bool = False
    later: float = 0.0


@dataclass
class Faults:
    """The rules in force. Thread-safe."""

    seed: object = 0
    rules: list[Rule] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(f"faults:{self.seed}")
        self._lock = threading.Lock()
        self._count = 0

    def add(self, kind: str, **options: Any) -> str:
        """Add a rule; returns its id. Raises ValueError for an invalid rule."""
        rule = _rule(kind, options)
        with self._lock:
            self._count += 1
            rule.id = f"fault_{self._count}"
            self.rules.append(rule)
        return rule.id

    def remove(self, id: str) -> bool:
        """Remove a rule; returns False if there is none with this id."""
        with self._lock:
            before = len(self.rules)
            self.rules = [rule for rule in self.rules if rule.id != id]
            return len(self.rules) < before

    def clear(self) -> None:
        with self._lock:
            self.rules = []

    def listed(self) -> list[dict[str, Any]]:
        """The rules as dicts, each with the number of times it was used."""
        with self._lock:
            return [asdict(rule) for rule in self.rules]

    def for_call(self, method: str, path: str) -> CallPlan:
        """Decide the faults of this call and count their use."""
        if not self.rules:
            return NORMAL_CALL
        with self._lock:
            waits = list(self._fitting(("latency",), lambda r: _fits_call(r, method, path)))
            # A call fails at most once. Other failure rules are left for later calls.
            failure = next(self._fitting(FAILURES, lambda r: _fits_call(r, method, path)), None)
        before = sum(rule.seconds for rule in waits if rule.when == "before")
        return CallPlan(before, sum(rule.seconds for rule in waits if rule.when == "after"), failure)

    def for_event(self, type: str) -> DeliveryPlan:
        """Decide the faults of an event's deliveries and count their use."""
        if not self.rules:
            return NORMAL_DELIVERY
        with self._lock:
            hit = {r.kind: r for r in self._fitting(DELIVERY_KINDS, lambda r: _fits_event(r, type))}
            later = self._random.uniform(0, hit["reorder"].window) if "reorder" in hit else 0.0
        duplicate = hit.get("duplicate")
        return DeliveryPlan(
            twin="twin" in hit,
            drop="drop" in hit,
            delay=hit["delay"].seconds if "delay" in hit else 0.0,
            copies=duplicate.copies if duplicate else 1,
            parallel=duplicate.parallel if duplicate else False,
            later=later,
        )

    def _fitting(self, kinds: tuple[str, ...], fits: Callable[[Rule], bool]) -> Iterator[Rule]:
        for rule in self.rules:
            if rule.kind not in kinds or not rule.left() or not fits(rule):
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            rule.used += 1
            yield rule


NORMAL_CALL = CallPlan()
NORMAL_DELIVERY = DeliveryPlan()


def _rule(kind: str, options: dict[str, Any]) -> Rule:
    option_names = {f.name for f in fields(Rule)} - {"kind", "id", "used"}
    unknown = sorted(set(options) - option_names)
    if unknown:
        raise ValueError(f"a fault has no {', '.join(unknown)}; it has {', '.join(sorted(option_names))}")
    if isinstance(options.get("types"), list):
        options = {**options, "types": tuple(options["types"])}
    rule = Rule(kind, **options)
    rule.check()
    return rule


def _fits_call(rule: Rule, method: str, path: str) -> bool:
    return rule.method in ("*", method) and fnmatchcase(path, rule.path)


def _fits_event(rule: Rule, type: str) -> bool:
    return any(fnmatchcase(type, wanted) for wanted in rule.types)
