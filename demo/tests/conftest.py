"""Fixtures of the demo's tests: the running demo, on the database of this test run."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.kept import ANY_PORTS, open_folder
from demo.running import Demo


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the running demo next to each other, so that it is started once."""
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    together = [item for item in ours if "demo" in getattr(item, "fixturenames", [])]
    if together:
        first = items.index(together[0])
        others = [item for item in items if item not in together]
        items[:] = [*others[:first], *together, *others[first:]]


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory, contract_folder: Path) -> Iterator[Demo]:
    """Shop, worker, fake Stripe and image server with the sample catalog.

    The API calls between shop and fake are recorded and checked against Stripe's OpenAPI document.
    """
    folder = tmp_path_factory.mktemp("demo")
    with database_url() as url:
        kept = open_folder(folder, ports=ANY_PORTS)
        demo = Demo(folder, kept, database_url=url, record=contract_folder / "demo")
        with demo.running():
            yield demo


@contextmanager
def database_url() -> Iterator[str]:
    """A new database on the tests' PostgreSQL server, or "" with SQLite, where the demo creates a file."""
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
