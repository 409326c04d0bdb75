"""What the owner does in the Dashboard: edit products, refund, resend events, roll secrets."""

import copy
from collections.abc import Mapping
from typing import Any

from fake_stripe import deliveries
from fake_stripe.account import Account, Call, Cause
from fake_stripe.errors import StripeError
from fake_stripe.params import Metadata
from fake_stripe.resources import disputes, payment_calls, products, refunds, webhook_endpoints
from fake_stripe.store import Json


class Dashboard:
    """Actions of the owner. Their events name a request, but never an idempotency key."""

    def __init__(self, account: Account, livemode: bool) -> None:
        self._account = account
        self._livemode = livemode
        self.names_requests = True

    def _call(self, params: Json, **args: str) -> Call:
        # Stripe does not document whether the event of a Dashboard edit names a request; tests can try both.
        request_id = self._account.ids.new("request") if self.names_requests else None
        return Call(self._account, Cause(request_id), self._livemode, params, args)

    def edit_product(self, id: str, *, metadata: Mapping[str, str] | None = None, **fields: Any) -> Json:
        """Change only the given fields and metadata keys; "" removes a key."""
        params: Json = dict(fields)
        if metadata is not None:
            params["metadata"] = Metadata().read(dict(metadata), "metadata")
        with self._account.store.transaction():
            return copy.deepcopy(products.update(self._call(params, id=id)))

    def read_form(self, id: str) -> dict[str, str]:
        """The metadata a product's form shows now, to be posted later with `save_stale_form`."""
        with self._account.store.lock:
            return dict(self._account.find("product", id, self._livemode)["metadata"])

    def save_stale_form(self, id: str, all_keys: Mapping[str, str]) -> Json:
        """Save a form that was opened earlier: every key it shows is posted back, changed or not.

        Metadata keys that are not in the form stay unchanged.
        """
        return self.edit_product(id, metadata=all_keys)

    def refund(
        self,
        *,
        payment_intent: str | None = None,
        charge: str | None = None,
        amount: int | None = None,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Json:
        """Refund the rest, or `amount` in minor units; returns the refund."""
        given = {
            "payment_intent": payment_intent,
            "charge": charge,
            "amount": amount,
            "reason": reason,
            "metadata": dict(metadata) if metadata else None,
        }
        params = {name: value for name, value in given.items() if value is not None}
        with self._account.store.transaction():
            return copy.deepcopy(refunds.create(self._call(params)))

    def fail_refund(self, id: str, reason: str = "lost_or_stolen_card") -> Json:
        """Let a refund fail, which a bank may do weeks later; returns the refund."""
        with self._account.store.transaction():
            refund = self._account.find("refund", id, self._livemode)
            return copy.deepcopy(refunds.fail(self._call({}), refund, reason))

    def dispute(
        self,
        payment_intent: str,
        *,
        amount: int | None = None,
        reason: str = "fraudulent",
        inquiry: bool = False,
    ) -> Json:
        """Let the customer's bank dispute a payment, or a part of it; returns the dispute."""
        with self._account.store.transaction():
            intent = self._account.find("payment_intent", payment_intent, self._livemode)
            charge = self._account.find("charge", intent["latest_charge"], self._livemode)
            call = Call(self._account, Cause(), self._livemode)
            opened = disputes.open_(call, charge, amount=amount, reason=reason, inquiry=inquiry)
            return copy.deepcopy(opened)

    def close_dispute(self, id: str, *, won: bool = False) -> Json:
        """Let the bank decide a dispute; returns the dispute."""
        with self._account.store.transaction():
            dispute = self._account.find("dispute", id, self._livemode)
            call = Call(self._account, Cause(), self._livemode)
            return copy.deepcopy(disputes.close(call, dispute, won=won))

    def capture(self, payment_intent: str) -> Json:
        """Capture an authorized payment; returns the payment intent."""
        with self._account.store.transaction():
            return copy.deepcopy(payment_calls.capture_intent(self._call({}, id=payment_intent)))

    def cancel_payment(self, payment_intent: str) -> Json:
        """Release an authorized payment, as Stripe does by itself after a week; returns the payment intent."""
        with self._account.store.transaction():
            return copy.deepcopy(payment_calls.cancel_intent(self._call({}, id=payment_intent)))

    def resend(self, event_id: str, endpoint_id: str | None = None) -> list[Json]:
        """Resend an event to one endpoint, or to all that are subscribed to it; due at once.

        Returns the deliveries. Raises StripeError if the endpoint is unknown or not subscribed.
        """
        with self._account.store.transaction():
            event = self._account.find("event", event_id, self._livemode)
            table = self._account.store.table("webhook_endpoint")
            chosen = [self._listener(event, endpoint_id)] if endpoint_id is not None else table.oldest_first()
            return [deliveries.resend(self._account, event, e) for e in chosen if deliveries.wants(e, event)]

    def _listener(self, event: Json, endpoint_id: str) -> Json:
        endpoint = self._account.find("webhook_endpoint", endpoint_id, self._livemode)
        if not deliveries.wants(endpoint, event):
            raise StripeError(f"The endpoint {endpoint_id} is not subscribed to {event['type']}.")
        return endpoint

    def roll_secret(self, endpoint_id: str, *, both_valid_for: int = 24 * 3600) -> str:
        """Create a new signing secret. For `both_valid_for` seconds deliveries are signed with both."""
        with self._account.store.transaction():
            endpoint = self._account.find("webhook_endpoint", endpoint_id, self._livemode)
            return webhook_endpoints.roll_secret(self._call({}), endpoint, both_valid_for=both_valid_for)
