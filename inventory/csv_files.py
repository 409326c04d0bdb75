"""Read CSV files that spreadsheets write: any common separator, with or without a byte order mark, one error per line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

MAX_BYTES = 20 * 1024 * 1024
SEPARATORS = ",;\t"


class CsvProblem(ValueError):
    """The file or one of its lines cannot be used; the message names the line where there is one."""


def read_rows(path: Path, columns: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, column to text) for each line below the header; empty lines are skipped.

    `columns`: our name to the headers accepted for it, in lower case. A column whose accepted headers include "" may
    be absent. Raises CsvProblem.
    """
    if not path.is_file():
        raise CsvProblem(f"There is no file {path}.")
    if path.stat().st_size > MAX_BYTES:
        raise CsvProblem(f"{path.name} is larger than {MAX_BYTES // 1024 // 1024} MB. Split it.")
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
        raise CsvProblem(f"{path.name} is UTF-16 text or no text at all. Save it as “CSV UTF-8”.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            yield from _rows(text.read(MAX_BYTES), path.name, columns)
    except UnicodeDecodeError as exc:
        raise CsvProblem(
            f"{path.name} is not UTF-8 text (byte {exc.start}). Save it as “CSV UTF-8”."
        ) from exc
    except csv.Error as exc:
        raise CsvProblem(f"{path.name} cannot be read as CSV: {exc}.") from exc


def _rows(
    text: str, name: str, columns: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[int, dict[str, str]]]:
    header_line = text.partition("\n")[0]
    separator = max(SEPARATORS, key=header_line.count)
    lines = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    header = [cell.strip().lower() for cell in next(lines, [])]
    places: dict[str, int | None] = {}
    for column, accepted in columns.items():
        places[column] = next((place for place, cell in enumerate(header) if cell and cell in accepted), None)
        if places[column] is None and "" not in accepted:
            expected = " or ".join(f"“{title}”" for title in accepted)
            raise CsvProblem(f"{name} has no column {expected}. Its first line must name the columns.")
    rows = 0
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise CsvProblem(
                f"Line {lines.line_num} of {name} has {len(cells)} cells, but the first line has {len(header)}."
            )
        rows += 1
        yield (
            lines.line_num,
            {column: "" if place is None else cells[place].strip() for column, place in places.items()},
        )
    if not rows:
        raise CsvProblem(f"{name} has no line below the column names.")
