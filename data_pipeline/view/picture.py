"""The map as a picture for papers: points, names where they are densest, a legend; before and after side by side."""

from __future__ import annotations

import math

import numpy as np

from data_pipeline.view.columns import NULL, PALETTE, RAMP, MapColumn, rgb
from data_pipeline.view.lettering import lettered, shortened
from data_pipeline.view.raster import SOFT, Canvas, Colour, line_top

_PANEL, _LEGEND, _MARGIN, _HEAD = 1200, 520, 40, 56
_LINE = 40
_NAMES = 24  # of a legend
_GREY = (138, 138, 138)


def draw_picture(x: np.ndarray, y: np.ndarray, column: MapColumn, kept: np.ndarray | None, head: str) -> bytes:
    """Return the map as PNG.

    Args:
        x: float [n].
        y: float [n].
        column: what the points are coloured by.
        kept: bool [n] for a pair of maps, all rows and these; both have one projection.
        head: a line above the map.

    """
    panels = [np.ones(len(x), dtype=bool), *([] if kept is None else [kept])]
    canvas = Canvas(_MARGIN + len(panels) * (_PANEL + _MARGIN) + _LEGEND + _MARGIN, _HEAD + _PANEL + _MARGIN)
    across, down = _fitted(x, y)
    colours, radius, strength = colours_of(column), *_ink(len(x))
    for number, shown in enumerate(panels):
        left = _MARGIN + number * (_PANEL + _MARGIN)
        canvas.points(left + across[shown], _HEAD + down[shown], colours[shown], radius, strength)
        if column.kind != "number":
            _names(canvas, across, down, column, left)
        title = head if kept is None else f"{('before', 'after')[number]}: {shown.sum():,} rows"
        canvas.text(shortened(title, _PANEL), left, line_top(_HEAD / 2), SOFT)
    _legend(canvas, column, _MARGIN + len(panels) * (_PANEL + _MARGIN))
    return canvas.png()


def _fitted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels inside a panel, one scale for both axes, y upwards."""
    wide = max(float(np.ptp(x)), float(np.ptp(y)), 1e-9)
    scale = (_PANEL - 60) / wide
    middle = [(values.min() + values.max()) / 2 for values in (x, y)]
    return _PANEL / 2 + (x - middle[0]) * scale, _PANEL / 2 - (y - middle[1]) * scale


def _ink(rows: int) -> tuple[float, float]:
    """Return radius and strength of a point: many are small and light."""
    return max(1.2, min(6.0, 190 / math.sqrt(rows))), max(0.8, min(3.0, 120 / math.sqrt(rows)))


def colours_of(column: MapColumn) -> np.ndarray:
    """Return a colour per row, uint8 [n, 3]; grey where there is no value."""
    assert column.values is not None  # noqa: S101  text is not coloured
    if column.kind == "number":
        return _ramp(column.values)
    palette, table = rgb(PALETTE), np.full((len(column.names) + 1, 3), _GREY, dtype=np.uint8)
    for code, name in enumerate(column.names):
        table[code] = _GREY if name == NULL else palette[code % len(palette)]
    return table[_first_codes(column)]


def _first_codes(column: MapColumn) -> np.ndarray:
    """Return a row's code, of tags the first; the number of names where there is none."""
    assert column.values is not None  # noqa: S101
    if column.counts is None:
        return column.values.astype(np.int64)
    starts = np.cumsum(column.counts, dtype=np.int64) - column.counts
    padded = np.append(column.values, len(column.names)).astype(np.int64)
    return np.where(column.counts > 0, padded[np.minimum(starts, len(column.values))], len(column.names))


def limits(values: np.ndarray) -> tuple[float, float]:
    """Return what the ends of the ramp stand for: the 1st and 99th percentile of the values there are."""
    known = values[~np.isnan(values)]
    return tuple(float(end) for end in np.percentile(known, [1, 99])) if len(known) else (0.0, 1.0)  # type: ignore[return-value]


def _ramp(values: np.ndarray) -> np.ndarray:
    low, high = limits(values)
    table = rgb(RAMP).astype(np.float64)
    share = np.clip((values - low) / (high - low), 0, 1) if high > low else np.full(len(values), 0.5)
    place = np.nan_to_num(share) * (len(table) - 1)
    found = np.stack([np.interp(place, np.arange(len(table)), table[:, channel]) for channel in range(3)], axis=1)
    found[np.isnan(values)] = _GREY
    return np.rint(found).astype(np.uint8)


