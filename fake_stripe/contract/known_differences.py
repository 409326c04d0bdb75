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
        "v2.core.event: snapshot_event",
        "unknown",
        "added in 2026-09-30.endive, with thin events for resources of API v1",
    ),
    KnownDifference(
        "v2.commerce.product_catalog_import: mode",
        "unknown",
        "readable since 2026-06-24.dahlia",
    ),
    KnownDifference(
        "price: external_reference",
        "unknown",
        "of 2025-12-15.preview: what the catalog of an agent calls the article",
    ),
    KnownDifference(
        "*: ui_mode",
        "choice",
        "`form` was added after the document's version",
    ),
)

WITHDRAWN: tuple[Withdrawn, ...] = tuple(
    Withdrawn(
        endpoint,
        "payment_method_types",
        "2026-09-30",
        "removed in 2026-09-30.endive; use allowed_ or excluded_payment_method_types, or the Dashboard",
    )
    for endpoint in (
        "POST /v1/checkout/sessions",
        "POST /v1/payment_intents",
        "POST /v1/payment_intents/{intent}",
        "POST /v1/payment_intents/{intent}/confirm",
    )
)

# Paths of the Stripe CLI that the document does not contain. Only refusals by them are checked.
OUTSIDE_THE_DOCUMENT = (
    "/v1/events/*/retry",
    "/v1/payment_pages/*",
    "/v1/payment_pages/*/confirm",
    "/v1/stripecli/sessions",
)


def is_outside(path: str) -> bool:
    """Whether a path is known to be missing in the document."""
    return any(fnmatchcase(path, pattern) for pattern in OUTSIDE_THE_DOCUMENT)
