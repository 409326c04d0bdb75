"""The command `python -m fake_stripe`: start, options, signals and state file."""

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from fake_stripe import FakeStripe
from fake_stripe.__main__ import main

ROOT = Path(__file__).parents[2]
KEY = {"Authorization": "Bearer sk_test_fake"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Command:
    """`python -m fake_stripe` in a child process."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fake_stripe", "--port", "0", *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said: list[str] = []
        while not self.said or "ready" not in self.said[-1]:
            line = self.process.stdout.readline()
            assert line, self.process.communicate()
            self.said.append(line)
        self.url = self.said[-1].split()[4]

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        _, problems = self.process.communicate(timeout=10)
        assert problems == ""
        return self.process.returncode


Start = Callable[..., Command]


@pytest.fixture
def start(contract_folder: Path, tmp_path: Path) -> Start:
    """Starts a Command that records its exchanges, so they are checked against Stripe's document."""
    return lambda *options: Command("--record", str(contract_folder / f"command-{tmp_path.name}"), *options)


Refused = Callable[..., int]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must fail with a message in its last line; returns the exit code."""

    def run(*options: str) -> int:
        monkeypatch.setattr(sys, "argv", ["fake_stripe", "--port", "0", *options])
        try:
            code = main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        sentence = capsys.readouterr().err.splitlines()[-1]
        assert sentence.startswith(("fake_stripe cannot start: ", "python -m fake_stripe: error: "))
        return code

    return run


def ask(url: str, path: str, form: dict[str, str] | None = None) -> Any:
    http_ = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    http_.request("POST" if form else "GET", path, urlencode(form or {}), {**KEY, **FORM})
    return json.loads(http_.getresponse().read())


def test_the_command_starts_quickly_prints_one_line_and_exits_cleanly(start: Start) -> None:
    """Measured in processor time, which does not depend on other processes: 0.2 s, with a limit of 0.5 s."""
    before = os.times()
    command = start()

    assert len(command.said) == 1
    assert ask(command.url, "/v1/products")["data"] == []
    assert command.end() == 0
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 0.5


def test_state_survives_a_kill(start: Start, tmp_path: Path) -> None:
    state = str(tmp_path / "state.sqlite3")
    command = start("--state", state, "--webhook-url", "http://127.0.0.1:9/hook")
    secret = command.said[0].split()[-1]
    assert secret.startswith("whsec_")
    ask(command.url, "/v1/products", {"id": "prod_a", "name": "A"})
    command.process.kill()
    command.process.communicate()

    command = start("--state", state, "--webhook-url", "http://127.0.0.1:9/elsewhere")

    assert command.said[0].split()[-1] == secret
    assert ask(command.url, "/v1/products/prod_a")["name"] == "A"
    (endpoint,) = ask(command.url, "/v1/webhook_endpoints")["data"]
    assert endpoint["url"] == "http://127.0.0.1:9/elsewhere"
    assert command.end() == 0


def test_a_port_or_file_in_use_is_reported_in_one_line(
    start: Start, refused: Refused, tmp_path: Path
) -> None:
    state = str(tmp_path / "state.sqlite3")
    command = start("--state", state)
    port = command.url.rpartition(":")[2]

    assert refused("--port", port) == 1
    assert refused("--state", state) == 1
    assert command.end(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--state", "/nonexistent/x"], 1),
        (["--state", "/"], 1),
        (["--record", "/nonexistent/r"], 1),
        (["--port", "99999"], 2),
        (["--webhook-url", "nonsense"], 2),
        (["--restricted-key", "sk_test_1=products:read"], 2),
        (["--restricted-key", "rk_test_1=shirts:read"], 2),
        (["--restricted-key", "rk_test_1=products:own"], 2),
    ],
)
def test_invalid_options_are_reported_in_one_line(refused: Refused, options: list[str], code: int) -> None:
    assert refused(*options) == code


def test_a_damaged_state_file_is_reported_in_one_line(refused: Refused, tmp_path: Path) -> None:
    state = str(tmp_path / "state.sqlite3")
    FakeStripe(state_path=state).close()
    with contextlib.closing(sqlite3.connect(state)) as written, written:
        written.execute("INSERT INTO rows (kind, id, row) VALUES ('product', 'prod_a', '{\"id\"')")

    assert refused("--state", state) == 1


def test_a_hanging_endpoint_does_not_delay_the_exit(start: Start, tmp_path: Path) -> None:
    """Twenty events, which is more than are posted in parallel. None may be lost."""
    state = str(tmp_path / "state.sqlite3")
    with socket.create_server(("127.0.0.1", 0)) as shop:
        url = f"http://127.0.0.1:{shop.getsockname()[1]}/"
        command = start("--state", state, "--webhook-url", url, "--webhook-secret", "whsec_test")
        for number in range(20):
            ask(command.url, "/v1/products", {"name": f"{number}"})
        connected, _ = shop.accept()

        assert command.end() == 0
        connected.close()

    fake = FakeStripe(state_path=state)
    assert [delivery["state"] for delivery in fake.deliveries()] == ["waiting"] * 20
    fake.close()


def test_a_restricted_key_has_only_its_permissions(start: Start) -> None:
    command = start("--restricted-key", "rk_test_shop=products:read,prices:write")

    def status(method: str, path: str) -> int:
        http_ = http.client.HTTPConnection(urlsplit(command.url).netloc, timeout=5)
        http_.request(method, path, headers={"Authorization": "Bearer rk_test_shop"})
        return http_.getresponse().status

    assert status("GET", "/v1/products") == 200
    assert status("POST", "/v1/products") == 403
    assert status("GET", "/v1/events") == 403
    assert command.end() == 0


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
def test_it_listens_on_one_loopback_address_unless_told_otherwise(start: Start) -> None:
    command = start()
    address = urlsplit(command.url)

    assert address.hostname == "127.0.0.1"
    # Every address of 127.0.0.0/8 is this machine's, so a server on all addresses would answer.
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", address.port or 0), timeout=5)
    assert command.end() == 0


def test_it_can_listen_on_an_ipv6_address(start: Start) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")

    command = start("--host", "::1")

    assert command.url.startswith("http://[::1]:")
    assert ask(command.url, "/v1/products")["data"] == []
    assert command.end() == 0


def test_the_server_needs_only_the_standard_library() -> None:
    code = (
        "import sys, fake_stripe.__main__\n"
        "outside = {'stripe', 'requests', 'django', 'httpx', 'jsonschema'} & set(sys.modules)\n"
        "assert not outside, outside\n"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
