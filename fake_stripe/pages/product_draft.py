"""The form of a product, and which of its fields are sent to Stripe.

The form carries the values it was opened with. So it can send only what was changed, or every key as shown, which
simulates a page that was opened earlier and overwrites sales made since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fake_stripe.pages.web import Request

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Edited:
    """A value in the form now, and when the form was opened; None if it did not exist then."""

    now: str
    was: str | None

    @property
    def changed(self) -> bool:
        return self.now != self.was


@dataclass(frozen=True)
class Draft:
    """The form of a product. `active` is "yes" or empty, as a checkbox sends it."""

    name: Edited
    description: Edited
    active: Edited
    metadata: Mapping[str, Edited]

    def changes(self, *, everything: bool) -> dict[str, Any]:
        """The parameters of the update: the changed fields, or with `everything` all of them."""
        own = {"name": self.name, "description": self.description}
        sent: dict[str, Any] = {name: text.now for name, text in own.items() if everything or text.changed}
        if everything or self.active.changed:
            sent["active"] = "true" if self.active.now else "false"
        metadata = {key: text.now for key, text in self.metadata.items() if everything or text.changed}
        return sent | ({"metadata": metadata} if metadata else {})


def of_product(product: Json) -> Draft:
    active = "yes" if product["active"] else ""
    return Draft(
        _untouched(product["name"]),
        _untouched(product["description"] or ""),
        _untouched(active),
        {key: _untouched(value) for key, value in product["metadata"].items()},
    )


def of_form(request: Request) -> Draft:
    """The posted form. Keys without a name and new keys without a value are ignored."""
    metadata = {}
    for number in [name.removeprefix("key_") for name, _ in request.form if name.startswith("key_")]:
        key, text = request.value(f"key_{number}"), _edited(request, f"value_{number}", f"was_{number}")
        if key and (text.now or text.was is not None):
            metadata[key] = text
    own = [_edited(request, name, f"was_{name}") for name in ("name", "description", "active")]
    return Draft(own[0], own[1], own[2], metadata)


def _untouched(text: str) -> Edited:
    return Edited(text, text)


def _edited(request: Request, now: str, was: str) -> Edited:
    before = request.values(was)
    return Edited(_typed(request.values(now)), _typed(before) if before else None)


def _typed(found: list[str]) -> str:
    """The last value, with line breaks as LF; browsers send those of a textarea as CR LF."""
    return found[-1].replace("\r\n", "\n") if found else ""
