"""The latest feeds, compressed and per process. A key holds the version of what a feed says, so no entry is outdated."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Callable, Iterator
from io import BytesIO
from threading import Lock

MAX_FEEDS = 4  # 40,000 rows are about 1.5 MB.

_feeds: OrderedDict[str, bytes] = OrderedDict()
_lock = Lock()


def cached_feed(key: str) -> bytes | None:
    """The whole feed as gzip, or None."""
    with _lock:
        if key in _feeds:
            _feeds.move_to_end(key)
        return _feeds.get(key)


def kept(key: str, pieces: Iterator[str], is_current: Callable[[], bool]) -> Iterator[str]:
    """Yield the pieces, and keep them under `key` once all were read, if the key is then still right."""
    file = BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as compressor:
        for piece in pieces:
            compressor.write(piece.encode())
            yield piece
    if is_current():
        with _lock:
            _feeds[key] = file.getvalue()
            while len(_feeds) > MAX_FEEDS:
                _feeds.popitem(last=False)


def clear() -> None:
    with _lock:
        _feeds.clear()
