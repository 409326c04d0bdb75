"""Measure how the code of the four apps reads, and how much of it three journeys pass through.

    python -m script.measure_code [--json] [--check]

Counting rules

* Production code: the Python files of config, shop, inventory and checkout without tests and migrations.
* Functions: every `def`, methods and nested functions included; lambdas and comprehensions are not.
* Length: all lines from `def` to the end, so the signature and the docstring count, and decorators do not.
* Comment lines: lines that hold only a comment. They are given per 1,000 code lines, which are the lines with
  anything other than a comment, a docstring or white space on them.
* Private: the name begins with an underscore and is not a dunder. Used once: exactly one reference to the name
  (a variable, an attribute or an import) outside the function's own definition. References are counted in the module
  of the definition, since the same private name in another module belongs to another function.
* Journeys: distinct functions of production code that are called while the journey runs against fake_stripe in this
  process and SQLite in memory. Lambdas, comprehensions, generator expressions and class bodies do not count, nor
  do methods that dataclasses generate. Worker tasks are called from the table in config. A call that reports no work
  is an idle poll and leaves no trace in the count, and the worker's own loop is not part of a journey.
  The shop has been running for a while: one process whose middleware is built once, and each journey is measured the
  second time, after a first one has filled what a process computes only once (compiled statements, the shop's id, the
  pages' shared parts). The order comes within a minute of the product's last refresh, as in a rush. All else that an order passes in production counts, middleware and log lines included.

--check exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import inspect
import io
import itertools
import json
import logging
import os
import statistics
import sys
import threading
import tokenize
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

ROOT = Path(__file__).resolve().parent.parent
APPS = ("config", "shop", "inventory", "checkout")
TEMPLATE_SUFFIXES = {".html", ".txt", ".xml", ".svg"}
MAX_TEMPLATE_LINE = 120
WEBHOOK_PATH = "/stripe/webhook/"
PRODUCT = "prod_measured"

# Dotted key of a figure -> (largest value allowed, "<" if that value itself is a miss).
TARGETS: dict[str, tuple[str, float]] = {
    "functions.private_used_once_percent": ("<", 12),
    "functions.docstring_percent": ("<", 30),
    "asking_module_docstrings.repository": ("<=", 0),
    "journeys.paid_order.functions": ("<=", 75),
    "journeys.paid_order.files": ("<=", 15),
    "journeys.dashboard_edit.functions": ("<=", 120),
    "templates.long_lines": ("<=", 0),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Json = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m script.measure_code", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args()
    figures = measure()
    missed = missed_targets(figures)
    if options.json:
        print(json.dumps({**figures, "missed": missed}))
    else:
        print("\n".join([*lines_of(figures), *(f"MISSED {line}" for line in missed)]))
    return 1 if options.check and missed else 0


def measure() -> Json:
    sources = {path: path.read_text(encoding="utf-8") for path in production_files()}
    asking = [path for path in python_files(ROOT) if asks(path.read_text(encoding="utf-8"))]
    return {
        "functions": measure_functions(list(sources.values())),
        "comment_lines_per_1000": comments_per_1000(list(sources.values())),
        "asking_module_docstrings": {
            "apps": sum(path.relative_to(ROOT).parts[0] in APPS for path in asking),
            "repository": len(asking),
        },
        "templates": {"long_lines": long_template_lines()},
        "journeys": measure_journeys(),
    }


def missed_targets(figures: Json) -> list[str]:
    """One line for each target that `figures` miss, such as "functions.docstring_percent: 55 is not < 30"."""
    missed = []
    for key, (comparison, limit) in TARGETS.items():
        value: Any = figures
        for part in key.split("."):
            value = value[part]
        if not (value < limit or (comparison == "<=" and value == limit)):
            missed.append(f"{key}: {value:g} is not {comparison} {limit:g}")
    return missed


def lines_of(figures: Json, prefix: str = "") -> Iterator[str]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from lines_of(value, f"{prefix}{name}.")
        else:
            yield f"{prefix + name:44}{value:g}"


# --- Source files ---------------------------------------------------------------------------------


def python_files(folder: Path) -> Iterator[Path]:
    """The Python files below `folder`, without those in hidden folders such as .venv."""
    for path in sorted(folder.rglob("*.py")):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def production_files() -> Iterator[Path]:
    return (path for app in APPS for path in python_files(ROOT / app) if is_production(path))


def is_production(path: Path) -> bool:
    relative = path.relative_to(ROOT)
    is_test = relative.name.startswith("test_") or relative.name == "conftest.py"
    return relative.parts[0] in APPS and not {"tests", "migrations"} & set(relative.parts) and not is_test


def asks(source: str) -> bool:
    """Whether the first line of the module's docstring holds a question mark."""
    # Four of five files hold none at all, and need not be parsed.
    return "?" in source and "?" in (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def long_template_lines() -> int:
    folders = [ROOT / "templates", *ROOT.glob("*/templates")]
    return sum(
        len(line) > MAX_TEMPLATE_LINE
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in TEMPLATE_SUFFIXES
        for line in path.read_text(encoding="utf-8").splitlines()
    )


# --- Functions and comments -----------------------------------------------------------------------


def measure_functions(sources: list[str]) -> Json:
    trees = [ast.parse(source) for source in sources]
    functions = [node for tree in trees for node in functions_in(tree)]
    private = [node for node in functions if is_private(node.name)]
    used_once = sum(count_used_once(tree) for tree in trees)
    lengths = sorted((node.end_lineno or 0) - node.lineno + 1 for node in functions)
    return {
        "count": len(functions),
        "length_median": statistics.median(lengths),
        "length_p90": lengths[int(0.9 * (len(lengths) - 1))],
        "length_longest": lengths[-1],
        "docstring_percent": percent(
            sum(bool(ast.get_docstring(node)) for node in functions), len(functions)
        ),
        "private_percent": percent(len(private), len(functions)),
        "private_used_once_percent": percent(used_once, len(functions)),
    }


def functions_in(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def count_used_once(module: ast.Module) -> int:
    references = Counter(references_in(module))
    private = [node for node in functions_in(module) if is_private(node.name)]
    return sum(references[node.name] - own_references(node) == 1 for node in private)


def percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1)


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def references_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name


def own_references(function: Function) -> int:
    """References to a function inside its own definition, as in a recursion."""
    return sum(name == function.name for name in references_in(function))


def comments_per_1000(sources: list[str]) -> float:
    comments = code = 0
    for source in sources:
        docstrings = docstring_lines(ast.parse(source))
        comment_lines: set[int] = set()
        code_lines: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            lines = range(token.start[0], token.end[0] + 1)
            if token.type == tokenize.COMMENT:
                comment_lines.update(lines)
            elif token.string.strip() and token.type not in {tokenize.INDENT, tokenize.DEDENT}:
                code_lines.update(lines)
        comments += len(comment_lines - code_lines)
        code += len(code_lines - docstrings)
    return round(1000 * comments / code, 1)


def docstring_lines(tree: ast.Module) -> set[int]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            lines.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


# --- Journeys -------------------------------------------------------------------------------------


@dataclass
class Trace:
    """The functions of production code that one journey called."""

    called: set[CodeType] = field(default_factory=set)

    @contextmanager
    def recording(self) -> Iterator[None]:
        threading.setprofile(self._record)
        sys.setprofile(self._record)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _record(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            self.called.add(frame.f_code)

    def functions(self) -> set[tuple[str, str, int]]:
        """(file, qualified name, line) of each."""
        found = set()
        for code in self.called:
            path = Path(code.co_filename)
            # Only functions have optimized locals; module and class bodies do not.
            is_function = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
            if is_function and path.is_relative_to(ROOT) and path.is_file() and is_production(path):
                name = getattr(code, "co_qualname", code.co_name)
                found.add((path.relative_to(ROOT).as_posix(), name, code.co_firstlineno))
        return found

    def figures(self) -> Json:
        functions = self.functions()
        return {"functions": len(functions), "files": len({file for file, _, _ in functions})}


def measure_journeys() -> Json:
    prepare_django()
    journeys = Journeys()
    for name in ("Softer T-shirt", "Softest T-shirt"):
        # A paid order begins with a cart, and the Dashboard edit needs a product that has been sold once. The first
        # round only warms the process up.
        cart = journeys.cart_to_payment()
        paid = journeys.paid_order()
        edit = journeys.dashboard_edit(name)
    return {
        "paid_order": paid.figures(),
        "dashboard_edit": edit.figures(),
        "cart_to_payment": cart.figures(),
    }


def prepare_django() -> None:
    """Set up the shop with its test settings and an empty database in memory."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.test_settings"
    os.environ["DATABASE_URL"] = "sqlite:///:memory:"
    # Ids are not random, so that each run takes the same paths: JSON with a number such as 4e5 in it is cleaned before
    # it is stored, and a random id may look like one.
    numbers = itertools.count(1)
    uuid.uuid4 = lambda: uuid.UUID(int=next(numbers), version=4)
    # Imported here because the settings are read on import.
    import django
    from django.core.management import call_command

    django.setup()
    # Log records are formatted as in production, and not shown.
    logging.getLogger().handlers = [logging.StreamHandler(io.StringIO())]
    call_command("migrate", verbosity=0)


def worker_tasks() -> list[Any]:
    """The table of the worker's tasks. The second name lets older commits be measured by the same rules."""
    for module, table in (("config.worker_tasks", "WORKER_TASKS"), ("config.duties", "DUTIES")):
        if importlib.util.find_spec(module):
            return list(getattr(importlib.import_module(module), table))
    raise LookupError("config has no table of worker tasks.")


class Journeys:
    """A shop with one product and one customer.

    Only paths, commands, models and the worker's table are named here, so that the code can be renamed freely.
    """

    def __init__(self) -> None:
        import stripe
        from django.core.management import call_command
        from django.test import Client

        from fake_stripe import FakeStripe

        self.customer = Client()
        self.ahead = timedelta(0)  # of this machine's clock, in the time that the worker's tasks are given
        self.fake: FakeStripe = FakeStripe(base_url="http://stripe.test")
        # The shop's transport is replaced in the library: no client exists yet, and no name of the shop is needed.
        stripe.RequestsClient = lambda **options: self.fake.http_client()  # type: ignore[assignment,misc]
        self.fake.add_webhook_endpoint(
            f"http://testserver{WEBHOOK_PATH}",
            enabled_events=["checkout.session.completed", "product.updated"],
            secret="whsec_test",  # noqa: S106
        )
        # Stripe is a client of its own, and a lasting one: each new one would build the middleware again.
        self.stripe = Client()
        self.fake.deliver_to(self.deliver_to_shop)
        self.fake.add_product(
            id=PRODUCT,
            name="T-shirt",
            metadata={
                "category": "clothing",
                "sizes": "S,M,L",
                "stock_S": "4",
                "stock_M": "15",
                "stock_L": "2",
                "colors": "Black,White",
            },
            prices=[{"unit_amount": 2500, "currency": "usd"}],
        )
        call_command("sync_catalog", stdout=io.StringIO())
        # A customer has been here before, so that URLs are loaded and what every page shares is cached.
        self.customer.get("/")
        self.clear_backlog()

    def cart_to_payment(self) -> Trace:
        """Add to cart, cart page, start of payment."""
        from django.apps import apps

        trace = Trace()
        item = apps.get_model("inventory", "StockItem").objects.get(product_id=PRODUCT, size="M")
        form = {"item": item.pk, "color": "Black", "quantity": "1"}
        with trace.recording():
            self.customer.post("/cart/add/", form)
            page = self.customer.get("/cart/")
            answer = self.customer.post("/checkout/")
        assert page.status_code == 200 and answer.status_code == 302, (page, answer)
        assert answer["Location"].startswith("http://stripe.test/"), answer["Location"]
        return trace

    def paid_order(self) -> Trace:
        """The webhook of a paid session, the sale, and the count that Stripe shows in the end."""
        trace = Trace()
        self.clear_backlog()
        session = next(iter(self.fake.call("GET", "/v1/checkout/sessions")[1]["data"]))
        before = int(self.metadata()["stock_M"])
        self.fake.pay(session["id"])
        self.deliver(trace)
        self.work(trace, until=lambda: int(self.metadata()["stock_M"]) == before - 1)
        return trace

    def dashboard_edit(self, name: str) -> Trace:
        """A name and a count changed in Stripe's Dashboard, until the product page shows them."""
        from django.apps import apps

        trace = Trace()
        products = apps.get_model("shop", "Product").objects.filter(pk=PRODUCT)
        self.clear_backlog()
        count = int(self.metadata()["stock_L"]) + 7
        self.fake.dashboard.edit_product(PRODUCT, name=name, metadata={"stock_L": str(count)})
        self.deliver(trace)
        self.work(trace, until=products.filter(name=name).exists)
        address = products.get().get_absolute_url()
        with trace.recording():
            page = self.customer.get(address)
        assert page.status_code == 200 and name in page.content.decode()
        return trace

    def metadata(self) -> Json:
        return dict(self.fake.call("GET", f"/v1/products/{PRODUCT}")[1]["metadata"])

    def clear_backlog(self) -> None:
        """Deliver and handle what earlier journeys left, such as the events of the shop's own updates."""
        self.work(Trace())
        while self.deliver(Trace()):
            self.work(Trace())
        # Changes within one second of each other are compared more closely.
        self.fake.forward(2)

    def deliver(self, trace: Trace) -> int:
        with trace.recording():
            attempts = self.fake.deliver_due()
        assert all(attempt["status"] == 200 for attempt in attempts), attempts
        return len(attempts)

    def deliver_to_shop(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        others = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        answer = self.stripe.post(WEBHOOK_PATH, data=body, content_type="application/json", headers=others)
        return answer.status_code, answer.content

    def work(self, trace: Trace, until: Callable[[], bool] | None = None) -> None:
        """Run the frequent worker tasks until `until`, or until they have nothing to do ten seconds later either.

        Updates wait a few seconds for more movements. The tasks are given the time, so nothing sleeps. It begins after the
        wait that the last work has caused: else the speed of this machine would decide which task comes first.
        """
        from django.utils import timezone

        ahead, last = self.ahead, self.ahead + timedelta(seconds=10)
        while ahead <= last:
            now = timezone.now() + ahead
            done = sum(self.run(task, now, trace, until) for task in worker_tasks() if task.every < 60)
            self.ahead = ahead + timedelta(seconds=2) if done else self.ahead
            if until and until():
                return
            ahead += timedelta(0) if done else timedelta(seconds=5)
        assert not until, "The worker has nothing left to do, and the journey has not ended."

    def run(self, task: Any, now: datetime, trace: Trace, until: Callable[[], bool] | None) -> int:
        from django.utils.module_loading import import_string

        if until and until():
            return 0
        function, call = import_string(task.path), Trace()
        with call.recording():
            done: int = function(now)
        if done:
            trace.called |= call.called
        return done


if __name__ == "__main__":
    sys.exit(main())
