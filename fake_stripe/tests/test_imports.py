"""Imports inside fake_stripe: no cycles, and nothing of the shop.

Imports are read from the source, so those inside functions and under TYPE_CHECKING count too.
"""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
SHOP = {"config", "shop", "inventory", "checkout", "demo", "proofs", "benchmarks"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def imported_modules(source: str) -> frozenset[str]:
    """Every module a source imports; of `from a import b` it is `a.b` where that is a module, else `a`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in SOURCES else node.module for name in names}
    return frozenset(found)


def import_cycle(sources: dict[str, str]) -> list[str]:
    """The modules of one cycle, the first of them repeated at the end; empty if there is none."""
    graph = {name: imported_modules(source) & sources.keys() for name, source in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_cycle() -> None:
    assert import_cycle(SOURCES) == []


@pytest.mark.parametrize(
    "statement",
    [
        "from fake_stripe.resources import products",
        "def late():\n    from fake_stripe.resources import products",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import fake_stripe.resources.products",
    ],
)
def test_a_cycle_is_found_wherever_the_import_is_written(statement: str) -> None:
    prices = "fake_stripe.resources.prices"

    cycle = import_cycle({**SOURCES, prices: f"{SOURCES[prices]}\n{statement}\n"})

    assert {prices, "fake_stripe.resources.products"} <= set(cycle)


@pytest.mark.parametrize("module", SOURCES)
def test_nothing_of_the_shop_is_imported(module: str) -> None:
    packages = {name.partition(".")[0] for name in imported_modules(SOURCES[module])}

    assert not packages & SHOP
