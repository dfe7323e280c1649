"""Line ends, blanks before them, and runs of empty lines."""

from __future__ import annotations

import re
from functools import partial
from typing import Literal

from pydantic import Field

from cleaning.characters import of
from cleaning.rules.base import Edited, EditRule, Replacement, Segments
from cleaning.scan import Trigger

_BLANK = " \t\u3000\u00a0"
_RETURN = re.compile(r"\r\n?")
_BLANK_ENDS = (" \n", "\t\n", "\u3000\n", "\u00a0\n", "\r")
_TRAILING = re.compile(rf"[{_BLANK}]++(?=\n)")
_NEXT = re.compile(rf"\n[{_BLANK}]*+(?P<words>\S)?")
_HEAD = re.compile(rf"\A(?:[{_BLANK}]*+\n)++")
_TAIL = re.compile(rf"[{_BLANK}\n]++\Z")


def _break(blanks: re.Match[str], opens: bool, closes: bool) -> str:
    """Return two of the blanks before a line end where words, or what is protected, stand on both sides."""
    text, start, line = blanks.string, blanks.start(), _NEXT.match(blanks.string, blanks.end())
    after_words = text[start - 1] != "\n" if start else not opens
    before_words = line and (line["words"] or (line.end() == len(text) and not closes))
    return "  " if text.startswith("  ", start) and after_words and before_words else ""


class BlankLines(EditRule):
    r"""Makes every line end `\n`, strips blanks at line ends, shortens runs of empty lines, trims the text's ends."""

    rule: Literal["blank_lines"] = "blank_lines"
    keep: int = Field(default=1, ge=0, le=6)
    """Empty lines that may follow each other."""
    markdown_breaks: bool = False
    """Keep two blanks at the end of a line that another follows: Markdown breaks the line there."""

    @property
    def trigger(self) -> Trigger:
        """A return, a blank before a line end, empty lines in a row, or either at an edge of the text."""
        blanks, line = of(" \t\u3000\u00a0"), of("\n")
        return Trigger(
            characters=of("\r"),
            pairs=((blanks, line),),
            runs=((line, self.keep + 2),),
            opens=line,
            closes=blanks | line,
        )

    def apply(self, segments: Segments) -> Edited:
        """Tidy the segments; the edges beside code or a formula are left as they are."""
        run = re.compile(rf"\n{{{self.keep + 2},}}")
        trailing: Replacement = ""
        texts, counts = [], []
        for text, opens, closes in zip(segments.texts, segments.opens, segments.closes, strict=True):
            count = 0
            if self.markdown_breaks:
                trailing = partial(_break, opens=opens, closes=closes)
            for found, by, applies in (
                (_RETURN, "\n", "\r" in text),
                (_TRAILING, trailing, any(end in text for end in _BLANK_ENDS)),
                (run, "\n" * (self.keep + 1), "\n\n" in text),
                (_HEAD, "", opens and text[:1].isspace()),
                (_TAIL, "", closes and text[-1:].isspace()),
            ):
                if applies:
                    changed, changes = found.subn(by, text)
                    count += changes if changed != text else 0
                    text = changed
            texts.append(text)
            counts.append(count)
        return Edited(texts, counts)
