"""Known differences from Stripe's document, each with its reason.

The document has version 2026-05-27.dahlia, the stripe library in use 2026-10-28.endive. An entry that was not needed
in a whole test run is outdated and fails the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from fake_stripe.contract.violations import Violation


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """An accepted violation. `place` is a glob over Violation.place, `kind` the Violation.kind."""

    place: str
    kind: str
    reason: str

    def covers(self, violation: Violation) -> bool:
        return violation.kind == self.kind and fnmatchcase(violation.place, self.place)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A parameter in the document that the API refuses from version `since` on."""

    endpoint: str
    parameter: str
    since: str
    reason: str


KNOWN_DIFFERENCES: tuple[KnownDifference, ...] = (
    KnownDifference(
        "POST /v1/webhook_endpoints: api_version",
        "choice",
        "the document lists versions up to its own; a shop names the version of its library",
    ),
    KnownDifference(
        "POST /v1/checkout/sessions: allowed_payment_method_types",
        "unknown",
        "added in 2026-09-30.endive, replacing payment_method_types",
    ),
    KnownDifference(
        "checkout.session: allowed_payment_method_types",
        "unknown",
        "added in 2026-09-30.endive, replacing payment_method_types",
    ),
    KnownDifference(
        "*: ui_mode",
        "choice",
        "`form` was added after the document's version",
    ),
)

WITHDRAWN: tuple[Withdrawn, ...] = (
    Withdrawn(
        "POST /v1/checkout/sessions",
        "payment_method_types",
        "2026-09-30",
        "removed in 2026-09-30.endive; use allowed_ or excluded_payment_method_types, or the Dashboard",
    ),
)
