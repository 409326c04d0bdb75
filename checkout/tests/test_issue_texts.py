"""Texts of issues are whole sentences that can be translated, with named placeholders."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[1]
MARKS = {"_", "gettext_noop"}


def opened_issues() -> Iterator[tuple[str, ast.expr, ast.expr]]:
    """Every call that opens an issue: (file, kind, sentence)."""
    for file in sorted(path for path in APP.rglob("*.py") if "tests" not in path.parts):
        code = file.read_text()
        # Parsing is slow, and every process of a run does it while it collects the tests.
        if "open_issue" not in code:
            continue
        for call in ast.walk(ast.parse(code)):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "issues.open_issue":
                yield str(file.relative_to(APP)), call.args[0], call.args[2]


def marked_in(file: str) -> set[str]:
    """Names in `file` of sentences marked for translation, or of a choice of two."""
    named: set[str] = set()
    for node in ast.walk(ast.parse((APP / file).read_text())):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            chosen = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
            if all(_is_marked(each, named) for each in chosen):
                named.add(node.targets[0].id)
    return named


def _is_marked(value: ast.expr, named: set[str]) -> bool:
    if isinstance(value, ast.Name):
        return value.id in named
    return isinstance(value, ast.Call) and ast.unparse(value.func) in MARKS


@pytest.mark.parametrize(
    ("file", "kind", "sentence"),
    list(opened_issues()),
    ids=lambda part: part if isinstance(part, str) else ast.unparse(part),
)
def test_an_issue_has_a_named_kind_and_a_sentence_that_can_be_translated(
    file: str, kind: ast.expr, sentence: ast.expr
) -> None:
    assert isinstance(kind, (ast.Name, ast.Attribute))
    assert isinstance(sentence, ast.Name) and sentence.id in marked_in(file)


def test_calls_that_open_issues_are_found() -> None:
    assert len(list(opened_issues())) >= 6
