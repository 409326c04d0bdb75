"""What the benchmark of memory makes of its readings, and what it reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import memory

on_linux = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
MIB = 1024


def missed(web: list[int], worker: list[int]) -> list[str]:
    readings = [{"web": a * MIB, "worker": b * MIB} for a, b in zip(web, worker, strict=True)]
    return [name for name, target in memory.summary(readings)["targets"].items() if not target["met"]]


def test_memory_that_grows_only_in_the_first_quarter_is_flat() -> None:
    assert missed([10, 90, 100, 100, 104, 104, 105, 105], [50] * 8) == []


@pytest.mark.parametrize("who", ["web", "worker"])
def test_a_last_quarter_above_the_second_is_missed_for_each(who: str) -> None:
    growing, flat = [100, 100, 100, 100, 103, 103, 106, 106], [100] * 8

    assert missed(**{"web": flat, "worker": flat, who: growing}) == [f"{who}, last quarter to the second"]


def test_a_single_high_reading_does_not_count() -> None:
    assert missed([100] * 9 + [100, 400, 100], [50] * 12) == []


@on_linux
def test_memory_that_a_process_fills_is_read() -> None:
    before = memory.own_memory([os.getpid()])

    kept = bytearray(b"x") * (64 * MIB * MIB)

    assert memory.own_memory([os.getpid()]) - before > 60 * MIB
    del kept


@on_linux
def test_a_process_that_has_ended_is_reported_in_a_sentence() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    with pytest.raises(SystemExit, match="cannot be read"):
        memory.own_memory([ended.pid])
    with pytest.raises(SystemExit, match="cannot be found"):
        memory.with_children(ended.pid)


@on_linux
def test_the_children_of_a_process_are_found() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in memory.with_children(os.getpid())
