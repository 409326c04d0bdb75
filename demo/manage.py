"""Run a command of manage.py with the settings of the demo: `script/demo --manage inventory_report --low`."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from demo.kept import read
from demo.running import ROOT, Demo, DidNotStart
from script.processes import python


def manage_in(folder: Path, arguments: Sequence[str]) -> int:
    """The command's exit code. Raises DidNotStart if the folder has no demo."""
    if not (folder / "demo.json").exists():
        raise DidNotStart("There is no demo yet. Start script/demo in another terminal first.")
    return manage(Demo(folder, read(folder / "demo.json")), arguments)


def manage(demo: Demo, arguments: Sequence[str]) -> int:
    return subprocess.call(python("manage.py", *arguments), cwd=ROOT, env=demo.environment())
