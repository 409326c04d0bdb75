"""Questions of the commands that change an account."""

from __future__ import annotations

import sys

from django.core.management.base import CommandError


def ask_to_proceed(question: str = "Proceed?") -> None:
    """Raise CommandError unless a person at a terminal says yes."""
    if not sys.stdin.isatty():
        raise CommandError("Nothing was changed: add --yes to proceed without a terminal.")
    if input(f"{question} [y/N] ").strip().lower() not in {"y", "yes"}:
        raise CommandError("Nothing was changed.")
