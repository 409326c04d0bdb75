"""Where may a process die? Each step after which a crash would matter calls fault_point with its name.

In production this does nothing. A test puts a function in the place of `visit` that ends the process.
"""

from collections.abc import Callable


def _nothing(name: str) -> None:
    pass


visit: Callable[[str], None] = _nothing


def fault_point(name: str) -> None:
    """Pass the point called `name`, such as "publish.sent"."""
    visit(name)
