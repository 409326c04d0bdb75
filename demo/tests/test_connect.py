"""script/connect, from an empty folder and a fake account to a shop that the doctor finds ready to be started."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.tests.settings_run import KEPT, ROOT
from fake_stripe import FakeStripe
from fake_stripe.server import Server
from script.processes import python


@pytest.fixture
def account() -> Iterator[FakeStripe]:
    fake = FakeStripe(secret_key="sk_test_of_this_test")
    fake.add_product(
        id="prod_balm",
        name="BALM T-Shirt",
        metadata={"sizes": "M", "stock_M": "15"},
        prices=[{"unit_amount": 2500, "currency": "usd"}],
    )
    server = Server(fake)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_command_connects_a_shop(account: FakeStripe, tmp_path: Path) -> None:
    env = tmp_path / ".env"
    environment = {
        **KEPT,
        "DATABASE_URL": os.environ.get("DEMO_DATABASE_URL", f"sqlite:///{tmp_path / 'shop.sqlite3'}"),
        "STRIPE_API_BASE": account.base_url,
        "STRIPE_SECRET_KEY": account.secret_key,
    }
    site = "http://127.0.0.1:9"  # Nothing listens there.

    connected = subprocess.run(
        python(
            "-m", "script.connect", "--env", str(env), "--site", site, "--owner", "o@shop.example", "--yes"
        ),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert connected.returncode == 0, connected.stderr
    assert "script/server" in connected.stdout.splitlines()[-1]
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    [endpoint] = account.webhook_endpoints.values()
    assert endpoint["url"] == f"{site}/stripe/webhook/"
    del environment["STRIPE_SECRET_KEY"]  # It is in the file now, as is the signing secret.
    examined = subprocess.run(
        python("manage.py", "doctor", "--json"),
        cwd=ROOT,
        env={**environment, "ENV_FILE": str(env)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    findings = json.loads(examined.stdout)["findings"]
    assert {each["check"] for each in findings if each["level"] != "ok"} == {"webhook", "worker"}
    assert examined.returncode == 1
