"""The geometry of a line chart: ticks, scales and places in an SVG, as numbers. No markup here."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from utils.report.blocks import Label, LineChart, Point, Text
from utils.report.numerals import numeral

FONT = 12.0
TOP, BOTTOM, RIGHT = 30.0, 46.0, 14.0
DODGE = 7.0
MARKS_UP_TO = 40
COLOURS = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight map from values [low, high] to places [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value, to a tenth; values outside are laid on the edge."""
        inside = min(max(value, self.low), self.high)
        return round(self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start), 1)


def nice_step(span: float, count: int) -> float:
    """Return the smallest of 1, 2, 5 × 10^k that covers the span in at most `count` steps."""
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def nice_ticks(low: float, high: float, count: int = 5, *, inside: bool = False, whole: bool = False) -> list[float]:
    """Return round values from low to high.

    Args:
        low: the smallest value.
        high: the largest value; where it is nearly low, both are moved apart.
        count: how many steps at most (one more where the ends are not round).
        inside: ticks stay within [low, high]; else the outer ones reach around it.
        whole: no steps below 1.

    """
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
    step = nice_step(high - low, count)
    if whole:
        step = max(1.0, step)
    below, above = (math.ceil, math.floor) if inside else (math.floor, math.ceil)
    slack = 1e-9 if not inside else -1e-9
    first, last = below(low / step + slack), above(high / step - slack)
    digits = max(0, -math.floor(math.log10(step)))
    return [round(number * step, digits) + 0.0 for number in range(first, last + 1)]


def tick_labels(ticks: Sequence[float], style: str = "number") -> list[str]:
    """Return the ticks as text, all with the digits that the step between them needs."""
    factor = 100.0 if style == "percent" else 1.0
    step = abs(ticks[1] - ticks[0]) * factor if len(ticks) > 1 else 1.0
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    end = "%" if style == "percent" else ""
    return [f"{tick * factor:,.{digits}f}".replace("-", "\N{MINUS SIGN}") + end for tick in ticks]


def text_width(text: str) -> float:
    """Return about how wide a text is at the chart's font size: wide characters a whole, others two thirds of it."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return FONT * (wide + 0.64 * (len(text) - wide))


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and its label; an empty label when there is no room for it."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point's shape, whisker (from, to) and the words that appear on hovering."""

    x: float
    y: float
    path: str
    whisker: tuple[float, float] | None
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """A series: its name, colour number, unbroken stretches, bands and marks."""

    name: Label
    colour: int
    paths: list[str]
    bands: list[str]
    marks: list[Mark]


