"""Run manage.py or read settings in a new process with a given environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
# Variables that any program needs to start; the shop reads none of them.
KEPT = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG") if name in os.environ}
COMPLETE = {"ENV_FILE": "", "SECRET_KEY": "only-for-this-test"}

SHOW = """
import json, pathlib, sys
from config import settings
def other(value):  # Lazy translations cannot be resolved without Django; their type name is enough here.
    return str(value) if isinstance(value, pathlib.Path) else type(value).__name__
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=other))
"""


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py with this environment only."""
    return _run([str(ROOT / "manage.py"), *arguments], environment)


def settings_with(*names: str, **environment: str) -> dict[str, Any]:
    """The values of these settings under this environment, as JSON values."""
    ran = _run(["-c", SHOW, *names], {**COMPLETE, **environment})
    assert ran.returncode == 0, ran.stderr
    shown: dict[str, Any] = json.loads(ran.stdout)
    return shown


def refusal_with(**environment: str) -> str:
    """The error with which the shop refuses to start under this environment."""
    ran = manage("check", **{**COMPLETE, **environment})
    assert ran.returncode == 1
    assert ran.stdout == ""
    return ran.stderr


def _run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**KEPT, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
