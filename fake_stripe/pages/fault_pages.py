"""The dashboard's page of faults, the clock and limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fake_stripe.pages.forms import Choice, select, text_field
from fake_stripe.pages.html import Markup, fill, join
from fake_stripe.pages.parts import button, code, sheet, table

Json = Mapping[str, Any]
WHEN = (("before", "Before it takes effect"), ("after", "After it takes effect"))
STORED = (("yes", "Stored under its key"), ("", "Not stored, can be retried"))
PARALLEL = (("", "One after the other"), ("yes", "At the same moment"))
ENFORCED = (("", "Not enforced"), ("yes", "429 beyond 25 per second, live 100"))
SKIPS = (
    ("60", "1 minute"),
    ("1860", "31 minutes (the shortest checkouts expire)"),
    ("3600", "1 hour"),
    ("86400", "1 day (idempotency keys and checkouts expire)"),
    ("604800", "1 week"),
)


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault: its label, and the options of the form it uses."""

    kind: str
    words: str
    options: tuple[str, ...] = ()
    of_calls: bool = True


KINDS = (
    FaultKind("latency", "Calls are slow", ("seconds", "when", "path")),
    FaultKind("error_500", "Calls answer 500", ("when", "stored", "path")),
    FaultKind("error_429", "Calls answer 429 (rate limit)", ("path",)),
    FaultKind("lock_timeout", "Calls answer 429 (lock timeout)", ("path",)),
    FaultKind("cut", "The connection is cut", ("when", "path")),
    FaultKind("duplicate", "Deliveries are duplicated", ("copies", "parallel", "types"), of_calls=False),
    FaultKind("twin", "Events are created twice, with different ids", ("types",), of_calls=False),
    FaultKind("delay", "Deliveries are delayed", ("seconds", "types"), of_calls=False),
    FaultKind("reorder", "Deliveries are reordered", ("window", "types"), of_calls=False),
    FaultKind("drop", "Deliveries are dropped", ("types",), of_calls=False),
)
BY_KIND = {kind.kind: kind for kind in KINDS}


@dataclass(frozen=True)
class Limits:
    """Whether rate limits are enforced, and how many seconds a call waits for a locked object."""

    enforced: bool
    patience: float


def fault_page(
    rules: Iterable[Json], limits: Limits, filled: Mapping[str, str], errors: Mapping[str, str]
) -> Markup:
    rows = [_rule_row(rule) for rule in rules]
    names = ("Fault", "Where", "Limit", "Used", "")
    listed = table("Active faults", names, rows, empty="No active faults.")
    stop = button("/dashboard/faults", "Remove all faults", {"do": "clear"})
    inforce = sheet("Active faults", listed, *([stop] if rows else []))
    left = Markup(f'<div class="stack">{inforce}{_fault_form(filled, errors)}</div>')
    right = Markup(f'<div class="stack">{_clock_form(errors)}{_limits_form(limits, filled, errors)}</div>')
    return Markup(f'<div class="two">{left}{right}</div>')


def _rule_row(rule: Json) -> Sequence[object]:
    kind = BY_KIND[rule["kind"]]
    where = f"{rule['method']} {rule['path']}" if kind.of_calls else ", ".join(rule["types"])
    left = "no limit" if rule["times"] is None else f"{rule['times']} ×"
    chance = f", {rule['probability']:.0%} of them" if rule["probability"] < 1 else ""
    ending = button("/dashboard/faults", "Remove", {"do": "remove", "rule": rule["id"]}, about=kind.words)
    return f"{kind.words}{_detail(rule)}", code(where), f"{left}{chance}", f"{rule['used']} ×", ending


def _detail(rule: Json) -> str:
    takes = BY_KIND[rule["kind"]].options
    words = {
        "seconds": f"{rule['seconds']:g} s",
        "when": f"{rule['when']} the effect",
        "stored": "" if rule["stored"] else "not stored",
        "copies": f"{rule['copies']} of them",
        "parallel": "at the same moment" if rule["parallel"] else "",
        "window": f"behind up to {rule['window']} later ones",
    }
    return "".join(f", {text}" for name, text in words.items() if name in takes and text)


