"""LRU cache of rendered pages and fragments, per process.

A key holds every value that its fragment shows, so entries cannot be stale: a new value is a new key.
Least recently used entries are evicted first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

from django.conf import settings
from django.utils.translation import get_language

MAX_FRAGMENTS = 512  # Fragments of a few kilobytes each.

Fragment = TypeVar("Fragment")

_fragments: OrderedDict[Hashable, Any] = OrderedDict()
_lock = Lock()


def cached_render(key: Hashable, render: Callable[[], Fragment]) -> Fragment:
    """Return the fragment cached for `key` in the active language, rendering it if needed."""
    if settings.DEBUG:
        return render()  # Templates may be edited at any time.
    key = (get_language(), key)
    with _lock:
        fragment: Fragment | None = _fragments.get(key)
        if fragment is not None:
            _fragments.move_to_end(key)
            return fragment
    fragment = render()
    with _lock:
        _fragments[key] = fragment
        while len(_fragments) > MAX_FRAGMENTS:
            _fragments.popitem(last=False)
    return fragment


def clear() -> None:
    with _lock:
        _fragments.clear()
