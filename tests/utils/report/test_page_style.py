"""The page's colours can be read by all, in both modes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_formula_by_hand() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_contrast_is_aa(mode: str, root: Path) -> None:
    style = (root / "utils/report/page.css.jinja").read_text()
    light, dark = style.split("prefers-color-scheme: dark", 1)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light if mode == "light" else dark))
    words = ("ink", "soft", "accent", "good", "warn", "bad")
    text = [(word, paper) for word in words for paper in ("paper", "panel")] + [
        ("gone-ink", "gone"),
        ("new-ink", "new"),
    ]
    drawn = [(f"s{number}", "paper") for number in range(6)]
    assert not [pair for pair in text if contrast(*(colours[name] for name in pair)) < 4.5]
    assert not [pair for pair in drawn if contrast(*(colours[name] for name in pair)) < 3]
