"""The demo's programs end with it, even if it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.running import ROOT

STARTER = """
import sys
from pathlib import Path
from script.processes import Programs, python
programs = Programs()
programs.start("it", python("-m", "script.parent_watch", sys.argv[1]), folder=Path.cwd(), leashed=True)
programs.wait_for_one_to_end()
"""
PROGRAM = "import os, threading; print(os.getpid(), flush=True); threading.Event().wait()"


def test_a_program_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(program)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout
    pid = int(starter.stdout.readline())

    starter.kill()

    # Starter and program share the pipe, which ends when both have ended.
    try:
        assert starter.communicate(timeout=20)[0] == ""
    except subprocess.TimeoutExpired:
        os.kill(pid, signal.SIGTERM)
        pytest.fail("The program lived on.")
