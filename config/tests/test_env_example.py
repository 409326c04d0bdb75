""".env.example lists every variable that the settings read, each below one line that explains it."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from config import env, settings
from config.tests.settings_run import settings_with

ROOT = Path(__file__).resolve().parent.parent.parent
READERS = {name for name, function in vars(env).items() if inspect.isfunction(function)}
# Their defaults are paths beside manage.py, so .env.example shows an example instead.
EXAMPLES = ("#DATABASE_URL=", "#STATIC_ROOT=")


def variables_that_settings_read() -> set[str]:
    """The first arguments of all calls to functions of config.env."""
    tree = ast.parse((ROOT / "config/settings.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    first = [call.args[0] for call in calls if call.args and _reads_a_variable(call.func)]
    return {node.value for node in first if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _reads_a_variable(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id in READERS


def example() -> list[str]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("# ---")]


def test_the_example_lists_each_variable_once_and_no_other() -> None:
    named = [match[1] for line in example() if (match := re.match(r"#?([A-Z_]+)=", line))]

    assert sorted(named) == sorted(variables_that_settings_read())


def test_each_variable_is_below_one_line_that_explains_it() -> None:
    explanations, variables = example()[::2], example()[1::2]

    assert [line for line in explanations if not re.match(r"# \S.*[.)]$", line)] == []
    assert [line for line in variables if not re.match(r"#?[A-Z_]+=", line)] == []


def test_commented_values_are_the_defaults(tmp_path: Path) -> None:
    # So removing the # changes nothing.
    defaults = [line for line in example() if re.match(r"#[A-Z_]+=", line) and not line.startswith(EXAMPLES)]
    file = tmp_path / "env"
    file.write_text("\n".join(line[1:] for line in defaults))
    names = sorted(name for name in vars(settings) if name.isupper())

    assert settings_with(*names, ENV_FILE=str(file)) == settings_with(*names)
