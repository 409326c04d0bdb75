"""How does a control take a guard out? It rewrites the very function that holds it, for the process it runs in."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any


def take_out(module: ModuleType, function: str, guard: str, instead: str, **names: Any) -> None:
    """Put `instead` in the place of `guard` in the source of `module`.`function`; `names` are what it may use.

    Raises AssertionError where the guard does not stand there once: the control would then prove nothing.
    """
    source = inspect.getsource(getattr(module, function))
    if source.count(guard) != 1:
        raise AssertionError(f"{module.__name__}.{function} has no “{guard}” any more")
    vars(module).update(names)
    exec(compile(source.replace(guard, instead), f"{function} without its guard", "exec"), vars(module))  # noqa: S102
