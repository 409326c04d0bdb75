"""Check request parameters against tables of types and limits, and refuse unknown ones.

A table is built from the kinds below. `read(value, name)` turns the text of a form into a Python value, or
raises StripeError with the code and param of Stripe's answer. None means "unset".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from fake_stripe.currencies import CURRENCIES
from fake_stripe.errors import refused_before_running
from fake_stripe.forms import Form, Listed

INTEGER = re.compile(r"-?[0-9]{1,18}\Z")
DECIMAL = re.compile(r"[0-9]{1,18}(\.[0-9]{1,12})?\Z")
URL = re.compile(r"https?://[^\s/?#]+[^\s]*\Z", re.I)
# The parts between dots contain no dot, so the pattern cannot backtrack.
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+\Z")
MAX_EMAIL_LENGTH = 512
MAX_METADATA_KEYS = 50


class Kind(Protocol):
    """Reads one parameter."""

    def read(self, value: "str | Form", name: str) -> Any: ...


def _scalar(value: "str | Form", name: str, noun: str, unset: bool) -> str | None:
    if isinstance(value, dict):
        raise refused_before_running(f"Invalid {noun}: {name} was sent as a hash or an array", param=name)
    if value == "":
        if unset:
            return None
        message = f"You passed an empty string for '{name}', and '{name}' cannot be unset this way."
        raise refused_before_running(message, param=name, code="parameter_invalid_empty")
    return value


@dataclass(frozen=True)
class Text:
    """Text of at most `longest` characters; "" unsets it if `unset`."""

    max_length: int = 5000
    unset: bool = False
    pattern: re.Pattern[str] | None = None
    problem: str = "Invalid string"
    code: str | None = None

    def read(self, value: "str | Form", name: str) -> str | None:
        text = _scalar(value, name, "string", self.unset)
        if text is None:
            return None
        if "\0" in text:
            raise refused_before_running(f"Invalid string: {name} contains a NUL character", param=name)
        if len(text) > self.max_length:
            message = (
                f"Invalid string: {name} may have at most {self.max_length} characters, and has {len(text)}"
            )
            raise refused_before_running(message, param=name)
        if self.pattern and not self.pattern.match(text):
            raise refused_before_running(f"{self.problem}: {text[:100]}", param=name, code=self.code)
        return text


def url(unset: bool = False, max_length: int = 5000) -> Text:
    """An http or https URL."""
    return Text(
        max_length=max_length, unset=unset, pattern=URL, problem="Not a valid URL", code="url_invalid"
    )


def email() -> Text:
    """An email address, checked by a pattern only."""
    return Text(
        max_length=MAX_EMAIL_LENGTH, pattern=EMAIL, problem="Invalid email address", code="email_invalid"
    )


def is_email(text: str) -> bool:
    """Whether `text` has the form of an email address."""
    return len(text) <= MAX_EMAIL_LENGTH and EMAIL.match(text) is not None


@dataclass(frozen=True)
class Currency:
    """A currency code in any case; read as lower case."""

    def read(self, value: "str | Form", name: str) -> str | None:
        text = (_scalar(value, name, "string", False) or "").lower()
        if text not in CURRENCIES:
            raise refused_before_running(f"Invalid currency: {text[:20]}", param=name)
        return text


@dataclass(frozen=True)
class Integer:
    """A whole number within inclusive bounds."""

    minimum: int = -(2**53)
    maximum: int = 2**53
    unset: bool = False

    def read(self, value: "str | Form", name: str) -> int | None:
        text = _scalar(value, name, "integer", self.unset)
        if text is None:
            return None
        if not INTEGER.match(text):
            raise self._refuse(f"Invalid integer: {text[:50]}", name)
        number = int(text)
        if number < self.minimum:
            raise self._refuse(f"This value must be at least {self.minimum}, and is {number}", name)
        if number > self.maximum:
            raise self._refuse(f"This value must be at most {self.maximum}, and is {number}", name)
        return number

    def _refuse(self, message: str, name: str) -> Exception:
        return refused_before_running(message, param=name, code="parameter_invalid_integer")


@dataclass(frozen=True)
class DecimalText:
    """A decimal number that stays text, such as `unit_amount_decimal`; at most 12 decimals."""

    maximum: int = 2**53

    def read(self, value: "str | Form", name: str) -> str | None:
        text = _scalar(value, name, "decimal", False) or ""
        if not DECIMAL.match(text) or Decimal(text) > self.maximum:
            raise refused_before_running(f"Invalid decimal: {text[:50]}", param=name)
        return text


@dataclass(frozen=True)
class Number:
    """A number that may have decimals."""

    minimum: float = 0.0

    def read(self, value: "str | Form", name: str) -> float | None:
        text = _scalar(value, name, "number", False) or ""
        if not re.match(r"-?[0-9]{1,15}(\.[0-9]{1,15})?\Z", text) or float(text) < self.minimum:
            raise refused_before_running(f"Invalid decimal: {text[:50]}", param=name)
        return float(text)


@dataclass(frozen=True)
class Boolean:
    """The text true or false, in any case."""

    def read(self, value: "str | Form", name: str) -> bool | None:
        # Older libraries send Python's True and False.
        text = (_scalar(value, name, "boolean", False) or "").lower()
        if text not in ("true", "false"):
            raise refused_before_running(f"Invalid boolean: {str(text)[:50]}", param=name)
        return text == "true"


@dataclass(frozen=True)
class Enum:
    """One of a closed list of values."""

    words: tuple[str, ...]
    unset: bool = False

    def read(self, value: "str | Form", name: str) -> str | None:
        text = _scalar(value, name, "string", self.unset)
        if text is not None and text not in self.words:
            shown = ", ".join(self.words[:60]) + (" ..." if len(self.words) > 60 else "")
            message = f"Invalid {name}: must be one of {shown}"
            raise refused_before_running(message, param=name)
        return text


def one_of(*words: str, unset: bool = False) -> Enum:
    """Short for Enum: one_of("payment", "setup")."""
    return Enum(words, unset)


@dataclass(frozen=True)
class NotSupported:
    """A parameter that Stripe accepts and the fake does not support."""

    what: str

    def read(self, value: "str | Form", name: str) -> None:
        raise refused_before_running(f"fake_stripe does not support {self.what}.", param=name)


@dataclass(frozen=True)
class ListOf:
    """An array (`name[0]=...`) of at most `longest` things of one kind; "" empties it where `unset` allows."""

    kind: Kind
    max_length: int = 1000
    unset: bool = False
    minimum: int = 0

    def read(self, value: "str | Form", name: str) -> list[Any]:
        if value == "" and self.unset:
            return []
        if not isinstance(value, dict) or not all(key.isdecimal() and len(key) < 7 for key in value):
            raise refused_before_running(f"Invalid array: {name}", param=name)
        if len(value) > self.max_length:
            message = f"Array {name} may have at most {self.max_length} elements, and has {len(value)}"
            raise refused_before_running(message, param=name)
        if len(value) < self.minimum:
            raise refused_before_running(
                f"Array {name} must have at least {self.minimum} elements", param=name
            )
        return [self.kind.read(value[key], f"{name}[{key}]") for key in sorted(value, key=int)]


@dataclass(frozen=True)
class Shape:
    """A hash with known keys. At most one of `exclusive` may be present."""

    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()
    unset: bool = False

    def read(self, value: "str | Form", name: str) -> dict[str, Any] | None:
        if value == "" and self.unset:
            return None
        if not isinstance(value, dict):
            raise refused_before_running(f"Invalid object: {name}", param=name)
        return self.read_all(value, name)

    def read_all(self, form: Form, name: str = "") -> dict[str, Any]:
        """Read every key; `name` is the text before the brackets."""
        self._refuse_unknown(form, name)
        clean = {key: self.fields[key].read(value, join(name, key)) for key, value in form.items()}
        for key in self.required:
            if key not in clean:
                full = join(name, key)
                message = f"Missing required param: {full}."
                raise refused_before_running(message, param=full, code="parameter_missing")
        self._refuse_both(clean, name)
        return clean

    def _refuse_unknown(self, form: Form, name: str) -> None:
        unknown = [join(name, key) for key in form if key not in self.fields]
        if unknown:
            plural = "s" if len(unknown) > 1 else ""
            message = f"Received unknown parameter{plural}: {', '.join(unknown)[:500]}"
            raise refused_before_running(message, param=unknown[0][:500], code="parameter_unknown")

    def _refuse_both(self, clean: Mapping[str, Any], name: str) -> None:
        both = [join(name, key) for key in self.exclusive if key in clean]
        if len(both) > 1:
            message = f"You may only specify one of these parameters: {', '.join(both)}."
            raise refused_before_running(message, param=both[0], code="parameters_exclusive")


@dataclass(frozen=True)
class MapOf:
    """A hash with any keys and one kind of value, such as `currency_options[eur]`."""

    key: Kind
    kind: Kind
    unset: bool = False

    def read(self, value: "str | Form", name: str) -> dict[str, Any]:
        if value == "" and self.unset:
            return {}
        if not isinstance(value, dict) or isinstance(value, Listed):
            raise refused_before_running(f"Invalid object: {name}", param=name)
        names = {key: join(name, key) for key in value}
        return {self.key.read(k, names[k]): self.kind.read(v, names[k]) for k, v in value.items()}


@dataclass(frozen=True)
class Either:
    """One kind for plain text and another for a hash, as for `created`."""

    plain: Kind
    nested: Kind

    def read(self, value: "str | Form", name: str) -> Any:
        return (self.nested if isinstance(value, dict) else self.plain).read(value, name)


@dataclass(frozen=True)
class Metadata:
    """Up to 50 keys of 40 characters with values of 500. "" as a value unsets a key, "" as the whole unsets all."""

    def read(self, value: "str | Form", name: str) -> dict[str, str] | None:
        if value == "":
            return None
        if not isinstance(value, dict) or isinstance(value, Listed):
            raise refused_before_running(f"Invalid object: {name}", param=name)
        for key, text in value.items():
            self._check(key, text, name)
        _check_keys(sum(text != "" for text in value.values()), name)
        return {key: str(text) for key, text in value.items()}

    def _check(self, key: str, text: "str | Form", name: str) -> None:
        full = f"{name}[{key}]"
        if isinstance(text, dict):
            message = f"Metadata values are text: {full} was sent as a hash. Keys may not contain brackets."
            raise refused_before_running(message, param=full)
        if len(key) > 40:
            raise refused_before_running(
                f"Metadata keys may have at most 40 characters: {key[:60]}", param=name
            )
        if len(text) > 500:
            message = f"Metadata values may have at most 500 characters, and {full} has {len(text)}."
            raise refused_before_running(message, param=full)
        if "\0" in text or "\0" in key:
            raise refused_before_running(f"Invalid string: {full} contains a NUL character", param=full)


def merge_metadata(old: Mapping[str, str], change: Mapping[str, str] | None) -> dict[str, str]:
    """`old` updated with `change`: "" removes a key, None removes all. Raises if more than 50 keys remain."""
    if change is None:
        return {}
    merged = {key: value for key, value in {**old, **change}.items() if value != ""}
    _check_keys(len(merged), "metadata")
    return merged


def _check_keys(count: int, name: str) -> None:
    if count > MAX_METADATA_KEYS:
        message = f"Metadata may have at most {MAX_METADATA_KEYS} keys, and this would have {count}."
        raise refused_before_running(message, param=name)


def join(name: str, key: str) -> str:
    """The full name of a key: `a[b][c]` of "a[b]" and "c", "c" of "" and "c"."""
    return f"{name}[{key}]" if name else key


EXPAND = ListOf(Text(), max_length=20)
CREATED = Either(Integer(), Shape({op: Integer() for op in ("gt", "gte", "lt", "lte")}))
PAGE: dict[str, Kind] = {
    "limit": Integer(minimum=1, maximum=100),
    "starting_after": Text(),
    "ending_before": Text(),
    "expand": EXPAND,
}


def listing(**filters: Kind) -> Shape:
    """The table of a list call: its filters, cursors, limit and expand."""
    return Shape({**PAGE, **filters}, exclusive=("starting_after", "ending_before"))


def body(
    shared: Mapping[str, Kind] | None = None,
    *,
    required: Iterable[str] = (),
    exclusive: Iterable[str] = (),
    **fields: Kind,
) -> Shape:
    """The table of any other call: `shared`, `fields` and expand."""
    return Shape({"expand": EXPAND, **(shared or {}), **fields}, tuple(required), tuple(exclusive))
