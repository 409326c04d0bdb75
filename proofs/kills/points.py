"""Collect the fault points in the shop's code by parsing it."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ["config", "shop", "inventory", "checkout"]


def named_points() -> list[str]:
    """The names passed to fault_point, sorted."""
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py") if "tests" not in file.parts]
    return sorted({name for file in files for name in _names_in(file)})


def _names_in(file: Path) -> list[str]:
    code = file.read_text()
    # Parsing is slow, and every process of a run does it while it collects the tests.
    if "fault_point" not in code:
        return []
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return [_name_of(call, file) for call in calls if _is_fault_point(call)]


def _is_fault_point(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "fault_point"


def _name_of(call: ast.Call, file: Path) -> str:
    argument = call.args[0]
    if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
        raise ValueError(
            f"{file}:{call.lineno}: the name of a fault point must be a string literal, so that it can be found."
        )
    return argument.value
