"""Run manage.py, or the file of the settings, with a given environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from environ.fileaware_mapping import FileAwareMapping

from config import env

ROOT = Path(__file__).resolve().parent.parent.parent
# Variables that any program needs to start; the shop reads none of them.
KEPT = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG") if name in os.environ}
COMPLETE = {"ENV_FILE": "", "SECRET_KEY": "only-for-this-test"}

SETTINGS_FILE = ROOT / "config/settings.py"
# Compiled once: the tests run it over a thousand times.
SETTINGS_CODE = compile(SETTINGS_FILE.read_bytes(), SETTINGS_FILE, "exec")


def read_settings() -> dict[str, Any]:
    """Run the file of the settings in the environment of this process."""
    shown: dict[str, Any] = {"__file__": str(SETTINGS_FILE)}
    # The mapping of the process remembers what it has read from files.
    with patch.object(env, "_environ", FileAwareMapping()):
        exec(SETTINGS_CODE, shown)
    return {name: value for name, value in shown.items() if name.isupper()}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py with this environment only."""
    return _run([str(ROOT / "manage.py"), *arguments], environment)


def settings_with(*names: str, **environment: str) -> dict[str, Any]:
    """The values of these settings under this environment only, as JSON values."""
    with patch.dict(os.environ, {**KEPT, **COMPLETE, **environment}, clear=True):
        read = read_settings()
    shown: dict[str, Any] = json.loads(json.dumps({name: read[name] for name in names}, default=_plain))
    return shown


def _plain(value: object) -> str:
    # Lazy translations depend on the language; their type name is enough here.
    return str(value) if isinstance(value, Path) else type(value).__name__


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
