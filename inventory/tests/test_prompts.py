"""Tests of the question that commands ask before they change an account."""

from __future__ import annotations

import io

import pytest
from django.core.management.base import CommandError

from inventory.management.prompts import ask_to_proceed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["y", " Yes "])
def test_who_says_yes_proceeds(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))

    ask_to_proceed()


@pytest.mark.parametrize("answer", ["", "n", "yeah"])
def test_any_other_answer_stops_the_command(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))

    with pytest.raises(CommandError, match="Nothing was changed"):
        ask_to_proceed()


def test_without_a_terminal_the_command_stops_and_names_its_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    with pytest.raises(CommandError, match="--yes"):
        ask_to_proceed()
