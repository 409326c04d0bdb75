"""What is wrong with a value, where, and how is it told to a person?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One difference from the document.

    `kind` is one of unknown, missing, type, choice, length, format, value, withdrawn. `path` leads to it from the
    outside; `owner` is the innermost of Stripe's named schemas around it, and `inside` the path from there.
    """

    kind: str
    text: str
    path: Path = ()
    owner: str = ""
    inside: Path = ()

    def under(self, step: str) -> Fault:
        """The same fault, seen from one level further out."""
        inside = self.inside if self.owner else (step, *self.inside)
        return replace(self, path=(step, *self.path), inside=inside)

    def owned_by(self, name: str) -> Fault:
        """The same fault, leaving a named schema."""
        return self if self.owner else replace(self, owner=name)

    @property
    def place(self) -> str:
        """Where it is in terms that hold wherever the object stands: `checkout.session: ui_mode`."""
        return f"{self.owner}: {'.'.join(self.inside)}"

    def __str__(self) -> str:
        where = ".".join(self.path) or "the whole"
        return f"{where}: {self.text} [{self.kind}; {self.place}]"


class ContractBroken(AssertionError):
    """A request, answer or event that Stripe's document does not describe; `faults` lists each difference."""

    def __init__(self, what: str, faults: Sequence[Fault]) -> None:
        self.what = what
        self.faults = tuple(faults)
        lines = "".join(f"\n  {fault}" for fault in self.faults)
        super().__init__(f"{what} is not as Stripe's document describes it:{lines}")
