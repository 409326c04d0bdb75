"""What do the demo's tests share? A whole house, running, on the database that this run is about."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.kept import ANY_PORTS, open_folder
from demo.running import Demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, contract_folder: Path) -> Iterator[Demo]:
    """Shop, worker, Stripe and pictures, each a process or port of its own, with the sample catalogue.

    What is said between the shop and its Stripe is held against Stripe's document.
    """
    folder = tmp_path_factory.mktemp("demo")
    with database_url() as url:
        kept = open_folder(folder, ports=ANY_PORTS)
        demo = Demo(folder, kept, database_url=url, record=contract_folder / "demo")
        with demo.running():
            yield demo


@contextmanager
def database_url() -> Iterator[str]:
    """A database of the demo's own on the server that the tests use; with SQLite the demo makes its file."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield ""
        return
    import psycopg

    name = f"demo_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{url.rsplit('/', 1)[0]}/{name}"
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "demo"
