"""The interactive map: one self-contained HTML page that opens without a network and without `eval`.

All data lies in the page as two deflated blocks: what is drawn first (places, categories, numbers), and the texts,
which are unpacked after the first picture. The page's policy allows its one script and its style by their hashes and
nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data_pipeline.view.columns import NULL, PALETTE, RAMP, MapColumn
from utils.report.blocks import Label
from utils.report.page import NOT_IN_HTML, environment

_HERE = Path(__file__).parent


def render_map(
    frame: pl.DataFrame, columns: list[MapColumn], *, title: Label, subtitle: Label, colour: str, seed: int
) -> str:
    """Return the page as HTML text, to be written as UTF-8.

    Args:
        frame: `id, x, y, text`, and `after` when there is a pair of maps.
        columns: what can be seen of the same rows.
        title: the page's name.
        subtitle: one line below it.
        colour: name of the column that it begins with.
        seed: of the order in which points are drawn, so that no source lies on top of another.

    """
    order = np.random.default_rng(seed).permutation(frame.height)
    points = _Block()
    described = [_packed(column, points, order) for column in columns]
    meta = {
        "rows": frame.height,
        "colour": colour,
        "after": next((place for place, column in enumerate(columns) if column.name == "after"), None),
        "palette": PALETTE,
        "ramp": RAMP,
        "none": NULL,
        "columns": described,
        "x": points.array(frame["x"].to_numpy()[order].astype(np.float32)),
        "y": points.array(frame["y"].to_numpy()[order].astype(np.float32)),
    }
    shuffled = frame[order]
    texts = {name: shuffled[name].cast(pl.String).to_list() for name in _texts(columns)}
    # environment() escapes; style and script are ours, the rest is JSON and base64 without a `<`
    style = environment().get_template("page.css.jinja").render() + (_HERE / "map.css").read_text(encoding="utf-8")
    script = "".join((_HERE / name).read_text(encoding="utf-8") for name in ("map_canvas.js", "map_page.js"))
    template = environment().from_string((_HERE / "map.html.jinja").read_text(encoding="utf-8"))
    page = template.render(
        title=title,
        subtitle=subtitle,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        meta=_json({**meta, "texts": list(texts)}),
        points=_deflated(points.joined()),
        rows=_deflated("\0".join("\n".join(_one_line(values)) for values in texts.values()).encode()),
    )
    return NOT_IN_HTML.sub("\N{REPLACEMENT CHARACTER}", page)


def _texts(columns: list[MapColumn]) -> list[str]:
    return ["text", "id", *(column.name for column in columns if column.kind == "text")]


def _one_line(values: Iterable[str | None]) -> list[str]:
    cleaned = (
        "" if value is None else " ".join(value.split()).replace("\0", "\N{REPLACEMENT CHARACTER}") for value in values
    )
    return [value.encode("utf-8", "replace").decode() for value in cleaned]


class _Block:
    """Arrays laid end to end, each at a multiple of 4 bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def array(self, values: np.ndarray) -> dict[str, Any]:
        """Add an array; return where it is."""
        raw = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
        place = {"type": values.dtype.name, "at": self._size, "length": len(values)}
        self._parts.append(raw + b"\0" * (-len(raw) % 4))
        self._size += len(self._parts[-1])
        return place

    def joined(self) -> bytes:
        """Return all of it."""
        return b"".join(self._parts)


def _packed(column: MapColumn, block: _Block, order: np.ndarray) -> dict[str, Any]:
    about: dict[str, Any] = {"name": column.name, "kind": column.kind, "names": list(column.names)}
    if column.values is None:
        return about
    if column.counts is None:
        return {**about, "values": block.array(column.values[order])}
    ends = np.cumsum(column.counts, dtype=np.int64)
    counts = column.counts[order]
    starts = np.repeat(ends[order] - counts, counts)
    within = np.arange(len(starts)) - np.repeat(np.cumsum(counts, dtype=np.int64) - counts, counts)
    return {**about, "values": block.array(column.values[starts + within]), "counts": block.array(counts)}


def _deflated(raw: bytes) -> str:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return base64.b64encode(packer.compress(raw) + packer.flush()).decode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
