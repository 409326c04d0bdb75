"""Order and choose the proofs.

The longest come first, so that no process is left with one of them at the end. Those marked slow are deselected
unless ALL_PROOFS=1 is set, as in CI, or tests are selected by name.
"""

from __future__ import annotations

import os

import pytest

LONGEST = {"test_schedules.py", "test_mutants.py"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)
    if os.environ.get("ALL_PROOFS") == "1":
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow and not config.option.keyword and not any("::" in name for name in config.args):
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
