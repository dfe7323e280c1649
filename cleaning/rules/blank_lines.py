"""Line ends, blanks before them, and runs of empty lines."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from cleaning.rules.base import Edited, EditRule, Segments

_BLANK = r" \t\u3000\u00a0"
_RETURN = re.compile(r"\r\n?")
_TRAILING = re.compile(rf"[{_BLANK}]++(?=\n)")
_HEAD = re.compile(rf"\A(?:[{_BLANK}]*+\n)++")
_TAIL = re.compile(rf"[{_BLANK}\n]++\Z")


class BlankLines(EditRule):
    r"""Makes every line end `\n`, strips blanks at line ends, shortens runs of empty lines, trims the text's ends."""

    trigger = r"\r|[ \t\u3000\u00a0]\n|\n\n\n|^\n|[ \t\u3000\u00a0\n]$"

    rule: Literal["blank_lines"] = "blank_lines"
    keep: int = Field(default=1, ge=0)
    """Empty lines that may follow each other."""

    def apply(self, segments: Segments) -> Edited:
        """Tidy the segments; the edges beside code or a formula are left as they are."""
        run = re.compile(rf"\n{{{self.keep + 2},}}")
        texts, counts = [], []
        for text, opens, closes in zip(*segments, strict=True):
            count = 0
            steps = [(_RETURN, "\n"), (_TRAILING, ""), (run, "\n" * (self.keep + 1))]
            for found, by in [*steps, *([(_HEAD, "")] if opens else []), *([(_TAIL, "")] if closes else [])]:
                text, changes = found.subn(by, text)
                count += changes
            texts.append(text)
            counts.append(count)
        return Edited(texts, counts)
