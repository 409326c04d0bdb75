"""Parse size guides into tables in inches and centimeters.

A line such as `S 27 1/2, 21 1/2, 34` is a size and its measures: whole numbers, decimals or fractions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

CM_PER_INCH = Fraction("2.54")
PART = r"[0-9]{1,2}/[1-9][0-9]?"
MEASURE = re.compile(rf"(?P<whole>[0-9]{{1,4}})(?:\.(?P<decimal>[0-9]{{1,3}})|[ -]+(?P<part>{PART}))?")
ONLY_PART = re.compile(PART)


@dataclass(frozen=True)
class Row:
    """One text per column, such as "27 1/2" inches and "70" or "54.5" centimeters."""

    size: str
    inches: tuple[str, ...]
    centimeters: tuple[str, ...]

    @classmethod
    def of(cls, size: str, measures: tuple[Fraction, ...], in_inches: bool) -> Row:
        inches = measures if in_inches else tuple(measure / CM_PER_INCH for measure in measures)
        centimeters = tuple(measure * CM_PER_INCH for measure in measures) if in_inches else measures
        return cls(
            size=size,
            inches=tuple(as_inches(measure) for measure in inches),
            centimeters=tuple(as_centimeters(measure) for measure in centimeters),
        )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return list(zip(self.inches, self.centimeters, strict=True))


@dataclass(frozen=True)
class Guide:
    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""


def read(row: Mapping[str, str]) -> Guide:
    columns = columns_of(row["columns"])
    in_inches = row["unit"] == "in"
    lines = (_measures(line, len(columns)) for line in row["lines"].splitlines() if line.strip())
    rows = tuple(Row.of(size, measures, in_inches) for size, measures in (line for line in lines if line))
    return Guide(name=row["name"], columns=columns, rows=rows, note=row.get("note", ""))


def columns_of(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def problems_of(columns: str, lines: str) -> list[str]:
    count = len(columns_of(columns))
    if not count:
        return ["Name at least one column."]
    return [
        f"“{line.strip()[:60]}” must be a size and {count} measures, separated by commas."
        for line in lines.splitlines()
        if line.strip() and not _measures(line, count)
    ]


def _measures(line: str, count: int) -> tuple[str, tuple[Fraction, ...]] | None:
    size, _blank, rest = line.strip().partition(" ")
    parts = [part.strip() for part in rest.replace(";", ",").split(",")]
    measures = [_fraction(part) for part in parts]
    if len(measures) != count or any(measure is None for measure in measures):
        return None
    return size, tuple(measure for measure in measures if measure is not None)


def _fraction(text: str) -> Fraction | None:
    # "27 1/2" -> 55/2, "69.9" -> 699/10
    if ONLY_PART.fullmatch(text):
        return Fraction(text)
    match = MEASURE.fullmatch(text)
    if not match:
        return None
    number = Fraction(f"{match['whole']}.{match['decimal'] or 0}")
    return number + Fraction(match["part"] or 0)


def as_inches(measure: Fraction) -> str:
    """Round to the nearest eighth, as on tape measures: "27 1/2"."""
    whole, part = divmod(Fraction(round(measure * 8), 8), 1)
    if not part:
        return str(whole)
    return f"{whole} {part}" if whole else str(part)


def as_centimeters(measure: Fraction) -> str:
    """Round to the nearest half, the precision that fabric can be measured with: "70", "54.5"."""
    halves = Decimal(round(measure * 2)) / 2
    return format(halves.normalize(), "f")
