"""Fixtures: Stripe's clients, a fake on a port, a webhook endpoint."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fake_stripe import FakeStripe
from fake_stripe.server import Server
from proofs.clients.npm import CLI, installed_clients
from proofs.clients.receiver import Receiver
from proofs.clients.stripe_cli import StripeCli

# The last version that accepts what the triggers of CLI 1.52.0 send.
OLDER_VERSION = "2026-08-26.dahlia"


@pytest.fixture(scope="session")
def clients() -> Path:
    """The folder with node_modules."""
    return installed_clients()


@contextmanager
def serving(fake: FakeStripe) -> Iterator[FakeStripe]:
    server = Server(fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    fake.courier.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
        fake.close()


@pytest.fixture
def served(clients: Path) -> Iterator[FakeStripe]:
    """A fake on a free port, in this process, so that the contract is checked."""
    with serving(FakeStripe()) as fake:
        yield fake


@pytest.fixture
def older(clients: Path) -> Iterator[FakeStripe]:
    """A fake whose default version accepts the triggers."""
    with serving(FakeStripe(api_version=OLDER_VERSION)) as fake:
        yield fake


@pytest.fixture
def cli(clients: Path, served: FakeStripe, tmp_path: Path) -> StripeCli:
    return StripeCli(clients / CLI, tmp_path, served.base_url)


@pytest.fixture
def older_cli(clients: Path, older: FakeStripe, tmp_path: Path) -> StripeCli:
    return StripeCli(clients / CLI, tmp_path, older.base_url)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()
