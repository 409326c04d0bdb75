"""Named points at which tests crash a process: each step after which a crash matters calls fault_point.

In production this does nothing. A test replaces `visit` with a function that ends the process.
"""

from collections.abc import Callable

visit: Callable[[str], None] | None = None


def fault_point(name: str) -> None:
    if visit:
        visit(name)
