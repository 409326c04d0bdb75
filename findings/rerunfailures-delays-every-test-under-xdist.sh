#!/usr/bin/env bash
# pytest-rerunfailures 16.7 with pytest-xdist 3.8.0: --reruns makes every test wait 40 ms, also where all of them pass.
#
# Guess: repeating failed tests costs nothing while none fails.
# Seen (Linux): under xdist, each test sends two small messages to the main process over TCP, the second before the first is
# acknowledged. The kernel holds the second back until then, which takes 40 ms. 200 tests that do nothing take about eight
# seconds more in one process. With TCP_NODELAY on the worker's connection, set by a plugin, the delay is gone.
#
# The shop's config/tests/environment_plugin.py sets it: in CI, 9,261 tests in two processes waited 185 seconds (computed).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check 'pytest==9.1.1' 'pytest-xdist==3.8.0' 'pytest-rerunfailures==16.7'
cat > test_nothing.py <<'PY'
import pytest


@pytest.mark.parametrize("number", range(200))
def test_nothing(number):
    pass
PY
cat > nodelay.py <<'PY'
import socket


def pytest_collection_finish(session):
    database = getattr(session.config, "failures_db", None)
    if hasattr(database, "sock"):
        database.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
PY
cat > run.py <<'PY'
import subprocess
import sys
import time


def seconds(*options):
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", *options]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "200 passed" in output, output
    return time.monotonic() - began


plain, repeating, mended = seconds(), seconds("--reruns=1"), seconds("--reruns=1", "-p", "nodelay")
print(f"200 tests: {plain:.1f} s, with --reruns=1 {repeating:.1f} s, and without the kernel's delay {mended:.1f} s")
print("a test waits", "about 40 ms" if 30 <= (repeating - plain) * 1000 / 200 <= 60 else "another time",
      "and without the delay", "hardly" if (mended - plain) * 1000 / 200 < 10 else "as well")
PY
PYTHONPATH=. venv/bin/python run.py | tee seen.txt
grep -q '^a test waits about 40 ms and without the delay hardly$' seen.txt
echo "as described"