def _fault_form(filled: Mapping[str, str], errors: Mapping[str, str]) -> Markup:
    def text(name: str, label: str, standard: str, hint: str, **more: Any) -> Markup:
        value = filled.get(name, standard)
        return text_field(
            name, label, value, errors=errors, hint=hint, width="half", autocomplete="off", **more
        )

    def choice(name: str, label: str, choices: Sequence[Choice], standard: str, hint: str) -> Markup:
        chosen = filled.get(name, standard)
        return select(name, label, choices, chosen, errors=errors, hint=hint, width="half")

    kinds = [(t.kind, t.words) for t in KINDS]
    fields = [
        select("kind", "Fault", kinds, filled.get("kind", "error_500"), errors=errors),
        choice("when", "When", WHEN, "before", "For slow, failing and cut calls."),
        text("seconds", "Seconds", "5", "For slow calls and delayed deliveries.", inputmode="decimal"),
        choice("stored", "Answer", STORED, "yes", "For calls that answer 500."),
        text("copies", "Copies", "2", "The total number of deliveries.", inputmode="numeric"),
        choice("parallel", "Sent", PARALLEL, "", "For duplicated deliveries."),
        text("window", "Window", "5", "The largest shift, for reordered deliveries.", inputmode="numeric"),
        text("path", "Calls to", "/v1/*", "For calls; * matches anything."),
        text("types", "Events of type", "*", "For events; * matches anything."),
        text("times", "How many times", "1", "0 for no limit.", inputmode="numeric"),
        text("percent", "Probability in percent", "100", "100 for every one.", inputmode="numeric"),
    ]
    return sheet("New fault", fill("fault_form", fields=join(fields)))


def _clock_form(errors: Mapping[str, str]) -> Markup:
    choice = select(
        "seconds_on", "Move forward by", SKIPS, "1860", errors=errors, hint="The clock only moves forward."
    )
    return sheet("Clock", fill("clock_form", field=choice))


def _limits_form(limits: Limits, filled: Mapping[str, str], errors: Mapping[str, str]) -> Markup:
    enforced = filled.get("enforced", "yes" if limits.enforced else "")
    patience = filled.get("patience", f"{limits.patience:g}")
    fields = [
        select("enforced", "Calls", ENFORCED, enforced, errors=errors),
        text_field(
            "patience",
            "Lock timeout",
            patience,
            errors=errors,
            hint="Seconds a change waits for another change of the same object before it answers 429 (lock timeout).",
            autocomplete="off",
            inputmode="decimal",
        ),
    ]
    return sheet("Limits", fill("limits_form", fields=join(fields)))


def limits(form: Mapping[str, str]) -> tuple[Limits, dict[str, str]]:
    """The limits entered in the form, and the errors by field."""
    errors: dict[str, str] = {}
    patience = _number(form, "patience", 0, 3600, errors)
    return Limits(form.get("enforced") == "yes", patience), errors


def options(form: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The options for Faults.add entered in the form, and the errors by field."""
    kind = BY_KIND.get(form.get("kind", ""))
    if kind is None:
        return {}, {"kind": "Please choose an option from the list."}
    errors: dict[str, str] = {}
    times = _number(form, "times", 0, 10**6, errors)
    given: dict[str, Any] = {"times": int(times) or None}
    given["probability"] = _number(form, "percent", 1, 100, errors) / 100
    if "seconds" in kind.options:
        given["seconds"] = _number(form, "seconds", 0, 10**6, errors)
    if "when" in kind.options:
        given["when"] = "after" if form.get("when") == "after" else "before"
    if "stored" in kind.options:
        given["stored"] = form.get("stored") == "yes"
    if "copies" in kind.options:
        given["copies"] = int(_number(form, "copies", 1, 100, errors))
    if "parallel" in kind.options:
        given["parallel"] = form.get("parallel") == "yes"
    if "window" in kind.options:
        given["window"] = int(_number(form, "window", 1, 10**6, errors))
    if "path" in kind.options:
        given["path"] = form.get("path") or "*"
    if "types" in kind.options:
        given["types"] = tuple(form.get("types", "").replace(",", " ").split()) or ("*",)
    return given, errors


def _number(form: Mapping[str, str], name: str, minimum: int, maximum: int, errors: dict[str, str]) -> float:
    try:
        number = float(form.get(name, ""))
    except ValueError:
        number = float("nan")
    if not minimum <= number <= maximum:
        errors[name] = f"Enter a number from {minimum} to {maximum}."
        return minimum
    return number
