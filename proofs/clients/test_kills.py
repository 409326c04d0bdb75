"""Nothing is lost when the CLI or the fake is killed while events are forwarded."""

import http.client
import json
import os
import random
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from proofs.clients.npm import CLI
from proofs.clients.ports import free_port
from proofs.clients.receiver import Receiver
from proofs.clients.stripe_cli import TIMEOUT, Running, StripeCli

EVENTS = int(os.environ.get("KILL_EVENTS", "1000"))
KILLS = int(os.environ.get("KILLS", "20"))
PRODUCTS = 10
ROOT = Path(__file__).parents[2]


class Stripe:
    """A fake in a process of its own, with a state file, that can be killed and started again."""

    def __init__(self, folder: Path, record: Path) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        options = ["--port", str(self.port), "--state", str(folder / "state"), "--record", str(record)]
        self._command = [sys.executable, "-m", "fake_stripe", *options]
        self.start()

    def start(self) -> None:
        self.process = Running(self._command, dict(os.environ), ROOT)
        self.process.wait_for("ready")

    def restart(self) -> None:
        self.process.kill()
        self.start()

    def call(self, method: str, path: str, form: str = "", key: str = "") -> Any:
        """One call, repeated under the same idempotency key until the fake answers."""
        headers = {"Authorization": "Bearer sk_test_fake", "Idempotency-Key": key or os.urandom(8).hex()}
        request = urllib.request.Request(
            self.address + path, form.encode() if method == "POST" else None, headers, method=method
        )
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return json.load(answer)
            except (OSError, ValueError, http.client.HTTPException):  # also an answer that was cut off
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)  # the fake is being started again

    def event_ids(self) -> list[str]:
        """Every event, oldest first."""
        ids: list[str] = []
        while True:
            after = f"&starting_after={ids[-1]}" if ids else ""
            page = self.call("GET", f"/v1/events?limit=100{after}")
            ids += [event["id"] for event in page["data"]]
            if not page["has_more"]:
                return ids[::-1]


def out_of_order(events: list[dict[str, Any]], made: list[str]) -> int:
    """How often the first arrival of an event came after that of a later event of the same object."""
    place = {id: n for n, id in enumerate(made)}
    latest: dict[str, int] = {}
    seen: set[str] = set()
    wrong = 0
    for event in events:
        if event["id"] in seen:
            continue
        seen.add(event["id"])
        about = event["data"]["object"]["id"]
        wrong += place[event["id"]] < latest.get(about, -1)
        latest[about] = max(place[event["id"]], latest.get(about, -1))
    return wrong


def change_products(stripe: Stripe, numbers: range) -> None:
    for n in numbers:
        stripe.call("POST", f"/v1/products/prod_{n % PRODUCTS}", f"metadata[n]={n}", f"change-{n}")


class Scene:
    """The fake, the CLI and the receiver."""

    def __init__(self, clients: Path, folder: Path, record: Path, receiver: Receiver) -> None:
        self.stripe, self.receiver = Stripe(folder, record), receiver
        self._cli = StripeCli(clients / CLI, folder, self.stripe.address)
        receiver.secret = self._cli.output("listen", "--print-secret").strip()
        self.start_cli()
        for n in range(PRODUCTS):
            self.stripe.call("POST", "/v1/products", f"id=prod_{n}&name=A")

    def start_cli(self) -> None:
        url = f"{self.receiver.address}/hook"
        command = self._cli.command("listen", "--all-snapshot", "--forward-to", url)
        self.listen = Running(command, self._cli.env)
        self.listen.wait_for("Ready!")

    def restart_cli(self) -> None:
        self.listen.kill()
        self.start_cli()

    def everything_arrived(self, timeout: float) -> tuple[list[str], set[str]]:
        """The ids of all events, and of those that are missing at the end."""
        made = self.stripe.event_ids()
        self.receiver.wait_until(lambda: set(made) <= set(self.receiver.ids), timeout)
        return made, set(made) - set(self.receiver.ids)

    def close(self) -> None:
        self.listen.kill()
        self.stripe.process.kill()


@pytest.fixture
def scene(clients: Path, tmp_path: Path, contract_folder: Path, receiver: Receiver) -> Any:
    scene = Scene(clients, tmp_path, contract_folder / f"kills-{tmp_path.name}", receiver)
    yield scene
    scene.close()


def test_a_thousand_events_are_forwarded_in_the_order_of_each_object(scene: Scene) -> None:
    began = time.monotonic()
    change_products(scene.stripe, range(EVENTS))
    made, lost = scene.everything_arrived(2 * TIMEOUT)
    print(f"\n{len(made)} events in {time.monotonic() - began:.1f} s")

    assert (len(made), lost) == (EVENTS + PRODUCTS, set())
    assert len(scene.receiver.events) == len(made)
    assert out_of_order(scene.receiver.events, made) == 0
    assert scene.receiver.refused == []


def test_no_event_is_lost_over_kills_of_either_side(scene: Scene) -> None:
    chance = random.Random(11)
    kills: list[Callable[[], None]] = [scene.stripe.restart, scene.restart_cli]
    share = EVENTS // KILLS
    for number in range(KILLS):
        numbers = range(number * share, (number + 1) * share)
        with ThreadPoolExecutor() as pool:
            producer = pool.submit(change_products, scene.stripe, numbers)
            # At an arbitrary moment of the round.
            time.sleep(chance.uniform(0.0, 0.25))
            kills[number % 2]()
        producer.result()

    made, lost = scene.everything_arrived(2 * TIMEOUT)
    extra = len(scene.receiver.events) - len(made)
    wrong = out_of_order(scene.receiver.events, made)
    print(f"\n{len(made)} events, {KILLS} kills: {len(lost)} lost, {extra} duplicates, {wrong} out of order")

    assert len(made) == share * KILLS + PRODUCTS
    assert lost == set()
    assert scene.receiver.refused == []
