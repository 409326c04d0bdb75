"""The table of validated calls by endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fake_stripe.contract.contract import Tally

BEGIN, END = "<!-- coverage table: begin -->", "<!-- coverage table: end -->"
HEADINGS = ("Endpoint or event", "Requests", "Answers", "Refusals", "Events")


def rows(tallies: Mapping[str, Tally]) -> Iterator[tuple[str, int, int, int, int]]:
    """One row for each name, endpoints by path before events."""
    for name in sorted(tallies, key=_order):
        tally = tallies[name]
        yield name, tally.requests, tally.answers, tally.refusals, tally.events


def plain(tallies: Mapping[str, Tally]) -> list[str]:
    """Lines for a terminal."""
    table = [HEADINGS, *(_texts(row) for row in rows(tallies)), _texts(_sum(tallies))]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
    return ["  ".join(_cells(row, widths)).rstrip() for row in table]


def markdown(tallies: Mapping[str, Tally]) -> list[str]:
    """Lines for the README."""
    head = [f"| {' | '.join(HEADINGS)} |", "|---|" + "---:|" * (len(HEADINGS) - 1)]
    body = [(f"`{row[0]}`", *_texts(row)[1:]) for row in rows(tallies)]
    return head + [f"| {' | '.join(row)} |" for row in [*body, _texts(_sum(tallies))]]


def within(text: str, lines: Sequence[str]) -> str:
    """`text` with `lines` between its two marker comments; without markers only the lines."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    new = "\n".join(lines) + "\n"
    return f"{before}{begin}\n{new}{end}{after}" if begin and end else new


def _order(name: str) -> tuple[bool, str, str]:
    first, _, rest = name.partition(" ")
    return first == "event", rest, first


def _sum(tallies: Mapping[str, Tally]) -> tuple[str, int, int, int, int]:
    total = Tally()
    for tally in tallies.values():
        total.add(tally)
    return "Total", total.requests, total.answers, total.refusals, total.events


def _texts(row: Iterable[object]) -> tuple[str, ...]:
    return tuple(str(cell or "") for cell in row)


def _cells(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    yield row[0].ljust(widths[0])
    for text, width in zip(row[1:], widths[1:], strict=True):
        yield text.rjust(width)
