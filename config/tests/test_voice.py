"""Texts that every change must keep plain: docstrings that state, usual words, template lines that fit a screen."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What older versions stored or called a thing stands in migrations, decisions and the changelog.
HISTORY = re.compile(r"docs/decisions/|CHANGELOG\.md|/migrations/|/fixtures/|\.patch$|requirements")
# Words of the old dialect, archaic adverbs, and British spellings of words that Stripe and Django spell otherwise.
BANNED = re.compile(
    r"\b(anew|whoever|whomever|whatsoever|thereby|hitherto|garbled|un?parked|colou?rs? of the house"
    r"|colours?|catalogues?|fulfilment|cancelled)\b",
    re.IGNORECASE,
)
# Spellings that belong to other programs, to stored data, or to addresses that customers have.
ALLOWED = re.compile(
    r'checkout/cancelled/|"colours?"|“colours?”|colours?=|=colours?'
    r'|oscar\.apps\.(dashboard\.)?catalogue\.|"/catalogue/"'
)
LONGEST_TEMPLATE_LINE = 120


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_module_docstring_asks_a_question() -> None:
    asking = []
    for file in tracked("*.py"):
        source = file.read_text()
        # Most files hold no question mark at all, and need not be parsed.
        docstring = ("?" in source and ast.get_docstring(ast.parse(source))) or ""
        if "?" in docstring.partition("\n")[0]:
            asking.append(str(file.relative_to(ROOT)))
    assert not asking


def test_no_text_uses_a_banned_word() -> None:
    found = []
    for file in tracked("*.py", "*.html", "*.md", "*.css", "*.js", "*.txt", ".env.example"):
        name = str(file.relative_to(ROOT))
        if HISTORY.search(name) or name == "config/tests/test_voice.py":
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if hit := BANNED.search(ALLOWED.sub("", line)):
                found.append(f"{name}:{number}: {hit[0]}")
    assert not found


def test_no_template_line_is_longer_than_a_screen() -> None:
    long = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in tracked("templates/*.html", "templates/*.txt")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if len(line) > LONGEST_TEMPLATE_LINE
    ]
    assert not long


@pytest.mark.parametrize("text", ["Count it anew.", "The colour of a shirt", "Whoever pays first"])
def test_the_list_finds_what_it_bans(text: str) -> None:
    assert BANNED.search(text)
