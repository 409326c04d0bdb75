"""Which pieces of a page were rendered before? Kept in this process, under keys that hold everything a piece shows.

So a kept piece can never be stale: another number or text is another key. The one that was not asked for
longest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from django.conf import settings
from django.utils.safestring import SafeString
from django.utils.translation import get_language

MOST = 512  # Pieces of a few kilobytes each.

_pieces: OrderedDict[Hashable, SafeString] = OrderedDict()
_lock = Lock()


def kept(key: Hashable, render: Callable[[], str]) -> SafeString:
    """The piece of `key` in the language of this request; rendered once, then remembered."""
    if settings.DEBUG:
        return SafeString(render())  # Templates are being edited.
    key = (get_language(), key)
    with _lock:
        piece = _pieces.get(key)
        if piece is not None:
            _pieces.move_to_end(key)
            return piece
    piece = SafeString(render())
    with _lock:
        _pieces[key] = piece
        while len(_pieces) > MOST:
            _pieces.popitem(last=False)
    return piece


def forget() -> None:
    """Render everything anew: for tests, and for templates that are being edited."""
    with _lock:
        _pieces.clear()
