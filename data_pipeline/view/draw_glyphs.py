"""Draws `glyphs.npz`, the characters that the picture's texts are made of. Run once by us, never by users.

    python -m data_pipeline.view.draw_glyphs data_pipeline/view/glyphs.npz

The font is Noto Sans CJK SC (SIL Open Font License 1.1), drawn by a headless Chromium: Latin letters, Greek, Cyrillic,
punctuation and the 6,763 characters of GB 2312.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import numpy as np

from data_pipeline.view.lettering import HEIGHT, SIZE

_DRAW = """([texts, size, height]) => {
  const canvas = document.createElement("canvas"); canvas.width = 2 * size; canvas.height = height;
  const ink = canvas.getContext("2d", {willReadFrequently: true}); ink.font = `${size}px "Noto Sans CJK SC"`;
  ink.textBaseline = "alphabetic";
  const widths = [], parts = [];
  for (const text of texts) {
    const width = Math.max(1, Math.round(ink.measureText(text).width));
    ink.clearRect(0, 0, canvas.width, height); ink.fillText(text, 0, Math.round(size * 1.02));
    const pixels = ink.getImageData(0, 0, width, height).data;
    widths.push(width);
    for (let at = 3; at < pixels.length; at += 4) parts.push(String.fromCharCode(pixels[at] >> 4));
  }
  return [widths, btoa(parts.join(""))];
}"""


def characters() -> list[str]:
    """Return what is drawn."""
    latin = [
        chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x391, 0x3CA), *range(0x410, 0x450))
    ]
    marks = list("–—‘’“”…•→←↑↓≤≥≠×÷±·∞√\N{REPLACEMENT CHARACTER}")
    chinese = [bytes((high, low)).decode("gb2312", "ignore") for high in range(0xA1, 0xF8) for low in range(0xA1, 0xFF)]
    return sorted({*latin, *marks, *filter(None, chinese)})


def main(target: Path) -> None:
    """Draw all characters into a file: code points, widths, and alpha of 4 bits, two to a byte."""
    from playwright.sync_api import sync_playwright

    texts = characters()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        widths, encoded = browser.new_page().evaluate(_DRAW, [texts, SIZE, HEIGHT])
        browser.close()
    alpha = np.frombuffer(base64.b64decode(encoded), dtype=np.uint8)
    alpha = np.pad(alpha, (0, len(alpha) % 2))
    codes = np.array([ord(text) for text in texts], dtype=np.uint32)
    np.savez_compressed(
        target, codes=codes, widths=np.array(widths, dtype=np.uint8), alpha=alpha[::2] << 4 | alpha[1::2]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
