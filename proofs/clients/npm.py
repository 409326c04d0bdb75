"""Install npm packages, pinned with integrity hashes, into a folder that git ignores.

The tests of Stripe's own clients run with REQUIRE_NPM=1, as in CI, where a missing npm is a failure, and with
STRIPE_CLIENTS=1, where it is a reason to skip them.
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


class NotInstalled(Exception):
    """The packages cannot be installed here; the message is the reason."""


def installed_clients(source: Path = HERE) -> Path:
    """The folder with node_modules of `source`, installed on first use. Skips or fails the test where that is impossible."""
    required = os.environ.get("REQUIRE_NPM") == "1"
    if not required and os.environ.get("STRIPE_CLIENTS") != "1":
        pytest.skip("the tests with Stripe's own clients run with STRIPE_CLIENTS=1 or REQUIRE_NPM=1")
    try:
        return install(source)
    except NotInstalled as missing:
        if required:
            pytest.fail(f"REQUIRE_NPM=1, but {missing}")
        pytest.skip(str(missing))


def install(source: Path) -> Path:
    """Install the packages of `source` unless that is done; returns the folder with node_modules.

    It is complete or absent, also with parallel test processes. Raises NotInstalled.
    """
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise NotInstalled("the packages are pinned for Linux on x86-64 only")
    missing = [name for name in ("npm", "node") if shutil.which(name) is None]
    if missing:
        raise NotInstalled(f"{' and '.join(missing)} cannot be found")
    content = b"".join((source / name).read_bytes() for name in FILES)
    folder = CACHE / hashlib.sha256(content).hexdigest()[:16]
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        for name in FILES:
            shutil.copy(source / name, work)
        # Without install scripts: the packages need none.
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", work]
        done = subprocess.run(  # noqa: S603
            command, cwd=work, capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            raise NotInstalled(f"npm ci failed: {done.stderr.strip()[-500:]}")
        new = Path(work) / "complete"
        new.mkdir()
        shutil.move(Path(work) / "node_modules", new / "node_modules")
        try:
            new.rename(folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise
    return folder
