"""What does the form of a product hold, and which of it is sent to Stripe?

The form carries what it showed when it was opened. So it can send only what a person changed, as a fresh page
would, or every key as shown, as a page that lay open does: what was sold meanwhile is then undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fake_stripe.pages.web import Request

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Edited:
    """A text as it stands in the form, and as it was when the form was opened; None: it was not there."""

    now: str
    was: str | None

    @property
    def changed(self) -> bool:
        return self.now != self.was


@dataclass(frozen=True)
class Draft:
    """A product as its form has it. `active` is "yes" or empty, as a box that is ticked or not."""

    name: Edited
    description: Edited
    active: Edited
    metadata: Mapping[str, Edited]

    def changes(self, *, everything: bool) -> dict[str, Any]:
        """What is sent, as the parameters of an update: the changed parts, or all of them."""
        own = {"name": self.name, "description": self.description}
        sent: dict[str, Any] = {name: text.now for name, text in own.items() if everything or text.changed}
        if everything or self.active.changed:
            sent["active"] = "true" if self.active.now else "false"
        metadata = {key: text.now for key, text in self.metadata.items() if everything or text.changed}
        return sent | ({"metadata": metadata} if metadata else {})


def of_product(product: Json) -> Draft:
    """The form as it is opened."""
    active = "yes" if product["active"] else ""
    return Draft(
        _untouched(product["name"]),
        _untouched(product["description"] or ""),
        _untouched(active),
        {key: _untouched(value) for key, value in product["metadata"].items()},
    )


def of_form(request: Request) -> Draft:
    """The form as it was posted. A key without name, or a new one without value, is nothing."""
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
    """Browsers send the line breaks of a box as CR LF."""
    return found[-1].replace("\r\n", "\n") if found else ""
