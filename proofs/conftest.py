"""Deselect proofs marked slow unless ALL_PROOFS=1 is set, as in CI, or tests are selected by name."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("ALL_PROOFS") == "1":
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow and not config.option.keyword and not any("::" in name for name in config.args):
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
