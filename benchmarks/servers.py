"""Start the contenders as real processes under the same web server settings.

The shop is gunicorn as script/server runs it, and one worker. The control is the same gunicorn with another
application. They use free ports and temporary data, write their output to files, and are ended by their
process ids.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.stripe_side import KEY
from script import postgres
from script.processes import Programs, python
from script.serve import GUNICORN, ROOT, worker_command

WEBHOOK_SECRET = "whsec_benchmark"  # noqa: S105
WEBHOOK_PATH = "/stripe/webhook/"
# Settings in the environment of the benchmark must not change the shop's.
OTHERS = re.compile(
    "(STRIPE|SHOP|SECURE|STATIC|SHIPPING|EMAIL|DATABASE|CACHE|SITE|OWNER|IMAGE|LOG|DJANGO|DEBUG|ALLOWED|ENV_FILE)"
)


@dataclass(frozen=True)
class Running:
    """One contender, with the log files of its processes.

    `processes`: their ids by name; gunicorn's is that of its first process.
    """

    port: int
    logs: tuple[Path, ...]
    environment: Mapping[str, str]
    processes: Mapping[str, int] = field(default_factory=dict)

    def said(self, words: str) -> int:
        """How often `words` occur in the logs."""
        return sum(log.read_text(errors="replace").count(words) for log in self.logs)

    def last_words(self) -> str:
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-2000:]}" for log in self.logs)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The DATABASE_URL of an empty database: a file in `folder`, or a private PostgreSQL server.

    PostgreSQL runs with its default settings here, unlike in the tests, so commits wait for the disk.
    """
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'shop.sqlite3'}"
        return
    binaries = postgres.find_binaries()
    if binaries is None:
        raise SystemExit("PostgreSQL is not installed.")
    with mock.patch.object(postgres, "FOR_SPEED", []), postgres.private_postgres(binaries) as url:
        yield url


def shop_environment(
    port: int, folder: Path, *, database_url: str, stripe_url: str, image_origin: str
) -> dict[str, str]:
    """The shop's settings as in production, except for the addresses."""
    kept = {name: value for name, value in os.environ.items() if not OTHERS.match(name)}
    return kept | {
        "ENV_FILE": "",
        "SECRET_KEY": secrets.token_hex(32),
        "SITE_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": database_url,
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_API_BASE": stripe_url,
        "STRIPE_CHECKOUT_ORIGIN": stripe_url,
        "ALLOWED_IMAGE_ORIGINS": image_origin or stripe_url,
        "STATIC_ROOT": str(folder / "static"),
        "OWNER_EMAIL": "owner@shop.test",
        "EMAIL_URL": "dummymail://",
        "LOG_LEVEL": "INFO",
    }


@contextmanager
def shop(
    folder: Path,
    *,
    database_url: str,
    stripe_url: str,
    image_origin: str = "",
    worker: bool = True,
    settings: Mapping[str, str] | None = None,
    tree: Path = ROOT,
) -> Iterator[Running]:
    """Run the shop with the catalog of `stripe_url`, migrated and synced, with or without a worker.

    `settings`: further environment variables. `tree`: the checkout whose code runs, in its own way.
    """
    port = free_port()
    environment = shop_environment(
        port, folder, database_url=database_url, stripe_url=stripe_url, image_origin=image_origin
    ) | dict(settings or {})
    for step in ("migrate --no-input -v 0", "collectstatic --no-input -v 0", "sync_catalog"):
        manage(environment, *step.split(), tree=tree)
    web, work = ways_to_run(tree)
    logs = {"web": folder / "web.log", "worker": folder / "worker.log"}
    with ExitStack() as stack:
        programs = stack.enter_context(Programs(grace=20))
        command = python(*web[:-1], "--bind", f"127.0.0.1:{port}", web[-1])
        programs.start("web", command, environment=environment, folder=tree, log=logs["web"])
        if worker:
            programs.start("worker", work, environment=environment, folder=tree, log=logs["worker"])
        processes = {name: program.pid for name, program in programs.running.items()}
        running = Running(port, tuple(log for log in logs.values() if log.exists()), environment, processes)
        wait_until_it_answers(f"http://127.0.0.1:{port}/", programs, running)
        yield running


@contextmanager
def control(folder: Path, *, stripe_url: str) -> Iterator[Running]:
    """Run the control under the shop's web server and its settings."""
    port, log = free_port(), folder / "control.log"
    kept = {name: value for name, value in os.environ.items() if not OTHERS.match(name)}
    environment = kept | {
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_API_BASE": stripe_url,
    }
    # The class of worker is gunicorn's own: the shop's reads settings of the shop.
    command = gunicorn(port, "benchmarks.control.app:from_environment()", "-k", "gthread")
    with Programs(grace=20) as programs:
        programs.start("control", command, environment=environment, folder=ROOT, log=log)
        running = Running(port, (log,), environment)
        wait_until_it_answers(f"http://127.0.0.1:{port}/", programs, running)
        yield running


@contextmanager
def bare(folder: Path, pages: Path, environment: Mapping[str, str]) -> Iterator[Running]:
    """Run a bare Django view under the shop's settings; it answers `/name` with the bytes of `pages`/name.html."""
    port, log = free_port(), folder / "bare.log"
    given = {**environment, "DJANGO_SETTINGS_MODULE": "benchmarks.bare", "BARE_PAGES": str(pages)}
    with Programs(grace=20) as programs:
        programs.start("bare", gunicorn(port, GUNICORN[-1]), environment=given, folder=ROOT, log=log)
        running = Running(port, (log,), given)
        wait_until_it_answers(f"http://127.0.0.1:{port}/list", programs, running)
        yield running


def ways_to_run(tree: Path) -> tuple[list[str], list[str]]:
    """The arguments of Python for the web server, and the command of the worker, as script/server of `tree` has them."""
    if tree == ROOT:
        return GUNICORN, worker_command()
    ask = "import json; from script.serve import GUNICORN, worker_command; print(json.dumps([GUNICORN, worker_command()]))"
    done = subprocess.run(python("-c", ask), cwd=tree, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{tree} has no web server:\n{done.stderr}")
    web, work = json.loads(done.stdout)
    return web, work


def manage(environment: Mapping[str, str], *arguments: str, tree: Path = ROOT) -> str:
    """Run a manage.py command and return its output; exits with the command's output if it fails."""
    done = subprocess.run(  # noqa: S603
        python("manage.py", *arguments), cwd=tree, env=dict(environment), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def counted_queries(environment: Mapping[str, str], *what: str) -> dict[str, Any]:
    """The result of `python -m benchmarks.queries`, with the shop's settings and database."""
    given = {**environment, "DJANGO_SETTINGS_MODULE": "config.settings"}
    command = python("-m", "benchmarks.queries", *what)
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"Queries could not be counted:\n{done.stdout}\n{done.stderr}")
    counted: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return counted


def gunicorn(port: int, application: str, *options: str) -> list[str]:
    """The web server's command as in script/server; `options` override its own."""
    return python(*GUNICORN[:-1], *options, "--bind", f"127.0.0.1:{port}", application)


def wait_until_it_answers(url: str, programs: Programs, running: Running, seconds: float = 40) -> None:
    """Wait for any HTTP response. Exits with the end of the logs if a process ended or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not programs.ended():
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} did not answer.\n{running.last_words()}")
