"""Ids in the formats of Stripe's, reproducible from a seed."""

import random
import string
import threading

ALPHABET = string.ascii_letters + string.digits

# kind of object -> (prefix of its id, number of characters that follow)
SHAPES = {
    "product": ("prod_", 14),
    "price": ("price_1", 23),
    "checkout.session": ("cs_test_a1", 56),
    "item": ("li_1", 23),
    "payment_intent": ("pi_3", 23),
    "payment_method": ("pm_1", 23),
    "charge": ("ch_3", 23),
    "refund": ("re_3", 23),
    "dispute": ("du_1", 23),
    "subscription": ("sub_1", 23),
    "invoice": ("in_1", 23),
    "event": ("evt_1", 23),
    "webhook_endpoint": ("we_1", 23),
    "event_destination": ("ed_", 23),
    "shipping_rate": ("shr_1", 23),
    "catalog_import": ("pcimprt_test_6", 30),
    "request": ("req_", 14),
    "delivery": ("dlv_", 16),
    "fault": ("fault_", 8),
    "webhook_secret": ("whsec_", 32),
    "client_secret": ("secret_", 25),
}


class Ids:
    """Generates ids from one seeded source. Thread-safe."""

    def __init__(self, seed: object) -> None:
        self._random = random.Random(f"ids:{seed}")
        self._lock = threading.Lock()

    def new(self, kind: str, *, livemode: bool = False) -> str:
        """A new id for `kind`, one of SHAPES."""
        prefix, length = SHAPES[kind]
        if livemode and kind == "checkout.session":
            prefix = "cs_live_a1"
        with self._lock:
            return prefix + "".join(self._random.choices(ALPHABET, k=length))

    def uuid(self) -> str:
        """A random UUID, which Stripe's own pages use as idempotency keys."""
        with self._lock:
            text = f"{self._random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
