"""How does somebody let things go wrong, and let time pass?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fake_stripe.pages.forms import Choice, select, text_field
from fake_stripe.pages.html import Markup, fill, join
from fake_stripe.pages.parts import button, code, sheet, table

Json = Mapping[str, Any]
WHEN = (("before", "Before it takes effect"), ("after", "After it took effect"))
STORED = (("yes", "Remembered under the key"), ("", "Forgotten: the key may be tried again"))
PARALLEL = (("", "One after the other"), ("yes", "At the same moment"))
ENFORCED = (("", "Not counted"), ("yes", "429 beyond 25 a second, live 100"))
SKIPS = (
    ("60", "A minute"),
    ("1860", "31 minutes: a short checkout expires"),
    ("3600", "An hour"),
    ("86400", "A day: keys are forgotten, checkouts expire"),
    ("604800", "A week"),
)


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault: how it is called, and which of the form's options it takes."""

    kind: str
    words: str
    options: tuple[str, ...] = ()
    of_calls: bool = True


KINDS = (
    FaultKind("latency", "Calls are slow", ("seconds", "when", "path")),
    FaultKind("error_500", "Calls answer 500", ("when", "stored", "path")),
    FaultKind("error_429", "Calls answer 429, too many", ("path",)),
    FaultKind("lock_timeout", "Calls answer 429, lock time-out", ("path",)),
    FaultKind("cut", "The connection is cut", ("when", "path")),
    FaultKind("duplicate", "Events are delivered in copies", ("copies", "parallel", "types"), of_calls=False),
    FaultKind("twin", "Events have a twin of another id", ("types",), of_calls=False),
    FaultKind("delay", "Events come late", ("seconds", "types"), of_calls=False),
    FaultKind("reorder", "Events come in another order", ("window", "types"), of_calls=False),
    FaultKind("drop", "Events are never delivered", ("types",), of_calls=False),
)
BY_KIND = {kind.kind: kind for kind in KINDS}


@dataclass(frozen=True)
class Limits:
    """What the fake does by itself: counting calls, and how many seconds a call waits for an object."""

    enforced: bool
    patience: float


def fault_page(
    rules: Iterable[Json], limits: Limits, filled: Mapping[str, str], errors: Mapping[str, str]
) -> Markup:
    """The rules in force, the form that adds one, the clock, and the limits."""
    rows = [_rule_row(rule) for rule in rules]
    names = ("What goes wrong", "Where", "How often", "So far", "")
    listed = table("Faults in force", names, rows, empty="Nothing goes wrong on purpose.")
    stop = button("/dashboard/faults", "Let everything work again", {"do": "clear"})
    inforce = sheet("In force", listed, *([stop] if rows else []))
    left = Markup(f'<div class="stack">{inforce}{_fault_form(filled, errors)}</div>')
    right = Markup(f'<div class="stack">{_clock_form(errors)}{_limits_form(limits, filled, errors)}</div>')
    return Markup(f'<div class="two">{left}{right}</div>')


def _rule_row(rule: Json) -> Sequence[object]:
    kind = BY_KIND[rule["kind"]]
    where = f"{rule['method']} {rule['path']}" if kind.of_calls else ", ".join(rule["types"])
    left = "always" if rule["times"] is None else f"{rule['times']} ×"
    chance = f", {rule['probability']:.0%} of them" if rule["probability"] < 1 else ""
    ending = button("/dashboard/faults", "Remove", {"do": "remove", "rule": rule["id"]}, about=kind.words)
    return f"{kind.words}{_detail(rule)}", code(where), f"{left}{chance}", f"{rule['used']} ×", ending


def _detail(rule: Json) -> str:
    takes = BY_KIND[rule["kind"]].options
    words = {
        "seconds": f"{rule['seconds']:g} s",
        "when": f"{rule['when']} the effect",
        "stored": "" if rule["stored"] else "not remembered",
        "copies": f"{rule['copies']} of them",
        "parallel": "at the same moment" if rule["parallel"] else "",
        "window": f"up to {rule['window']} places later",
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
        select("kind", "What goes wrong", kinds, filled.get("kind", "error_500"), errors=errors),
        choice("when", "When", WHEN, "before", "For slow, failing and cut calls."),
        text("seconds", "Seconds", "5", "For slow calls and late events.", inputmode="decimal"),
        choice("stored", "The answer is", STORED, "yes", "For calls that answer 500."),
        text("copies", "Copies", "2", "In all.", inputmode="numeric"),
        choice("parallel", "They come", PARALLEL, "", "For events in copies."),
        text("window", "Places", "5", "How far behind, for events in another order.", inputmode="numeric"),
        text("path", "Calls to", "/v1/*", "For calls; * stands for anything."),
        text("types", "Events of type", "*", "For events; * stands for anything."),
        text("times", "How many times", "1", "0: until it is removed.", inputmode="numeric"),
        text("percent", "Of a hundred, how many", "100", "100: each one.", inputmode="numeric"),
    ]
    return sheet("Let something go wrong", fill("fault_form", fields=join(fields)))


def _clock_form(errors: Mapping[str, str]) -> Markup:
    choice = select("seconds_on", "Let pass", SKIPS, "1860", errors=errors, hint="Time only runs forward.")
    return sheet("The clock", fill("clock_form", field=choice))


def _limits_form(limits: Limits, filled: Mapping[str, str], errors: Mapping[str, str]) -> Markup:
    enforced = filled.get("enforced", "yes" if limits.enforced else "")
    patience = filled.get("patience", f"{limits.patience:g}")
    fields = [
        select("enforced", "Calls", ENFORCED, enforced, errors=errors),
        text_field(
            "patience",
            "Patience",
            patience,
            errors=errors,
            hint="Seconds that a change waits for another one of the same object; then 429, lock time-out.",
            autocomplete="off",
            inputmode="decimal",
        ),
    ]
    return sheet("Limits", fill("limits_form", fields=join(fields)))


def limits(form: Mapping[str, str]) -> tuple[Limits, dict[str, str]]:
    """The limits that were typed, and what is wrong with them, by field."""
    errors: dict[str, str] = {}
    patience = _number(form, "patience", 0, 3600, errors)
    return Limits(form.get("enforced") == "yes", patience), errors


def options(form: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What Faults.add takes of what was typed, and what is wrong with it, by field."""
    kind = BY_KIND.get(form.get("kind", ""))
    if kind is None:
        return {}, {"kind": "Please choose one of the list."}
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
        errors[name] = f"A number from {minimum} to {maximum}."
        return minimum
    return number
