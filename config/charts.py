"""Geometry of small charts that templates draw as SVG, in percent of the drawing's width and height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP = 0.3  # share of a bar's room that stays empty


@dataclass(frozen=True)
class Bar:
    """`label` and `text`: of the table behind the chart, and of the tip that a mouse shows."""

    label: str
    text: str
    value: int
    x: str
    width: str
    y: str
    height: str


@dataclass(frozen=True)
class BarChart:
    """`top`: the largest value, which has the full height."""

    bars: list[Bar]
    top: int

    @property
    def is_empty(self) -> bool:
        return not self.top

    @property
    def marks(self) -> list[str]:
        """Labels below the axis: the first, the middle and the last bar's."""
        labels = [bar.label for bar in self.bars]
        return [labels[0], labels[len(labels) // 2], labels[-1]] if len(labels) > 2 else labels


def bar_chart(values: Sequence[tuple[str, str, int]]) -> BarChart:
    """`values`: label, text and number of each bar. Numbers below 0 are drawn as 0."""
    top = max((value for _label, _text, value in values), default=0)
    room = 100 / len(values) if values else 0
    bars = []
    for place, (label, text, value) in enumerate(values):
        height = 100 * max(0, value) / top if top > 0 else 0
        x, width = room * (place + GAP / 2), room * (1 - GAP)
        bars.append(
            Bar(label, text, value, _decimal(x), _decimal(width), _decimal(100 - height), _decimal(height))
        )
    return BarChart(bars, max(0, top))


@dataclass(frozen=True)
class StepChart:
    """`line` and `area`: SVG path data. `bottom`: the lowest value, 0 unless there are values below it."""

    line: str
    area: str
    top: int
    bottom: int


def step_chart(points: Sequence[tuple[float, int]], *, until: float) -> StepChart:
    """A value that stays as it is until the next point. `points`: time and value, oldest first; `until`: the right edge."""
    if not points:
        return StepChart("", "", 0, 0)
    start = points[0][0]
    span = max(until - start, 1e-9)
    bottom = min(0, *(value for _time, value in points))
    top = max(bottom + 1, *(value for _time, value in points))

    def y(value: int) -> str:
        return _decimal(100 * (top - value) / (top - bottom))

    parts = [f"M0 {y(points[0][1])}"]
    for time, value in points[1:]:
        parts.append(f"H{_decimal(100 * min(1, max(0, (time - start) / span)))}V{y(value)}")
    line = "".join([*parts, "H100"])
    return StepChart(line, f"{line}V{y(0)}H0Z", top, bottom)


def _decimal(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
