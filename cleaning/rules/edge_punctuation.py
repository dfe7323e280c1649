"""Marks that a cut left at the ends of a text: a closing bracket at its head, an opening one or a comma at its tail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Literal

from cleaning.characters import SPACES, of
from cleaning.protect import CODE, MATHS, QUOTE, TABLE, URL
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

if TYPE_CHECKING:
    import numpy as np

# At the head nothing can be open yet. Not in here: `>`, a quotation in Markdown, `}` of code, and ’, an apostrophe.
_HEAD = "）】》」』〉〕”)]，。、；：！？"
# Not in here: colons, after which an answer is due, and marks that end a line of code.
_TAIL = "（【《「『〈〔“([，、；,"
_AT_HEAD = re.compile(rf"\s*+[{re.escape(_HEAD)}][{re.escape(_HEAD)}\s]*+")
_HEAD_MARKS, _TAIL_MARKS = frozenset(_HEAD), frozenset(_TAIL)
_BLANKS = " \t\r\n\u3000\u00a0"
_EYES = (":", ";", "=", ":-", ";-")


class EdgePunctuation(EditRule):
    """Removes unbalanced closing marks from the head, dangling openers and separators from the tail of a text.

    A final full stop or closing quote is no dirt. For documents: a prompt may end in the middle of a sentence.
    """

    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS, TABLE, URL, QUOTE})

    rule: Literal["edge_punctuation"] = "edge_punctuation"

    @property
    def trigger(self) -> Trigger:
        """Such a mark, or white space that may hide one, at an end."""
        return Trigger(opens=of(_HEAD) | SPACES, closes=of(_TAIL + _BLANKS))

    def suspects(self, texts: list[str]) -> np.ndarray:
        """Tell which have such a mark at an end, white space aside."""
        import numpy as np

        head, tail = _HEAD_MARKS, _TAIL_MARKS
        first = ((text[:4].lstrip() or text.lstrip())[:1] for text in texts)
        last = ((text[-4:].rstrip(_BLANKS) or text.rstrip(_BLANKS))[-1:] for text in texts)
        return np.array([one in head or other in tail for one, other in zip(first, last, strict=True)], bool)

    def apply(self, segments: Segments) -> Edited:
        """Strip the ends of texts; a segment that ends at code is no end."""
        texts, counts = [], []
        for text, opens, closes in zip(segments.texts, segments.opens, segments.closes, strict=True):
            head = _AT_HEAD.match(text) if opens and not _quotes_backwards(text, 0) else None
            start, end = head.end() if head else 0, len(text)
            words = len(text.rstrip(_TAIL + _BLANKS))
            if closes and not _quotes_backwards(text, words) and _dangles(text[:words], text[words:].strip(_BLANKS)):
                end = max(start, words)
            texts.append(text[start:end])
            counts.append((start > 0) + (end < len(text)))
        return Edited(texts, counts)


def _dangles(words: str, marks: str) -> bool:
    """Tell whether the marks after the last words are left over: not `:(`, nor the comma of `Yours sincerely,`."""
    last_line = words[words.rfind("\n") + 1 :]
    letter_end = marks == "," and last_line.isascii() and last_line.count(" ") < 4
    return bool(marks) and not letter_end and not words.endswith(_EYES)


def _quotes_backwards(text: str, at: int) -> bool:
    """Tell whether the marks from a place on begin with a quote that has its partner: some write ”so“."""
    first = text[at:].lstrip()[:1]
    return first in ("“", "”") and text.count("“") == text.count("”")
