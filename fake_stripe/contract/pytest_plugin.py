"""Pytest plugin that checks a test run against Stripe's OpenAPI document.

Enabled with `-p fake_stripe.contract.pytest_plugin`. It checks every fake of the run, including those in forked
children and those on ports that record into `contract_folder`. A test during which a violation occurs fails. At the
end it prints the number of validated calls. A run of the whole suite also fails if there were none, or if an entry of
known_differences.py was never needed. Works with pytest-xdist.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from fake_stripe.contract import coverage_table, document
from fake_stripe.contract.contract import Contract, Tally
from fake_stripe.contract.watch import Watch, watching_everywhere

WATCH = pytest.StashKey[Watch]()
FOLDER = pytest.StashKey[Path]()
PROBLEMS = pytest.StashKey[list[str]]()
REPORT = "stripe_contract"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("stripe contract")
    group.addoption(
        "--contract-table",
        metavar="FILE",
        help="write the table of validated calls (as --contract-table=FILE)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[PROBLEMS] = []
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stripe-contract-")))
    config.stash[FOLDER] = folder
    try:
        watch = Watch(Contract.load(), folder)
    except document.DocumentMissing as missing:
        config.stash[PROBLEMS].append(str(missing))
        return
    config.stash[WATCH] = watch
    stack.enter_context(watching_everywhere(watch))


@pytest.fixture(scope="session")
def contract_folder(pytestconfig: pytest.Config) -> Path:
    """The folder for the record of a fake on a port: `--record` with a file in it."""
    return pytestconfig.stash[FOLDER]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield
    _fail_if_broken(item.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    # For tests that failed before, and for threads that run on after the test.
    yield
    _fail_if_broken(item.config)


def _fail_if_broken(config: pytest.Config) -> None:
    found = config.stash[WATCH].take_broken() if WATCH in config.stash else []
    if found:
        pytest.fail("\n".join(dict.fromkeys(str(broken) for broken in found)), pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    problems = config.stash[PROBLEMS]
    if WATCH in config.stash:
        watch = config.stash[WATCH]
        problems += [str(broken) for broken in watch.take_broken()]
        if hasattr(config, "workeroutput"):
            config.workeroutput[REPORT] = _worker_report(watch, problems)
            return
        if _whole(session):
            problems += _missed(watch.contract)
    if problems and (_whole(session) or WATCH in config.stash) and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _missed(contract: Contract) -> Iterator[str]:
    if not contract.coverage.total:
        yield "No call to the fake was validated."
    for line in contract.unused():
        yield f"The known difference {line.place!r} ({line.kind}) did not occur: {line.reason}"


def _whole(session: pytest.Session) -> bool:
    """Whether all tests were selected and the run was not stopped early."""
    config = session.config
    asked = config.args_source is not pytest.Config.ArgsSource.ARGS
    chosen = [config.getoption(name, default=None) for name in ("keyword", "markexpr", "lf", "collectonly")]
    return asked and not any(chosen) and not session.shouldfail and not session.shouldstop


def _worker_report(watch: Watch, problems: list[str]) -> dict[str, Any]:
    """The results of a pytest-xdist worker as plain values."""
    contract = watch.contract
    return {
        "tallies": {name: asdict(tally) for name, tally in contract.coverage.tallies.items()},
        "used": [contract.used[line] for line in contract.known_differences],
        "problems": problems,
    }


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    report = getattr(node, "workeroutput", {}).get(REPORT)
    if report is None or WATCH not in node.config.stash:
        return
    contract = node.config.stash[WATCH].contract
    for name, tally in report["tallies"].items():
        contract.coverage.add(name, Tally(**tally))
    for line, times in zip(contract.known_differences, report["used"], strict=True):
        contract.used[line] += times
    node.config.stash[PROBLEMS].extend(report["problems"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if WATCH in config.stash and config.stash[WATCH].contract.coverage.total:
        contract = config.stash[WATCH].contract
        terminalreporter.section(f"validated against Stripe's document {contract.version}")
        for text in coverage_table.plain(contract.coverage.tallies):
            terminalreporter.write_line(text)
        _write_table(config.getoption("--contract-table"), contract)
    for text in config.stash[PROBLEMS]:
        terminalreporter.write_line(text, red=True)


def _write_table(name: str | None, contract: Contract) -> None:
    if name:
        file = Path(name)
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.write_text(
            coverage_table.within(before, coverage_table.markdown(contract.coverage.tallies)),
            encoding="utf-8",
        )
