"""Line ends, blanks before them, and runs of empty lines."""

from __future__ import annotations

import re
from functools import partial
from operator import ne
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
        too_many = "\n" * (self.keep + 2)
        run = re.compile(rf"{too_many}\n*+")
        # It begins with a line end, so that a search looks for nothing else.
        untidy = re.compile(rf"\n(?:(?<=[{_BLANK}]\n)|(?={too_many[1:]}))")
        texts, counts = [], []
        for text, opens, closes in zip(segments.texts, segments.opens, segments.closes, strict=True):
            count = 0
            if "\r" in text:
                text, count = _RETURN.subn("\n", text)
            if untidy.search(text):
                text, stripped = self._without_trailing(text, opens, closes)
                text, shortened = run.subn(too_many[1:], text)
                count += stripped + shortened
            if opens and text[:1].isspace() and (head := _HEAD.match(text)):
                text = text[head.end() :]
                count += 1
            if closes and text[-1:].isspace():
                trimmed = text.rstrip(_BLANK + "\n")
                count += trimmed != text
                text = trimmed
            texts.append(text)
            counts.append(count)
        return Edited(texts, counts)

    def _without_trailing(self, text: str, opens: bool, closes: bool) -> tuple[str, int]:
        """Strip blanks before line ends; the last line has none."""
        if self.markdown_breaks and "  \n" in text:
            stripped = _TRAILING.sub(partial(_break, opens=opens, closes=closes), text)
            return stripped, int(stripped != text)
        *lines, last = text.split("\n")
        stripped_lines = [line.rstrip(_BLANK) for line in lines]
        changed = sum(map(ne, lines, stripped_lines))
        return "\n".join([*stripped_lines, last]) if changed else text, changed
