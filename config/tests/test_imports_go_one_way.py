"""Imports go one way, checkout -> inventory -> shop -> config, and only four modules import stripe."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.db.migrations.loader import MigrationLoader

ROOT = Path(__file__).resolve().parent.parent.parent
# Packages that each package may import besides itself. The demo and the scripts may import all.
BELOW: dict[str, set[str]] = {
    "config": set(),
    "shop": {"config"},
    "inventory": {"config", "shop"},
    "checkout": {"config", "shop", "inventory"},
    "fake_stripe": set(),
}
# The same inside an app: the topics that each topic may import besides itself and the modules at the app's root.
TOPICS: dict[str, dict[str, set[str]]] = {
    "inventory": {
        "stock": set(),
        "imports": {"stock"},
        "events": set(),
        "stripe_sync": {"stock", "events"},
        "reports": {"stock"},
        "setup": {"events", "stripe_sync"},
    },
    "checkout": {
        "cart": set(),
        "mail": set(),
        "orders": {"cart", "mail"},
        "recovery": {"cart", "orders", "mail"},
        "privacy": {"orders", "mail", "restock"},
        "reports": {"orders"},
        "restock": {"cart", "mail"},
    },
    "shop": {"page_cache": set()},
}
# Tests may import the fake, and the shop's tests may create stock items for the pages.
TESTS_MAY = {"fake_stripe", "inventory.models"}
OURS = {*BELOW, "demo", "script", "proofs", "benchmarks"}
MAY_IMPORT_STRIPE = {
    "config/stripe_client.py",
    "config/tests/test_stripe_client.py",
    "shop/gateway.py",
    "inventory/gateway.py",
    "checkout/gateway.py",
    # Signs its requests with the library's function, so that our verification is not tested against itself.
    "inventory/tests/test_webhook.py",
    # Replaces the library's verification, to reach what comes after it.
    "inventory/tests/test_signatures.py",
}


def sources() -> Iterator[tuple[str, str]]:
    """(path relative to the root, text) of every Python file in the packages."""
    for package in BELOW:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name == "make_database.py":
                continue  # A script that runs with the code of an older version.
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


@cache
def imported(text: str) -> list[str]:
    """Dotted names imported by a source, including imports in functions and under TYPE_CHECKING."""
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return names


def upward_imports(path: str, text: str) -> list[str]:
    package = path.split("/")[0]
    above = OURS - {package, *BELOW[package]}
    granted = TESTS_MAY if "/tests/" in path else set()
    names = [name for name in imported(text) if name.split(".")[0] in above]
    return [f"{path} imports {name}" for name in names if not granted & {name, name.split(".")[0]}]


def topic_imports(path: str, text: str) -> list[str]:
    """Imports of a topic that comes later, by a module of a topic."""
    app, topic, *_module = path.split("/")
    topics = TOPICS.get(app, {})
    if topic not in topics or "/tests/" in path:
        return []
    others = topics.keys() - {topic, *topics[topic]}
    parts = [name.split(".") for name in imported(text)]
    # `from inventory import stripe_sync` and `from inventory.stripe_sync import refresh` both count.
    return [
        f"{path} imports {'.'.join(name)}" for name in parts if name[0] == app and set(name[1:2]) & others
    ]


def import_graph(*packages: str) -> dict[str, set[str]]:
    """Module to the modules of `packages` it imports; tests and migrations are left out."""
    texts = {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
        if not {"tests", "migrations"} & set(path.parts)
    }
    graph: dict[str, set[str]] = {}
    for module, path in texts.items():
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                # A name that is no module was imported from the module before it.
                names |= {
                    name if (name := f"{node.module}.{alias.name}") in texts else node.module
                    for alias in node.names
                }
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
        graph[module] = (names & texts.keys()) - {module}
    return graph


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """One cycle of the graph as a path that ends where it starts; empty if there is none."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module not in done:
            for target in sorted(graph[module]):
                if cycle := visit(target, [*path, module]):
                    return cycle
            done.add(module)
        return []

    return next((cycle for module in sorted(graph) if (cycle := visit(module, []))), [])


def undue_imports_of_stripe(path: str, text: str) -> list[str]:
    if path in MAY_IMPORT_STRIPE or path.startswith("fake_stripe/"):
        return []
    return [f"{path} imports {name}" for name in imported(text) if name.split(".")[0] == "stripe"]


def test_no_package_imports_from_above() -> None:
    assert [fault for path, text in sources() for fault in upward_imports(path, text)] == []


def test_no_topic_imports_a_later_one() -> None:
    assert [fault for path, text in sources() for fault in topic_imports(path, text)] == []


@pytest.mark.parametrize("packages", [("config", "shop", "inventory", "checkout"), ("proofs",), ("demo",)])
def test_no_modules_import_each_other_in_a_circle(packages: tuple[str, ...]) -> None:
    assert cycle_in(import_graph(*packages)) == []


def test_a_cycle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}}

    assert cycle_in(graph) == ["b", "c", "b"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("inventory/stock/ledger.py", "from inventory.stripe_sync import refresh"),
        ("inventory/events/inbox.py", "def f():\n    from inventory.stock import ledger"),
        ("checkout/orders/refunds.py", "from checkout.recovery.backfill import apply_completed"),
        ("checkout/cart/cart.py", "import checkout.orders.checkout"),
    ],
)
def test_an_import_of_a_later_topic_is_found(path: str, text: str) -> None:
    assert len(topic_imports(path, text)) == 1


def test_only_the_gateways_import_stripe() -> None:
    assert [fault for path, text in sources() for fault in undue_imports_of_stripe(path, text)] == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("shop/views.py", "from inventory.models import StockItem"),
        ("shop/views.py", "def f():\n    import checkout.cart.cart"),
        ("inventory/worker.py", "if TYPE_CHECKING:\n    from checkout import models"),
        ("config/urls.py", "import shop"),
        ("fake_stripe/store.py", "from config import settings"),
        ("checkout/orders/checkout.py", "import demo.catalog"),
        ("checkout/orders/checkout.py", "import fake_stripe"),
        ("inventory/worker.py", "import proofs.children"),
        ("shop/tests/test_pages.py", "from inventory import ledger"),
        ("inventory/tests/test_worker.py", "from checkout.models import Order"),
    ],
)
def test_an_upward_import_is_found(path: str, text: str) -> None:
    assert len(upward_imports(path, text)) == 1


def test_an_import_of_stripe_inside_a_function_is_found() -> None:
    assert undue_imports_of_stripe("shop/views.py", "def f():\n    from stripe import StripeClient") == [
        "shop/views.py imports stripe"
    ]


def test_no_model_points_at_a_model_above_it() -> None:
    pointing_up = [
        f"{model._meta.label}.{field.name} points at {target._meta.label}"
        for package in ("shop", "inventory", "checkout")
        for model in apps.get_app_config(package).get_models()
        for field in model._meta.get_fields()
        if field.concrete and (target := field.related_model)
        if target._meta.app_label in BELOW.keys() - {package, *BELOW[package]}
    ]

    assert pointing_up == []


def test_no_migration_depends_on_one_above_it() -> None:
    migrations = MigrationLoader(connection=None).disk_migrations
    depending_up = [
        f"{package}.{name} depends on {other}"
        for (package, name), migration in migrations.items()
        if package in BELOW
        for other, _its_name in [*migration.dependencies, *migration.run_before]
        if other in BELOW.keys() - {package, *BELOW[package]}
    ]

    assert depending_up == []
    assert {"shop", "inventory", "checkout"} <= {package for package, _name in migrations}
