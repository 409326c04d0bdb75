"""Read CSV files that spreadsheets write: any common separator, with or without a byte order mark, one error per line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

MAX_BYTES = 20 * 1024 * 1024
MAX_HEADER = 64 * 1024
SEPARATORS = ",;\t"


class CsvProblem(ValueError):
    """The file or one of its lines cannot be used; the message names the line where there is one."""


@dataclass(frozen=True)
class Row:
    """One row below the header. `line`: where it begins. `problem`: a sentence if its cells cannot be used."""

    line: int
    cells: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    def get(self, *columns: str) -> str:
        """The text in the first of `columns` that has one, "" if none has."""
        return next((text for column in columns if (text := self.cells.get(column, ""))), "")


class Table:
    """The rows of a CSV file as a stream, so that memory does not grow with the file. Raises CsvProblem.

    `header`: the column names in lower case. `file`: seekable, opened for reading bytes.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.name, self._file = name, file
        size = file.seek(0, io.SEEK_END)
        if size > MAX_BYTES:
            raise CsvProblem(f"{name} is larger than {MAX_BYTES // 1024 // 1024} MB. Split it.")
        file.seek(0)
        start = file.read(4)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
            raise CsvProblem(f"{name} is UTF-16 text or no text at all. Save it as “CSV UTF-8”.")
        file.seek(0)
        try:
            first_line = file.readline(MAX_HEADER).decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            raise self._not_utf_8(exc) from exc
        self._separator = max(SEPARATORS, key=first_line.count)
        header = next(self._read(), (1, []))[1]
        self.header = [cell.strip().casefold() for cell in header]
        if not any(self.header):
            raise CsvProblem(f"{name} is empty. Its first line must name the columns.")
        twice = [name for name in dict.fromkeys(filter(None, self.header)) if self.header.count(name) > 1]
        if twice:
            raise CsvProblem(f"{name} has the column “{twice[0]}” twice.")

    def rows(self) -> Iterator[Row]:
        """Every row below the header. Empty lines are skipped. Raises CsvProblem if there is none."""
        lines = self._read()
        next(lines, None)
        number = 0
        for line, cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            number += 1
            if len(cells) != len(self.header):
                text = f"Line {line} of {self.name} has {len(cells)} cells, but the first line has"
                yield Row(line, problem=f"{text} {len(self.header)}.")
            elif any("\0" in cell for cell in cells):
                yield Row(line, problem=f"Line {line} of {self.name} has characters that are no text.")
            else:
                stripped = (cell.strip() for cell in cells)
                yield Row(line, dict(zip(self.header, stripped, strict=True)))
        if not number:
            raise CsvProblem(f"{self.name} has no line below the column names.")

    def _read(self) -> Iterator[tuple[int, list[str]]]:
        # (line where it begins, cells) of each row, the header included.
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding="utf-8-sig", newline="")
        try:
            # Only line feeds and carriage returns end a row; str.splitlines knows eight more.
            lines = csv.reader(text, delimiter=self._separator, strict=True)
            end = 0
            for cells in lines:
                yield end + 1, cells
                end = lines.line_num
        except UnicodeDecodeError as exc:
            raise self._not_utf_8(exc) from exc
        except csv.Error as exc:
            raise CsvProblem(f"{self.name} cannot be read as CSV after line {end}: {exc}.") from exc
        finally:
            text.detach()

    def _not_utf_8(self, error: UnicodeDecodeError) -> CsvProblem:
        return CsvProblem(f"{self.name} is not UTF-8 text (byte {error.start}). Save it as “CSV UTF-8”.")


def open_csv(path: Path) -> IO[bytes]:
    """The file for a Table, to be closed by the caller. Raises CsvProblem."""
    if not path.is_file():
        raise CsvProblem(f"There is no file {path}.")
    try:
        return path.open("rb")
    except OSError as exc:
        raise CsvProblem(f"{path} cannot be opened: {exc.strerror}.") from exc


def find_columns(table: Table, columns: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Our name to the table's column. `columns`: our name to the accepted names, in lower case.

    A column whose accepted names include "" may be absent. Raises CsvProblem.
    """
    places: dict[str, str] = {}
    for column, accepted in columns.items():
        places[column] = next((name for name in table.header if name and name in accepted), "")
        if not places[column] and "" not in accepted:
            expected = " or ".join(f"“{title}”" for title in accepted)
            raise CsvProblem(f"{table.name} has no column {expected}. Its first line must name the columns.")
    return places
