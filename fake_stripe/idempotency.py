"""Was this request made before? Stripe's idempotency keys: https://docs.stripe.com/api/idempotent_requests"""

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
    """The first answer to a key: what a second request with it gets again."""

    status: int
    body: str
    request_id: str


class Idempotency:
    """The memory of keys. Answers are rows of the store, kept in the transaction of their effect."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, name: str, fingerprint: str) -> StoredAnswer | None:
        """Claim a key: None if it is new and the caller shall run, or the answer to replay.

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
        """Keep the answer, inside the transaction that took effect."""
        row = {
            "fingerprint": fingerprint,
            "status": answer.status,
            "body": answer.body,
            "request": answer.request_id,
            "created": self._account.clock.now(),
        }
        self._account.store.put("idempotency", name, row)

    def end(self, name: str) -> None:
        """The request with this key is no longer running."""
        with self._lock:
            self._running.discard(name)

    def prune(self) -> None:
        """Forget keys older than 24 hours, inside a transaction."""
        # All are looked at: a key that was used again stands where it stood first, before older ones.
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
    """What must be the same when a key comes again."""
    text = json.dumps([method, path, params], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_key(key: str) -> None:
    """Raise the 400 of a key that is empty or longer than 255 characters."""
    if not key or len(key) > MAX_KEY_LENGTH:
        message = f"An idempotency key has 1 to {MAX_KEY_LENGTH} characters, and this one has {len(key)}."
        raise StripeError(message, type="idempotency_error", executed=False)


def _mismatch(key: str) -> StripeError:
    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"'{key}' was used with others."
    )
    return StripeError(message, type="idempotency_error", executed=False)


def _in_use() -> StripeError:
    message = "Another request with this idempotency key is still in progress."
    return StripeError(
        message, status=409, type="idempotency_error", code="idempotency_key_in_use", executed=False
    )
