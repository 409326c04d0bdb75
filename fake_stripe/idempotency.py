"""Stripe's idempotency keys: https://docs.stripe.com/api/idempotent_requests"""

import hashlib
import json
import threading
from dataclasses import dataclass
from typing import Any

from fake_stripe.account import Account
from fake_stripe.errors import StripeError
from fake_stripe.store import Json

RETENTION = 24 * 3600
MAX_KEY_LENGTH = 255


@dataclass(frozen=True)
class StoredAnswer:
    """The first answer under a key, which is replayed to later requests."""

    status: int
    body: str
    request_id: str


class Idempotency:
    """Idempotency keys. Answers are rows of the store, committed together with the changes they report."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, name: str, fingerprint: str) -> StoredAnswer | None:
        """Claim a key. Returns None if it is new and the caller should run, or the answer to replay.

        Raises StripeError: 400 if the key was used with other parameters, 409 while it is running.
        """
        with self._lock:
            if name in self._running:
                raise _in_use()
            row = self._known(name)
            if row is None:
                self._running.add(name)
                return None
        if row["fingerprint"] != fingerprint:
            raise _mismatch(name.partition(":")[2])
        return StoredAnswer(row["status"], row["body"], row["request"])

    def store(self, name: str, fingerprint: str, answer: StoredAnswer) -> None:
        """Store the answer; call it inside the transaction of the changes."""
        row = {
            "fingerprint": fingerprint,
            "status": answer.status,
            "body": answer.body,
            "request": answer.request_id,
            "created": self._account.clock.now(),
        }
        self._account.store.put("idempotency", name, row)

    def end(self, name: str) -> None:
        """Release the key when its request has ended."""
        with self._lock:
            self._running.discard(name)

    def prune(self) -> None:
        """Delete keys older than 24 hours; call it inside a transaction."""
        # Checks all rows: a key that was used again keeps its first place, so the order is not by age.
        oldest = self._account.clock.now() - RETENTION
        rows = self._account.store.table("idempotency").rows
        for name in [name for name, row in rows.items() if row["created"] <= oldest]:
            self._account.store.remove("idempotency", name)

    def _known(self, name: str) -> Json | None:
        row = self._account.store.get("idempotency", name)
        return None if row is None or self._old(row) else row

    def _old(self, row: Json) -> bool:
        return bool(row["created"] + RETENTION <= self._account.clock.now())


def fingerprint(method: str, path: str, params: Any) -> str:
    """A hash of what must be equal in every request with the same key."""
    text = json.dumps([method, path, params], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_key(key: str) -> None:
    """Raise a 400 for a key that is empty or longer than 255 characters."""
    if not key or len(key) > MAX_KEY_LENGTH:
        message = f"Idempotency keys must have 1 to {MAX_KEY_LENGTH} characters, and this one has {len(key)}."
        raise StripeError(message, type="idempotency_error", executed=False)


def _mismatch(key: str) -> StripeError:
    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"'{key}' was used with different parameters."
    )
    return StripeError(message, type="idempotency_error", executed=False)


def _in_use() -> StripeError:
    message = "Another request with this idempotency key is still in progress."
    return StripeError(
        message, status=409, type="idempotency_error", code="idempotency_key_in_use", executed=False
    )
