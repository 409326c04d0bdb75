"""Install Stripe's own clients from npm, pinned with integrity hashes, into a folder that git ignores.

The tests of this folder run with REQUIRE_NPM=1, as in CI, where a missing npm is a failure, and with STRIPE_CLIENTS=1,
where it is a reason to skip them.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / "var" / "clients"
FILES = ("package.json", "package-lock.json")
CLI = Path("node_modules/@stripe/cli-linux-x64/bin/stripe")


def installed_clients() -> Path:
    """The folder with node_modules, installed on first use. Skips or fails the test where that is impossible."""
    required = os.environ.get("REQUIRE_NPM") == "1"
    if not required and os.environ.get("STRIPE_CLIENTS") != "1":
        pytest.skip("the tests with Stripe's own clients run with STRIPE_CLIENTS=1 or REQUIRE_NPM=1")
    reason = _why_not() or _install()
    if reason and required:
        pytest.fail(f"REQUIRE_NPM=1, but {reason}")
    if reason:
        pytest.skip(reason)
    return _folder()


def _why_not() -> str | None:
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        return "the Stripe CLI is pinned for Linux on x86-64 only"
    missing = [name for name in ("npm", "node") if shutil.which(name) is None]
    return f"{' and '.join(missing)} cannot be found" if missing else None


def _folder() -> Path:
    content = b"".join((HERE / name).read_bytes() for name in FILES)
    return CACHE / hashlib.sha256(content).hexdigest()[:16]


def _install() -> str | None:
    """Install unless it is done; returns what went wrong. Complete or absent, also with parallel test processes."""
    folder = _folder()
    if (folder / CLI).is_file():
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        for name in FILES:
            shutil.copy(HERE / name, work)
        # Without install scripts: the packages need none.
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", work]
        done = subprocess.run(  # noqa: S603
            command, cwd=work, capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            return f"npm ci failed: {done.stderr.strip()[-500:]}"
        new = Path(work) / "complete"
        new.mkdir()
        shutil.move(Path(work) / "node_modules", new / "node_modules")
        try:
            new.rename(folder)
        except OSError:  # another process was faster
            if not (folder / CLI).is_file():
                raise
    return None
