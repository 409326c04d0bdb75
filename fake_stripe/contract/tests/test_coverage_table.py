"""The table of validated calls, and its place in the README."""

from __future__ import annotations

from pathlib import Path

from fake_stripe.contract import coverage_table
from fake_stripe.contract.contract import Tally
from fake_stripe.contract.known_differences import is_outside
from fake_stripe.contract.tests.test_every_endpoint import shape
from fake_stripe.routes import ROUTES

README = Path(__file__).parents[2] / "README.md"
TALLIES = {
    "event product.updated": Tally(events=3),
    "POST /v1/products": Tally(requests=2, answers=2),
    "GET /v1/prices": Tally(refusals=1),
}


def test_the_table_lists_endpoints_then_events_then_a_total() -> None:
    assert coverage_table.plain(TALLIES) == [
        "Endpoint or event      Requests  Answers  Refusals  Events",
        "GET /v1/prices                                   1",
        "POST /v1/products             2        2",
        "event product.updated                                    3",
        "Total                         2        2         1       3",
    ]


def test_the_table_replaces_the_text_between_its_markers() -> None:
    readme = f"# Fake\n\n{coverage_table.BEGIN}\nold\n{coverage_table.END}\n\nMore.\n"

    written = coverage_table.within(readme, ["| new |"])

    assert written == f"# Fake\n\n{coverage_table.BEGIN}\n| new |\n{coverage_table.END}\n\nMore.\n"
    assert coverage_table.within("", ["| new |"]) == "| new |\n"


def test_the_readme_lists_every_endpoint() -> None:
    listed = (
        README.read_text(encoding="utf-8").partition(coverage_table.BEGIN)[2].partition(coverage_table.END)[0]
    )
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:-1]] for line in listed.splitlines() if "|" in line
    ]
    answered = {shape(row[0]) for row in rows if row[2].isdecimal()}

    assert [
        name
        for route in ROUTES
        if (name := shape(f"{route.method} {route.pattern}")) not in answered
        and not is_outside(route.pattern)
    ] == []
