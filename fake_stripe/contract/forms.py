"""What does a form in Stripe's bracket notation say?

`line_items[0][price]=p&metadata[k]=v&expand[]=data` becomes nested dicts whose leaves are text; lists are dicts
with the keys "0", "1", ... until a rule that knows better reads them (rules.py).
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

Tree = dict[str, "str | Tree"]

NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
BRACKET = re.compile(r"\[([^\[\]]*)\]")


class MalformedForm(ValueError):
    """A key that cannot be read, or one that is both a value and a group."""


def parse(form: bytes | str) -> Tree:
    """Read a form body or a query string. The last of two equal keys wins. Raises MalformedForm."""
    text = form.decode("utf-8", "replace") if isinstance(form, bytes) else form
    tree: Tree = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        _put(tree, split(key), value, key)
    return tree


def split(key: str) -> list[str]:
    """`a[0][b]` -> ["a", "0", "b"]; an empty bracket is an empty step."""
    match = NAME.fullmatch(key)
    if match is None:
        raise MalformedForm(f"the key {key!r} is not in bracket notation")
    return [match[1], *BRACKET.findall(match[2])]


def _put(tree: Tree, steps: list[str], value: str, key: str) -> None:
    for depth, step in enumerate(steps[:-1]):
        rest = steps[depth + 1 :]
        branch = tree.setdefault(step or _open_element(tree, rest), {})
        if isinstance(branch, str):
            raise MalformedForm(f"{key!r} is a group, and a value was given for it before")
        tree = branch
    last = steps[-1] or str(len(tree))
    if isinstance(tree.get(last), dict):
        raise MalformedForm(f"{key!r} is a value, and a group was given for it before")
    tree[last] = value


def _open_element(tree: Tree, rest: list[str]) -> str:
    """Which element `[]` means: the last one, or a new one where the last has this key already."""
    last = tree.get(str(len(tree) - 1))
    if isinstance(last, dict) and rest[0] and rest[0] not in last:
        return str(len(tree) - 1)
    return str(len(tree))
