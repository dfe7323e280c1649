"""Line ends, blanks before them, and runs of empty lines."""

from __future__ import annotations

import re
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field

from cleaning.characters import of
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_BLANK = " \t\u3000\u00a0"
_RETURN = re.compile(r"\r\n?")
_TRAILING = re.compile(rf"[{_BLANK}]++(?=\n)")
_NEXT = re.compile(rf"\n[{_BLANK}]*+(?P<words>\S)?")
_HEAD = re.compile(rf"(?:[{_BLANK}]*+\n)++")


def _break(blanks: re.Match[str], opens: bool, closes: bool) -> str:
    """Return two of the blanks before a line end where words, or what is protected, stand on both sides."""
    text, start, line = blanks.string, blanks.start(), _NEXT.match(blanks.string, blanks.end())
    after_words = text[start - 1] != "\n" if start else not opens
    before_words = line and (line["words"] or (line.end() == len(text) and not closes))
    return "  " if text.startswith("  ", start) and after_words and before_words else ""


class BlankLines(EditRule):
    r"""Makes every line end `\n`, strips blanks at line ends, shortens runs of empty lines, trims the text's ends."""

    only_blanks: ClassVar[bool] = True

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
        from cleaning.tidy import tidied

        opens, closes = segments.opens, segments.closes
        texts, counts = tidied(segments.texts, opens, closes, self.keep)
        if self.markdown_breaks:
            for at, text in enumerate(segments.texts):
                if counts[at] and "  " in text:
                    texts[at], counts[at] = self._with_breaks(text, opens[at], closes[at])
        return Edited(texts, counts)

    def _with_breaks(self, text: str, opens: bool, closes: bool) -> tuple[str, int]:
        """Tidy a text in which two blanks before a line end mean something; the last line has none."""
        too_many = "\n" * (self.keep + 2)
        text, count = _RETURN.subn("\n", text)
        stripped = _TRAILING.sub(partial(_break, opens=opens, closes=closes), text)
        shorter, runs = re.subn(rf"{too_many}\n*+", too_many[1:], stripped)
        count += (stripped != text) + runs
        if opens and (head := _HEAD.match(shorter)):
            shorter, count = shorter[head.end() :], count + 1
        if closes and (trimmed := shorter.rstrip(_BLANK + "\n")) != shorter:
            shorter, count = trimmed, count + 1
        return shorter, count
