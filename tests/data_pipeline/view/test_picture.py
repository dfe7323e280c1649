"""The picture: right letters, right places, right colours, and a file that is PNG."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import polars as pl

from data_pipeline.view.columns import PALETTE, map_columns, rgb
from data_pipeline.view.lettering import HEIGHT, lettered, shortened
from data_pipeline.view.picture import colours_of, draw_picture
from data_pipeline.view.raster import Canvas


def pixels(png: bytes) -> np.ndarray:
    """Decode a PNG of ours: RGB, no filters."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(
            png[at + 4 : at + 8 + length]
        )
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(height, 1 + 3 * width)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(height, width, 3)


def near(picture: np.ndarray, colour: str) -> np.ndarray:
    """Return which pixels have a colour of the palette, about."""
    return np.abs(picture.astype(int) - rgb((colour,))[0].astype(int)).sum(axis=2) < 30


def test_chinese_and_latin_letters_are_drawn_and_unknown_ones_marked() -> None:
    assert lettered("机器").shape == (HEIGHT, 48)
    assert not np.array_equal(lettered("机"), lettered("器"))
    assert np.array_equal(lettered("机器"), np.concatenate([lettered("机"), lettered("器")], axis=1))
    assert np.array_equal(lettered("\U0001f600"), lettered("\N{REPLACEMENT CHARACTER}"))
    assert lettered("机").any()
    assert lettered("g").any()
    assert shortened("机器学习" * 9, 100).shape[1] <= 100
    assert np.array_equal(shortened("机器", 100), lettered("机器"))


def test_every_point_is_where_it_belongs_in_its_colour() -> None:
    """Two crosses, one up and left, one down and right; the larger has the first colour."""
    rows = pl.DataFrame({"source": ["a"] * 5 + ["b"] * 4})
    x, y = np.array([0, 2, 1, 1, 1, 18, 20, 19, 19.0]), np.array([19, 19, 18, 20, 19, 1, 1, 0, 2.0])
    picture = pixels(draw_picture(x, y, map_columns(rows)[0], None, "two groups"))
    panel = picture[56:1256, 40:1240]
    for colour, place in ((PALETTE[0], (87, 87)), (PALETTE[1], (1113, 1113))):
        lines, columns = np.nonzero(near(panel, colour))
        assert len(lines)
        assert abs(lines.mean() - place[0]) < 6
        assert abs(columns.mean() - place[1]) < 6


def test_the_right_map_of_a_pair_has_only_what_was_left() -> None:
    rows = pl.DataFrame({"source": ["a"] * 6 + ["b"] * 3})
    x, y = np.arange(9.0), np.arange(9.0) % 5
    kept = np.array([True] * 6 + [False] * 3)
    picture = pixels(draw_picture(x, y, map_columns(rows)[0], kept, ""))
    left, right = picture[56:1256, 40:1240], picture[56:1256, 1280:2480]
    assert near(left, PALETTE[1]).any()
    assert near(right, PALETTE[0]).any()
    assert not near(right, PALETTE[1]).any()


def test_overlapping_points_mix_whatever_their_order() -> None:
    colours = np.array([[255, 0, 0], [0, 0, 255], [0, 0, 255]], dtype=np.uint8)
    drawn = []
    for order in ([0, 1, 2], [2, 1, 0]):
        canvas = Canvas(9, 9)
        canvas.points(np.full(3, 4.5), np.full(3, 4.5), colours[order], 2, 50)
        drawn.append(canvas.pixels)
    assert np.allclose(drawn[0], drawn[1])
    assert np.allclose(drawn[0][4, 4], [85, 0, 170])


def test_colours_of_numbers_and_of_nothing() -> None:
    column = map_columns(pl.DataFrame({"score": [0.0, 1.0, None]}))[0]
    assert colours_of(column).tolist() == [[0x35, 0x2A, 0x6B], [0xF2, 0xD3, 0x38], [138, 138, 138]]
    tags = map_columns(pl.DataFrame({"tags": [["x", "y"], [], ["y"]]}))[0]
    assert colours_of(tags)[1].tolist() == [138, 138, 138]
    assert colours_of(tags)[2].tolist() == rgb(PALETTE)[0].tolist()
