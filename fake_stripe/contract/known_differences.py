"""Where do we differ from Stripe's document on purpose, and why?

The document is of version 2026-05-27.dahlia, the library in use speaks 2026-10-28.endive. Every line here has a
reason; a line that nothing needed in a whole test run is out of date, and fails that run.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from fake_stripe.contract.violations import Violation


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """A violation that is none: `place` is a glob over Violation.place, `kind` the kind of violation that is forgiven."""

    place: str
    kind: str
    reason: str

    def covers(self, violation: Violation) -> bool:
        return violation.kind == self.kind and fnmatchcase(violation.place, self.place)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A parameter that the document still lists and the API refuses from version `since` on."""

    endpoint: str
    parameter: str
    since: str
    reason: str


KNOWN_DIFFERENCES: tuple[KnownDifference, ...] = (
    KnownDifference(
        "POST /v1/webhook_endpoints: api_version",
        "choice",
        "the document's list of versions ends with its own; a shop names the one its library speaks",
    ),
    KnownDifference(
        "POST /v1/checkout/sessions: allowed_payment_method_types",
        "unknown",
        "came with 2026-09-30.endive, in place of payment_method_types",
    ),
    KnownDifference(
        "checkout.session: allowed_payment_method_types",
        "unknown",
        "came with 2026-09-30.endive, in place of payment_method_types",
    ),
    KnownDifference(
        "*: ui_mode",
        "choice",
        "`form` came after the document; the other three words are in it",
    ),
)

WITHDRAWN: tuple[Withdrawn, ...] = (
    Withdrawn(
        "POST /v1/checkout/sessions",
        "payment_method_types",
        "2026-09-30",
        "gone since 2026-09-30.endive; use allowed_ or excluded_payment_method_types, or the Dashboard",
    ),
)
