"""docs/security.md names tests that exist, and numbers that have the form of ASVS 5.0."""

from __future__ import annotations

import ast
import re

from config.tests.settings_run import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "::" in line]


def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_measure_names_a_test_that_exists() -> None:
    named = [re.search(r"`([\w/.]+)::(\w+)` \|$", row) for row in ROWS]

    assert len(ROWS) > 30 and all(named)
    missing = [match[0] for match in named if match and match[2] not in functions_of(match[1])]
    assert not missing


def test_every_measure_names_a_requirement() -> None:
    # Chapters 1 to 17 in version 5.0.
    number = r"(1[0-7]|[1-9])\.[1-9]\.[1-9][0-9]?"
    assert [row for row in ROWS if not re.search(rf"\| {number}(, {number})* \|", row)] == []
