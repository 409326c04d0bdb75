"""Named points at which tests crash a process: each step after which a crash matters calls fault_point.

In production this does nothing. A test replaces `visit` with a function that ends the process.
"""

from collections.abc import Callable


def _nothing(name: str) -> None:
    pass


visit: Callable[[str], None] = _nothing


def fault_point(name: str) -> None:
    """Pass the point `name`, such as "publish.sent"."""
    visit(name)
