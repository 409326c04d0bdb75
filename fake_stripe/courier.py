"""Sign webhook deliveries and post them to their endpoints, in calls or in background threads."""

import hashlib
import hmac
import http.client
import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

from fake_stripe import deliveries, thin_events
from fake_stripe.account import Account
from fake_stripe.store import Json

# (url, headers, body) -> (status, body). Raises OSError if there is no answer.
Post = Callable[[str, dict[str, str], bytes], tuple[int, bytes]]

log = logging.getLogger("fake_stripe")
TIMEOUT = 20.0
MAX_STORED_BODY = 2000


def post_over_http(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Make one POST. Redirects are not followed, because Stripe treats them as failures."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(65536)
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()


def signature_header(body: bytes, secrets: list[str], timestamp: int) -> str:
    """The `Stripe-Signature` header: the time and one v1 for each valid secret.

    https://docs.stripe.com/webhooks#verify-manually
    """
    signed = f"{timestamp}.".encode() + body
    signatures = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={signature}" for signature in signatures)])


def delivery_headers(body: bytes, secrets: list[str]) -> dict[str, str]:
    """The headers of a delivery, signed now."""
    # Signed with the machine's clock, not the account's: receivers check the age against their own clock,
    # so a test that moves the fake's clock forward must not make every signature too old.
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Accept": "*/*; q=0.5, application/xml",
        "Cache-Control": "no-cache",
        "Stripe-Signature": signature_header(body, secrets, int(time.time())),
    }


def valid_secrets(account: Account, endpoint_id: str) -> list[str]:
    """The endpoint's valid secrets, newest first. A rolled secret stays valid until its period ends."""
    row = account.store.get("webhook_secret", endpoint_id) or {"secrets": []}
    now = account.clock.now()
    return [s["secret"] for s in row["secrets"] if s["until"] is None or s["until"] > now]


class Courier:
    """Makes delivery attempts through `post`, which is a real HTTP POST by default and can be replaced."""

    def __init__(self, account: Account, post: Post = post_over_http) -> None:
        self.account = account
        self.post = post
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._queue: queue.SimpleQueue[Json | None] = queue.SimpleQueue()

    def deliver_due(self) -> list[Json]:
        """Make every attempt that is due, one after the other; returns the attempts in order.

        Copies of a parallel `duplicate` fault are sent at the same moment. Deliveries that become due
        meanwhile wait for the next call.
        """
        tried: list[Json] = []
        due = deliveries.take_due(self.account)
        while due:
            first = due.pop(0)
            together = [first]
            if first["group"]:
                together += [d for d in due if d["group"] == first["group"]]
                due = [d for d in due if d["group"] != first["group"]]
            tried += self._attempt_together(together)
        return tried

    def _attempt_together(self, batch: list[Json]) -> list[Json]:
        if len(batch) == 1:
            return [self.attempt(batch[0])]
        barrier = threading.Barrier(len(batch))

        def one(delivery: Json) -> Json:
            barrier.wait()
            return self.attempt(delivery)

        with ThreadPoolExecutor(len(batch)) as pool:
            return list(pool.map(one, batch))

    def attempt(self, delivery: Json) -> Json:
        """Make one attempt and record it; returns it with the delivery's event, type and endpoint."""
        event = self.account.store.get("event", delivery["event"])
        endpoint = self.account.store.get("webhook_endpoint", delivery["endpoint"])
        if event is None or endpoint is None or endpoint["status"] != "enabled":
            attempt = self._attempt(
                "", None, b"", "The event was deleted, or the endpoint was deleted or disabled.", 0.0
            )
            deliveries.keep_attempt(self.account, delivery["id"], attempt, final=True)
        else:
            attempt = self._send(event, endpoint)
            deliveries.keep_attempt(self.account, delivery["id"], attempt)
        names = {key: delivery[key] for key in ("event", "type", "endpoint")}
        return {"delivery": delivery["id"], **names, **attempt}

    def _send(self, event: Json, endpoint: Json) -> Json:
        url, body = endpoint["url"], json.dumps(thin_events.body(event, endpoint)).encode()
        started = time.monotonic()
        status, answer, problem = None, b"", None
        try:
            status, answer = self.post(
                url, delivery_headers(body, valid_secrets(self.account, endpoint["id"])), body
            )
        except Exception as error:
            # An exception of an in-process receiver counts as no answer.
            problem = f"{type(error).__name__}: {error}"
        return self._attempt(url, status, answer, problem, time.monotonic() - started)

    def _attempt(self, url: str, status: int | None, answer: bytes, problem: str | None, took: float) -> Json:
        return {
            "at": self.account.clock.exact(),
            "url": url,
            "status": status,
            "ok": status is not None and 200 <= status < 300,
            "body": answer[:MAX_STORED_BODY].decode("utf-8", "replace"),
            "error": problem,
            "seconds": round(took, 3),
        }

    def wait_for(self, event_id: str, timeout: float) -> bool:
        """Wait until this event was sent once to every endpoint; False if `timeout` seconds pass first."""
        with self.account.news:
            return self.account.news.wait_for(lambda: deliveries.answered(self.account, event_id), timeout)

    def start(self) -> None:
        """Deliver from background threads, in parallel, until `stop` is called."""
        # Daemon threads: a hanging endpoint must not keep the process from exiting.
        self._threads = [threading.Thread(target=self._work, name="delivery", daemon=True) for _ in range(16)]
        self._threads.insert(0, threading.Thread(target=self._run, name="deliveries", daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self, grace: float = 1.0) -> None:
        """Start no more attempts, and give running ones `grace` seconds to end and be recorded.

        Deliveries that were not made or not recorded stay in the state file and are sent after the next start.
        """
        self._stopping.set()
        self.account.wake()
        for _ in self._threads:
            self._queue.put(None)
        deadline = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def running(self) -> bool:
        """Whether background threads make the deliveries."""
        return bool(self._threads) and self._threads[0].is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with _logging():
                for delivery in deliveries.take_due(self.account):
                    self._queue.put(delivery)
                self.account.tick()
            with self.account.news:
                self.account.news.wait_for(self._something_to_do, timeout=0.5)

    def _work(self) -> None:
        while (delivery := self._queue.get()) is not None and not self._stopping.is_set():
            with _logging():
                self.attempt(delivery)

    def _something_to_do(self) -> bool:
        due = self.account.outbox.next_due()
        return self._stopping.is_set() or (due is not None and due <= self.account.clock.exact())


@contextmanager
def _logging() -> Iterator[None]:
    """Log exceptions and continue, since no caller waits for these threads."""
    try:
        yield
    except Exception:
        log.exception("fake_stripe failed to make a delivery")