def _names(canvas: Canvas, across: np.ndarray, down: np.ndarray, column: MapColumn, left: int) -> None:
    """Write the names of the largest categories where they are densest, none over another."""
    codes = _first_codes(column)
    taken: list[tuple[float, float, float, float]] = []
    for code in range(min(len(column.names), 40)):
        here = codes == code
        if column.names[code] == NULL or not here.any():
            continue
        text = shortened(column.names[code], 360)
        x, y = densest(across[here], down[here])
        x = float(np.clip(x, text.shape[1] / 2, _PANEL - text.shape[1] / 2))
        box = (x - text.shape[1] / 2 - 6, y - 16, x + text.shape[1] / 2 + 6, y + 16)
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            continue
        taken.append(box)
        canvas.text(text, left + round(x - text.shape[1] / 2), _HEAD + line_top(y), halo=True)


def densest(x: np.ndarray, y: np.ndarray, side: int = 24) -> tuple[float, float]:
    """Return the middle of the points in and around the fullest square of a panel."""
    cell = _PANEL / side
    columns, lines = (np.clip((values // cell).astype(np.int64), 0, side - 1) for values in (x, y))
    fullest = np.bincount(columns + side * lines, minlength=side * side).argmax()
    near = (np.abs(columns - fullest % side) <= 1) & (np.abs(lines - fullest // side) <= 1)
    return float(x[near].mean()), float(y[near].mean())


def _legend(canvas: Canvas, column: MapColumn, left: int) -> None:
    canvas.text(shortened(column.name, _LEGEND), left, line_top(_HEAD / 2), SOFT)
    if column.kind == "number":
        _bar(canvas, column, left)
        return
    assert column.values is not None  # noqa: S101
    sizes, colours = np.bincount(column.values, minlength=len(column.names)), rgb(PALETTE)
    for code, name in enumerate(column.names[:_NAMES]):
        middle = _HEAD + 24 + code * _LINE
        colour: Colour = _GREY if name == NULL else tuple(int(c) for c in colours[code % len(colours)])  # type: ignore[assignment]
        canvas.disc(left + 10, middle, 9, colour)
        number = lettered(f"{sizes[code]:,}")
        canvas.text(shortened(name, _LEGEND - 50 - number.shape[1]), left + 32, line_top(middle))
        canvas.text(number, left + _LEGEND - number.shape[1], line_top(middle), SOFT)
    if len(column.names) > _NAMES:
        rest = f"{len(column.names) - _NAMES} more: {sizes[_NAMES:].sum():,}"
        canvas.text(lettered(rest), left + 32, line_top(_HEAD + 24 + _NAMES * _LINE), SOFT)


def _bar(canvas: Canvas, column: MapColumn, left: int) -> None:
    assert column.values is not None  # noqa: S101
    low, high = limits(column.values)
    known = column.values[~np.isnan(column.values)]
    table, height = rgb(RAMP).astype(np.float64), 600
    place = np.linspace(len(table) - 1, 0, height)
    bar = np.stack([np.interp(place, np.arange(len(table)), table[:, channel]) for channel in range(3)], axis=1)
    canvas.pixels[_HEAD + 8 : _HEAD + 8 + height, left : left + 36] = bar[:, None, :]
    if not len(known):
        canvas.text(lettered("no values"), left + 52, line_top(_HEAD + 16))
        return
    marks = (
        (0, f"{'≥ ' if known.max() > high else ''}{high:.4g}"),
        (1, f"{'≤ ' if known.min() < low else ''}{low:.4g}"),
    )
    for share, text in (*marks, (0.5, f"{(low + high) / 2:.4g}")):
        canvas.text(lettered(text), left + 52, line_top(_HEAD + 8 + share * height))
    if missing := len(column.values) - len(known):
        canvas.disc(left + 18, _HEAD + height + 70, 9, _GREY)
        canvas.text(lettered(f"no value: {missing:,}"), left + 52, line_top(_HEAD + height + 70), SOFT)
