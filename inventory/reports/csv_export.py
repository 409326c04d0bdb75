"""Tables as CSV that is streamed row by row and safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain

from django.http import StreamingHttpResponse
from django.utils import timezone

# Spreadsheets run cells that begin with one of these as formulas.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
ROWS_PER_CHUNK = 200

Cell = str | int | Decimal | datetime | None


def csv_text(text: str, *, always_quoted: bool = False) -> str:
    """A text cell. An apostrophe in front keeps spreadsheets from running it as a formula."""
    if text.startswith(FORMULA_STARTS):
        text = f"'{text}"
    if always_quoted or any(letter in text for letter in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """CSV with LF, without a byte order mark. Numbers are bare; times are local, without a zone."""
    for row in chain([columns], rows):
        texts = []
        for cell in row:
            if isinstance(cell, datetime):
                texts.append(timezone.localtime(cell).strftime("%Y-%m-%d %H:%M:%S"))
            elif isinstance(cell, str):
                texts.append(csv_text(cell))
            else:
                texts.append("" if cell is None else str(cell))
        yield ",".join(texts) + "\n"


def csv_response(lines: Iterable[str], name: str) -> StreamingHttpResponse:
    """A download. It is written while the rows are read, so memory does not grow with their number."""
    answer = StreamingHttpResponse(_chunks(lines), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}-{timezone.localdate():%Y-%m-%d}.csv"'
    return answer


def _chunks(lines: Iterable[str]) -> Iterator[str]:
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == ROWS_PER_CHUNK:
            yield "".join(chunk)
            chunk.clear()
    yield "".join(chunk)