@dataclass(frozen=True, slots=True)
class Plot:
    """All that the template needs to draw one chart at one size."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    reference: float | None


def plain(label: Label) -> str:
    """Return a label where markup cannot switch languages: both of them."""
    if isinstance(label, Text):
        return label.en if label.en == label.zh else f"{label.en} · {label.zh}"
    return label


def mark_path(colour: int, x: float, y: float, radius: float = 4.0) -> str:
    """Return the outline of a series' mark, so that lines differ without colour."""
    r = radius
    if colour % COLOURS == 0:
        return f"M{x - r:g} {y:g}a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z"
    shapes: dict[int, list[tuple[float, float]]] = {
        1: [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        2: [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
        3: [(0, -1.2), (1.2, 1), (-1.2, 1)],
        4: [(0, 1.2), (1.2, -1), (-1.2, -1)],
        5: [(-1.2, 0), (1, -1.2), (1, 1.2)],
    }
    points = [f"{round(x + r * 0.9 * a, 1):g} {round(y + r * 0.9 * b, 1):g}" for a, b in shapes[colour % COLOURS]]
    return "M" + "L".join(points) + "z"


def stretches(points: Iterable[Point]) -> list[list[Point]]:
    """Return the runs of points between those whose value is not finite."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if math.isfinite(point.x) and math.isfinite(point.y):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def path_of(places: Iterable[tuple[float, float]]) -> str:
    """Return an SVG path through places."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in places)


def interval_of(point: Point) -> tuple[float, float] | None:
    """Return a point's (low, high) when both are there and finite."""
    if point.low is None or point.high is None or not (math.isfinite(point.low) and math.isfinite(point.high)):
        return None
    return point.low, point.high


def place_name(chart: LineChart, x: float) -> str:
    """Return the name of a place on the x axis, or its number."""
    named = x == int(x) and 0 <= x < len(chart.x_names)
    return chart.x_names[int(x)] if named else numeral(int(x) if x == int(x) else x)


def words_for(chart: LineChart, name: Label, point: Point) -> str:
    """Return what hovering over a point says: series, x, value, interval."""
    digits = 1 if chart.style == "percent" else 3
    words = f"{plain(name)}, {place_name(chart, point.x)}: {numeral(point.y, chart.style, digits)}"
    if (interval := interval_of(point)) is not None:
        words += " ({}–{})".format(*(numeral(end, chart.style, digits) for end in interval))
    return words


def values_of(chart: LineChart) -> list[float]:
    """Return every y that must fit: values, interval ends, the reference."""
    values = [] if chart.reference is None else [chart.reference]
    values += [0.0] if chart.bars else []
    for run in (run for series in chart.series for run in stretches(series.points)):
        for point in run:
            values += [point.y, *(interval_of(point) or ())]
    return values


def x_axis(chart: LineChart, left: float, right: float) -> tuple[Scale, list[Tick]]:
    """Return the x scale and its ticks: names where there are names, else round numbers within the data."""
    if chart.x_names:
        last = len(chart.x_names) - 1
        gap = (right - left) / (last + 1)
        scale = Scale(-0.5, last + 0.5, left, right)
        every = math.ceil((max(map(text_width, chart.x_names)) + 6) / gap)
        return scale, [Tick(scale(at), name if at % every == 0 else "") for at, name in enumerate(chart.x_names)]
    xs = [point.x for series in chart.series for run in stretches(series.points) for point in run] or [0.0, 1.0]
    low, high = min(xs), max(xs)
    low, high = (low, high) if low < high else (low - 1, high + 1)
    ticks = nice_ticks(
        low, high, max(2, int((right - left) / 90)), inside=True, whole=all(x == math.floor(x) for x in xs)
    )
    pad = 10.0
    scale = Scale(low, high, left + pad, right - pad)
    return scale, [Tick(scale(tick), label) for tick, label in zip(ticks, tick_labels(ticks), strict=True)]


def bars_of(chart: LineChart, number: int, xs: Scale, ys: Scale) -> Line:
    """Return one series as bars; those of several series stand side by side."""
    series = chart.series[number]
    room = (xs.end - xs.start) / len(chart.x_names)
    width = round(0.8 * room / len(chart.series), 1)
    marks = []
    for point in (point for run in stretches(series.points) for point in run):
        left = round(xs(point.x) - 0.4 * room + number * width, 1)
        top, foot = ys(point.y), ys(0.0)
        outline = f"M{left:g} {foot:g}V{top:g}h{max(1.0, width - 1):g}V{foot:g}z"
        marks.append(Mark(left, top, outline, None, words_for(chart, series.name, point)))
    return Line(series.name, number % COLOURS, [], [], marks)


def line_of(chart: LineChart, number: int, xs: Scale, ys: Scale) -> Line:
    """Return one series laid out; whiskers of several series stand side by side."""
    if chart.bars:
        return bars_of(chart, number, xs, ys)
    series = chart.series[number]
    runs = stretches(series.points)
    whiskers = chart.interval == "whiskers"
    has_intervals = any(interval_of(point) for run in runs for point in run)
    shift = DODGE * (number - (len(chart.series) - 1) / 2) if whiskers and has_intervals else 0.0
    bands, marks = [], []
    for run in runs:
        ends = [(xs(point.x), *interval) for point in run if (interval := interval_of(point))]
        if not whiskers and len(ends) > 1:
            around = [(x, ys(high)) for x, _, high in ends] + [(x, ys(low)) for x, low, _ in reversed(ends)]
            bands.append(path_of(around) + "z")
    for point in (point for run in runs for point in run):
        x, y, interval = round(xs(point.x) + shift, 1), ys(point.y), interval_of(point)
        whisker = (ys(interval[0]), ys(interval[1])) if interval and whiskers else None
        marks.append(Mark(x, y, mark_path(number, x, y), whisker, words_for(chart, series.name, point)))
    crowded = len(marks) > MARKS_UP_TO and not (whiskers and has_intervals)
    paths = [path_of((round(xs(point.x) + shift, 1), ys(point.y)) for point in run) for run in runs if len(run) > 1]
    return Line(series.name, number % COLOURS, paths, bands, [] if crowded else marks)


def layout(chart: LineChart, width: float, height: float) -> Plot:
    """Return a chart's places at a size. Without a finite value the plot is empty, with axes from 0 to 1."""
    values = values_of(chart) or [0.0, 1.0]
    low, high = chart.y_range or (min(values), max(values))
    y_values = nice_ticks(low, high)
    if chart.style == "percent" and low >= 0 and high <= 1:
        y_values = [tick for tick in y_values if 0 <= tick <= 1]
    labels = tick_labels(y_values, chart.style)
    left = round(max(map(text_width, labels)) + 10, 1)
    right, bottom = width - RIGHT, height - BOTTOM
    ys = Scale(y_values[0], y_values[-1], bottom, TOP)
    xs, x_ticks = x_axis(chart, left, right)
    return Plot(
        width, height, left, right, TOP, bottom,
        x_ticks,
        [Tick(ys(tick), label) for tick, label in zip(y_values, labels, strict=True)],
        [line_of(chart, number, xs, ys) for number in range(len(chart.series))],
        None if chart.reference is None else ys(chart.reference),
    )  # fmt: skip
