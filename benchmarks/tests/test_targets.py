"""What the benchmarks of the hot item, of latency, of dj-stripe and of pages make of their figures."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks import browser, hot_item, latency, pages
from benchmarks.dj_stripe.__main__ import Flood, pour, summary


def run(**changes: Any) -> dict[str, Any]:
    return {
        "settled_p99_ms": 100.0,
        "not_settled": 0,
        "wrong": 0,
        "counts_right_after_seconds": 1.0,
        "calls_per_order": 0.05,
        **changes,
    }


def missed(before: dict[str, Any], one: dict[str, Any], many: dict[str, Any]) -> list[str]:
    return [name for name, target in latency.targets(before, one, many).items() if not target["met"]]


def test_a_fast_and_right_build_meets_the_targets_of_latency() -> None:
    assert missed(run(settled_p99_ms=200.0), run(), run(calls_per_order=0.2)) == []


@pytest.mark.parametrize(
    ("one", "many", "name"),
    [
        ({"settled_p99_ms": 101.0}, {}, "p99 to the settled order, to that before"),
        ({"not_settled": 1}, {}, "orders not settled"),
        ({}, {"wrong": 1}, "units wrong"),
        ({"counts_right_after_seconds": 3.1}, {}, "seconds until the counts are right"),
        ({"counts_right_after_seconds": None}, {}, "seconds until the counts are right"),
        ({"calls_per_order": 0.11}, {}, "calls an order"),
        ({}, {"calls_per_order": 0.21}, "calls an order over 50 products"),
    ],
)
def test_each_target_of_latency_can_be_missed(one: dict[str, Any], many: dict[str, Any], name: str) -> None:
    assert missed(run(settled_p99_ms=200.0), run(**one), run(**many)) == [name]


def test_pgbench_sends_the_statements_of_a_hold_with_references_of_its_own() -> None:
    statements = [f"INSERT INTO hold VALUES ('{hot_item.SEEN}', 1)", "UPDATE item SET held = held + 1"]

    assert hot_item.as_script(statements).splitlines() == [
        r"\set number :number + 1",
        "BEGIN;",
        "INSERT INTO hold VALUES (('pgbench-' || :client_id || '-' || :number), 1);",
        "UPDATE item SET held = held + 1;",
        "COMMIT;",
    ]


def test_a_hold_that_sends_its_reference_otherwise_is_not_compared() -> None:
    with pytest.raises(ValueError, match="reference"):
        hot_item.as_script(["INSERT INTO hold VALUES (1)"])


class Moody(BaseHTTPRequestHandler):
    """Refuses each body once, as a locked database would, and accepts it the second time."""

    protocol_version = "HTTP/1.1"
    seen: Counter[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen[body] += 1
        self.send_response(500 if self.seen[body] == 1 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def moody() -> Iterator[tuple[int, Counter[bytes]]]:
    Moody.seen = Counter()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1], Moody.seen
    server.shutdown()
    server.server_close()


def test_an_event_that_is_refused_is_posted_again(moody: tuple[int, Counter[bytes]]) -> None:
    port, seen = moody
    events = [f'{{"id": "evt_{number}"}}' for number in range(5)]

    result = pour(port, events, "/webhook/", "whsec_test", lambda: True)

    assert seen == {event.encode(): 2 for event in events}
    assert (result["events"], result["refused_and_posted_again"]) == (5, 5)


@pytest.mark.parametrize(("seconds", "met"), [(8.0, True), (7.9, False)])
def test_the_ratio_to_dj_stripe_is_of_the_medians(seconds: float, met: bool) -> None:
    ours = {"settled_seconds": 2.0, "counts_right_seconds": 4.0}
    runs = {"dj_stripe": [{"settled_seconds": seconds}] * 2, "shop": [ours] * 2}

    result = summary(Flood(10, "sqlite", []), runs)

    assert result["target"]["met"] is met
    assert result["times_as_fast_until_counts_are_right"] == pytest.approx(seconds / 4, abs=0.01)


def pages_run(name: str = "home", **changes: Any) -> dict[str, Any]:
    page = {"queries": 4, "bytes": 61440, "third_party": 0, "layout_shift": 0}
    result: dict[str, dict[str, Any]] = {
        one: dict(page) for one in ("home", "list", "product", "cart", "list_de")
    }
    result["list"] |= {"ratio_bare": 0.45, "ratio_oscar": 20}
    result["product"] |= {"ratio_bare": 0.55, "ratio_oscar": None}
    result[name] |= changes
    return {"targets": pages.targets(result)}


def test_pages_that_meet_their_targets_exit_0() -> None:
    assert pages.exit_code(pages_run()) == 0


@pytest.mark.parametrize(
    ("name", "changes", "missed"),
    [
        ("list", {"ratio_bare": 0.449}, "list: of the bare view"),
        ("product", {"ratio_bare": 0.549}, "product: of the bare view"),
        ("list", {"ratio_oscar": 19.9}, "list: times oscar"),
        ("cart", {"queries": 5}, "cart: queries"),
        ("list_de", {"bytes": 61441}, "list_de: bytes"),
        ("home", {"third_party": 1}, "home: requests elsewhere"),
        ("cart", {"layout_shift": 0.0028}, "cart: layout shift"),
    ],
)
def test_a_missed_target_of_pages_exits_1_and_is_named(
    name: str, changes: dict[str, Any], missed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pages.exit_code(pages_run(name, **changes)) == 1
    assert capsys.readouterr().err.endswith(f"missed: {missed}\n")


def test_pages_without_a_browser_end_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "CHROMIUM", "/nowhere/chromium")

    with pytest.raises(SystemExit, match="There is no browser at /nowhere/chromium"), browser.chromium():
        pass


def test_oscar_is_asked_for_under_its_own_names() -> None:
    # It is not installed where the tests run, and a change of our spelling once went through its names.
    folder = Path(pages.__file__).parent
    settings = (folder / "oscar" / "settings.py").read_text()

    assert '"oscar.apps.catalogue.apps.CatalogueConfig"' in settings
    assert '"oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig"' in settings
    assert "oscar.apps.catalogue.models" in (folder / "oscar" / "stock.py").read_text()
    assert '"/catalogue/"' in (folder / "rival.py").read_text()
