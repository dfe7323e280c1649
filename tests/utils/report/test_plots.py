"""The geometry of charts, against arithmetic by hand."""

from __future__ import annotations

import math

import pytest

from utils.report.blocks import LineChart, Point, Series
from utils.report.plots import (
    Scale,
    Tick,
    interval_of,
    layout,
    mark_path,
    nice_step,
    nice_ticks,
    path_of,
    place_name,
    stretches,
    text_width,
    tick_labels,
    words_for,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("span", "count", "step"),
    [
        (10, 5, 2),  # 10 / 5 = 2 is nice itself
        (11, 5, 5),  # 2.2 → the next of 1 2 5 is 5
        (7, 5, 2),  # 1.4 → 2
        (0.3, 3, 0.1),  # 0.3 / 3 is 0.09999…: must not fall to the next step
        (1, 1, 1),
        (30_000, 5, 10_000),  # 6000 → 10 × 1000
        (0.004, 5, 0.001),  # 0.0008 → 10 × 0.0001
    ],
)
def test_nice_step(span: float, count: int, step: float) -> None:
    assert nice_step(span, count) == pytest.approx(step, rel=1e-12)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.12, 0.58, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),  # 0.46 / 5 = 0.092 → 0.1, reaching around both ends
        (-3, 4, [-4, -2, 0, 2, 4]),
        (0.1, 0.3, [0.1, 0.15, 0.2, 0.25, 0.3][::1]),  # 0.2 / 5 = 0.04 → 0.05
        (5, 5, [4.4, 4.6, 4.8, 5.0, 5.2, 5.4, 5.6]),  # one value: 4.5…5.5, step 0.2
        (0, 0, [-1, -0.5, 0, 0.5, 1]),
        (1.0, 1.0 + 1e-16, [0.9, 0.95, 1.0, 1.05, 1.1]),
    ],
)
def test_nice_ticks_reach_around(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == ticks


def test_nice_ticks_inside() -> None:
    assert nice_ticks(0, 1190, 7, inside=True) == [0, 200, 400, 600, 800, 1000]  # 170 → 200; 1200 is outside
    assert nice_ticks(1, 3, 7, inside=True, whole=True) == [1, 2, 3]  # 2 / 7 → 0.5, but a round has no halves


def test_ticks_are_exact_and_without_minus_zero() -> None:
    ticks = nice_ticks(-0.3, 0.3)
    assert ticks == [-0.4, -0.2, 0.0, 0.2, 0.4]
    assert math.copysign(1, ticks[2]) == 1


def test_tick_labels_share_their_digits() -> None:
    assert tick_labels([0, 0.05, 0.1]) == ["0.00", "0.05", "0.10"]
    assert tick_labels([-2000, 0, 2000]) == ["−2,000", "0", "2,000"]
    assert tick_labels([0, 0.2, 0.4], "percent") == ["0%", "20%", "40%"]
    assert tick_labels([0.5, 0.505], "percent") == ["50.0%", "50.5%"]


def test_scale_is_straight_and_stays_inside() -> None:
    scale = Scale(0, 4, 100, 20)
    assert [scale(value) for value in (0, 1, 3, 4)] == [100, 80, 40, 20]
    assert (scale(-1), scale(9)) == (100, 20)


def test_text_width_counts_wide_characters_whole() -> None:
    assert text_width("轮次") == 24
    assert text_width("ab") == pytest.approx(2 * 12 * 0.64)


def test_a_value_that_is_not_finite_breaks_the_line() -> None:
    points = [Point(0, 1), Point(1, NAN), Point(2, 2), Point(3, 3), Point(4, math.inf)]
    assert [[point.x for point in run] for run in stretches(points)] == [[0], [2, 3]]


def test_interval_needs_both_ends() -> None:
    assert interval_of(Point(0, 1, 0.5, 1.5)) == (0.5, 1.5)
    assert interval_of(Point(0, 1, 0.5)) is None
    assert interval_of(Point(0, 1, 0.5, NAN)) is None


def test_paths() -> None:
    assert path_of([(0, 1), (2.5, 3)]) == "M0 1L2.5 3"
    assert mark_path(1, 10, 20, 10) == "M1 11L19 11L19 29L1 29z"  # a square, 0.9 of the radius each way
    assert len({mark_path(colour, 0, 0) for colour in range(6)}) == 6


def test_layout_by_hand() -> None:
    chart = LineChart([Series("a", [Point(0, 0), Point(10, 1)])], "t")
    plot = layout(chart, 220, 176)
    # y: ticks 0.0 … 1.0; their labels are 3 × 7.68 = 23.04 wide, and 10 beside them; from 176 − 46 up to 30
    assert plot.left == 33.0
    assert [tick.at for tick in plot.y_ticks] == [130, 110, 90, 70, 50, 30]
    # x: 10 inside the frame on both sides, (206 − 10) − (33 + 10) = 153 for 10; room for 2 steps of 5
    assert plot.x_ticks == [Tick(43.0, "0"), Tick(119.5, "5"), Tick(196.0, "10")]
    assert plot.lines[0].paths == ["M43 130L196 30"]


def test_layout_of_names_whiskers_and_reference() -> None:
    names = ["a", "b"]
    series = [Series(name, [Point(0, 0.5, 0.0, 1.0), Point(1, 0.5, 0.25, 0.75)]) for name in names]
    plot = layout(LineChart(series, "t", x_names=names, style="percent", reference=0.2), 240, 176)
    # labels "100%": 4 × 7.68 + 10 = 40.72; two places share 226 − 40.7: centres at a quarter and three quarters
    assert plot.left == 40.7
    assert [tick.at for tick in plot.x_ticks] == [87.0, 179.7]
    assert plot.reference == 110
    first, second = plot.lines
    assert (first.marks[0].x, second.marks[0].x) == (83.5, 90.5)  # 7 apart, side by side
    assert [mark.whisker for mark in first.marks] == [(130, 30), (105, 55)]
    assert first.marks[0].words == "a, a: 50.0% (0.0%–100.0%)"


def test_names_are_left_out_where_there_is_no_room() -> None:
    chart = LineChart([Series("a", [Point(0, 1)])], "t", x_names=["a long name"] * 8)
    labels = [tick.label for tick in layout(chart, 360, 270).x_ticks]
    assert labels[0] == "a long name"
    assert 2 <= sum(bool(label) for label in labels) < 5


def test_bands_need_two_points_and_go_around() -> None:
    points = [Point(0, 0.5, 0, 1), Point(1, 0.5, 0, 1)]
    plot = layout(LineChart([Series("a", points)], "t", interval="band"), 220, 176)
    assert plot.lines[0].bands == ["M43 30L196 30L196 130L43 130z"]
    assert plot.lines[0].marks[0].whisker is None
    assert layout(LineChart([Series("a", points[:1])], "t", interval="band"), 220, 176).lines[0].bands == []


@pytest.mark.parametrize("series", [[], [Series("a", [])], [Series("a", [Point(0, NAN)])]])
def test_a_chart_of_nothing_is_drawn_empty(series: list[Series]) -> None:
    plot = layout(LineChart(series, "t"), 360, 270)
    assert all(not line.marks and not line.paths for line in plot.lines)


def test_very_many_points_have_no_marks() -> None:
    plot = layout(LineChart([Series("a", [Point(x, x) for x in range(500)])], "t"), 360, 270)
    assert not plot.lines[0].marks
    assert plot.lines[0].paths[0].count("L") == 499


def test_places_and_words() -> None:
    chart = LineChart([], "t", x_names=["base"])
    assert [place_name(chart, x) for x in (0, 1, 0.5, 12000)] == ["base", "1", "0.50", "12,000"]
    assert words_for(chart, "loss", Point(0, 1.23456)) == "loss, base: 1.235"


def test_bars_stand_on_zero_side_by_side() -> None:
    points = [Point(0, 10), Point(1, 30)]
    chart = LineChart([Series("in", points), Series("kept", points)], "sizes", x_names=["a", "b"], bars=True)
    plot = layout(chart, 414, 276)  # ticks 0, 10, 20, 30: "30" is 2 · 0.64 · 12 wide, so the plot runs from 25.4 to 400
    first, second = (line.marks for line in plot.lines)
    room = (plot.right - plot.left) / 2
    assert second[0].x - first[0].x == pytest.approx(0.4 * room, abs=0.2)
    assert [mark.y for mark in first] == [
        pytest.approx(plot.bottom - (plot.bottom - plot.top) / 3, abs=0.1),
        plot.top,
    ]
    assert first[0].path.startswith(f"M{first[0].x:g} {plot.bottom:g}V{first[0].y:g}h")
    assert first[0].words == "in, a: 10"


def test_bars_need_names() -> None:
    with pytest.raises(ValueError, match="x_names"):
        LineChart([], "sizes", bars=True)
