"""The shop's webhook endpoint at Stripe: compare it with what the shop needs, plan the changes, apply them.

Stripe shows the secret of an endpoint once, when it is created, and its API version cannot be changed. So an endpoint
whose secret or version does not fit is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from django.conf import settings

from config.stripe_events import EVENTS
from inventory import gateway
from inventory.gateway import WebhookEndpoint
from inventory.urls import WEBHOOK_PATHS

PING_TIMEOUT = 3.0  # seconds


def webhook_url() -> str:
    return f"{settings.SITE_URL}/{WEBHOOK_PATHS[0]}"


def ours_among(endpoints: Sequence[WebhookEndpoint]) -> list[WebhookEndpoint]:
    """Those that post to this shop, the oldest first. Both spellings of the path count."""
    urls = {f"{settings.SITE_URL}/{path}" for path in WEBHOOK_PATHS}
    return sorted((each for each in endpoints if each.url in urls), key=lambda each: each.created_at)


def has_configured_secret(endpoint: WebhookEndpoint) -> bool | None:
    """None if it cannot be known: the endpoint was not created by connect_stripe."""
    if not endpoint.fingerprint:
        return None
    return endpoint.fingerprint in map(gateway.fingerprint, settings.STRIPE_WEBHOOK_SECRETS)


@dataclass(frozen=True)
class Plan:
    """What connect_stripe does: adopt `keep` or create an endpoint, and delete the others of the same URL."""

    keep: WebhookEndpoint | None
    delete: tuple[WebhookEndpoint, ...]
    reason: str  # why an existing endpoint is replaced

    @property
    def changes_nothing(self) -> bool:
        return self.keep is not None and not self.delete and not list(differences(self.keep))

    def lines(self) -> Iterator[str]:
        if self.keep is None:
            yield f"create the webhook endpoint {webhook_url()} with {len(EVENTS)} events" + self.reason
        else:
            yield from (f"{self.keep.id}: {difference}" for difference in differences(self.keep))
        for endpoint in self.delete:
            yield f"delete {endpoint.id}, another endpoint of the same URL"


def plan(endpoints: Sequence[WebhookEndpoint]) -> Plan:
    ours = [each for each in ours_among(endpoints) if not each.rotating]
    usable = [each for each in ours if _version_fits(each) and has_configured_secret(each) is not False]
    # An endpoint whose secret is known to be configured comes first, then one that is enabled.
    usable.sort(key=lambda each: (has_configured_secret(each) is None, not each.enabled))
    keep = usable[0] if usable and settings.STRIPE_WEBHOOK_SECRETS else None
    reason = ""
    if ours and keep is None:
        outdated = settings.STRIPE_WEBHOOK_SECRETS and not any(map(_version_fits, ours))
        cause = "has another API version" if outdated else "has a secret that the shop does not know"
        reason = f", because the present one {cause}"
    return Plan(keep, tuple(each for each in ours if each is not keep), reason)


def differences(endpoint: WebhookEndpoint) -> Iterator[str]:
    if not endpoint.enabled:
        yield "enable it"
    if endpoint.url != webhook_url():
        yield f"change its URL to {webhook_url()}"
    missing, superfluous = missing_events(endpoint), endpoint.events - EVENTS.keys()
    if missing:
        yield f"add {', '.join(missing)}"
    if superfluous:
        yield f"remove {', '.join(sorted(superfluous))}"


def missing_events(endpoint: WebhookEndpoint) -> list[str]:
    return [] if "*" in endpoint.events else sorted(EVENTS.keys() - endpoint.events)


def apply(planned: Plan) -> str:
    """Carry out the plan. Returns the secret of a new endpoint, or "". Raises StripeCallError."""
    secret = ""
    if planned.keep is None:
        _id, secret = gateway.create_webhook_endpoint(webhook_url(), list(EVENTS))
    elif list(differences(planned.keep)):
        gateway.update_webhook_endpoint(planned.keep.id, url=webhook_url(), events=list(EVENTS))
    # Last: until here a failure leaves at least the endpoint that there was.
    for endpoint in planned.delete:
        gateway.delete_webhook_endpoint(endpoint.id)
    return secret


def ping(secret: str, *, url: str = "") -> str:
    """Post a signed ping to the running shop, as Stripe would. Returns "" if it is accepted, else the reason."""
    header = {
        "Stripe-Signature": gateway.signature_header(gateway.PING, secret),
        "Content-Type": "application/json",
    }
    try:
        answer = requests.post(
            url or webhook_url(), gateway.PING, headers=header, timeout=PING_TIMEOUT, allow_redirects=False
        )
    except requests.RequestException as exc:
        return f"{urlsplit(url or webhook_url()).netloc} does not answer ({type(exc).__name__})."
    if answer.status_code == 200:
        return ""
    return f"it answers {answer.status_code}: {' '.join(answer.text[:200].split())}"


def _version_fits(endpoint: WebhookEndpoint) -> bool:
    # Without a version the endpoint follows the account's default, which may be the library's as well.
    return endpoint.api_version in {"", gateway.library_version()}
