"""A violation of Stripe's document, and the error that lists violations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """One difference from the document.

    `kind` is one of unknown, missing, type, choice, length, format, value, withdrawn. `path` leads to it from the
    outside; `owner` is the innermost of Stripe's named schemas around it, and `inside` the path from there.
    """

    kind: str
    text: str
    path: Path = ()
    owner: str = ""
    inside: Path = ()

    def under(self, step: str) -> Violation:
        """The same violation with its path extended by an outer step."""
        inside = self.inside if self.owner else (step, *self.inside)
        return replace(self, path=(step, *self.path), inside=inside)

    def owned_by(self, name: str) -> Violation:
        """The same violation with its owner set, unless an inner schema owns it already."""
        return self if self.owner else replace(self, owner=name)

    @property
    def place(self) -> str:
        """The owner and the path from it, independent of where the object is: `checkout.session: ui_mode`."""
        return f"{self.owner}: {'.'.join(self.inside)}"

    def __str__(self) -> str:
        where = ".".join(self.path) or "(root)"
        return f"{where}: {self.text} [{self.kind}; {self.place}]"


class ContractBroken(AssertionError):
    """A request, answer or event that violates Stripe's document; see `violations`."""

    def __init__(self, what: str, violations: Sequence[Violation]) -> None:
        self.what = what
        self.violations = tuple(violations)
        lines = "".join(f"\n  {violation}" for violation in self.violations)
        super().__init__(f"{what} violates Stripe's document:{lines}")
