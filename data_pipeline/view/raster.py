"""A drawing surface of pixels: discs, text, bars, and PNG out."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from data_pipeline.view.lettering import HEIGHT

Colour = tuple[int, int, int]
INK: Colour = (31, 30, 27)
SOFT: Colour = (98, 94, 87)
PAPER: Colour = (255, 255, 255)


class Canvas:
    """RGB pixels, float32 [height, width, 3] of 0 to 255, white at first."""

    def __init__(self, width: int, height: int) -> None:
        self.pixels = np.full((height, width, 3), 255, dtype=np.float32)

    def blend(self, alpha: np.ndarray, left: int, top: int, colour: Colour) -> None:
        """Lay a colour over the pixels by alpha, uint8 or float 0 to 255 [h, w]; what is outside is cut off."""
        height, width = self.pixels.shape[:2]
        y, x = max(0, top), max(0, left)
        bottom, right = min(height, top + alpha.shape[0]), min(width, left + alpha.shape[1])
        if bottom <= y or right <= x:
            return
        share = alpha[y - top : bottom - top, x - left : right - left, None].astype(np.float32) / 255
        below = self.pixels[y:bottom, x:right]
        below += share * (np.array(colour, dtype=np.float32) - below)

    def text(self, alpha: np.ndarray, left: int, top: int, colour: Colour = INK, *, halo: bool = False) -> None:
        """Draw a line of text, on request with a white edge so that it can be read on points."""
        if halo:
            self.blend(_grown(alpha, 3), left - 3, top - 3, PAPER)
        self.blend(alpha, left, top, colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Draw one disc."""
        size = int(radius) + 2
        lines, columns = np.mgrid[-size : size + 1, -size : size + 1]
        alpha = np.clip(radius + 0.5 - np.hypot(columns, lines), 0, 1) * 255
        self.blend(alpha, round(x) - size, round(y) - size, colour)

    def points(self, x: np.ndarray, y: np.ndarray, colours: np.ndarray, radius: float, strength: float) -> None:
        """Draw many discs; where they overlap, their colours mix, whatever the order of the rows.

        Args:
            x: pixels from the left, float [n].
            y: pixels from the top, float [n].
            colours: uint8 [n, 3].
            radius: pixels.
            strength: how opaque one disc is, over 0.

        """
        height, width = self.pixels.shape[:2]
        weight = np.zeros(height * width)
        mixed = np.zeros((3, height * width))
        column, line, reach = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64), int(radius) + 1
        for down in range(-reach, reach + 1):
            for across in range(-reach, reach + 1):
                cover = np.clip(radius + 0.5 - np.hypot(column + across + 0.5 - x, line + down + 0.5 - y), 0, 1)
                inside = (cover > 0) & (column + across >= 0) & (column + across < width)
                inside &= (line + down >= 0) & (line + down < height)
                places = (line[inside] + down) * width + column[inside] + across
                np.add.at(weight, places, cover[inside])
                for channel in range(3):
                    np.add.at(mixed[channel], places, cover[inside] * colours[inside, channel])
        alpha = (1 - np.exp(-strength * weight)).reshape(height, width, 1)
        colour = (mixed / np.maximum(weight, 1e-9)).T.reshape(height, width, 3)
        self.pixels += (alpha * (colour - self.pixels)).astype(np.float32)

    def png(self) -> bytes:
        """Return the picture as PNG."""
        height, width = self.pixels.shape[:2]
        lines = np.clip(np.rint(self.pixels), 0, 255).astype(np.uint8).reshape(height, width * 3)
        raw = np.concatenate([np.zeros((height, 1), dtype=np.uint8), lines], axis=1).tobytes()
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        density = struct.pack(">IIB", 11811, 11811, 1)  # 300 dots per inch
        chunks = ((b"IHDR", header), (b"pHYs", density), (b"IDAT", zlib.compress(raw, 6)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _grown(alpha: np.ndarray, by: int) -> np.ndarray:
    """Return alpha spread by some pixels on every side."""
    grown = np.zeros((alpha.shape[0] + 2 * by, alpha.shape[1] + 2 * by), dtype=alpha.dtype)
    for down in range(2 * by + 1):
        for across in range(2 * by + 1):
            if (down - by) ** 2 + (across - by) ** 2 <= by * by:
                part = grown[down : down + alpha.shape[0], across : across + alpha.shape[1]]
                np.maximum(part, alpha, out=part)
    return grown


def line_top(middle: float) -> int:
    """Return the top of a line of text whose middle is given."""
    return round(middle - HEIGHT / 2)
