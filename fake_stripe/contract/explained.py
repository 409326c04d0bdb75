"""Where do we differ from Stripe's document on purpose, and why?

The document is of version 2026-05-27.dahlia, the library in use speaks 2026-10-28.endive. Every line here has a
reason; a line that nothing needed in a whole test run is out of date, and fails that run.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from fake_stripe.contract.faults import Fault


@dataclass(frozen=True, slots=True)
class Explained:
    """A fault that is none: `place` is a glob over Fault.place, `kind` the kind of fault that is forgiven."""

    place: str
    kind: str
    reason: str

    def covers(self, fault: Fault) -> bool:
        return fault.kind == self.kind and fnmatchcase(fault.place, self.place)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A parameter that the document still lists and the API refuses from version `since` on."""

    endpoint: str
    parameter: str
    since: str
    reason: str


EXPLAINED: tuple[Explained, ...] = (
    Explained(
        "POST /v1/webhook_endpoints: api_version",
        "choice",
        "the document's list of versions ends with its own; a shop names the one its library speaks",
    ),
    Explained(
        "POST /v1/checkout/sessions: allowed_payment_method_types",
        "unknown",
        "came with 2026-09-30.endive, in place of payment_method_types",
    ),
    Explained(
        "checkout.session: allowed_payment_method_types",
        "unknown",
        "came with 2026-09-30.endive, in place of payment_method_types",
    ),
    Explained(
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
