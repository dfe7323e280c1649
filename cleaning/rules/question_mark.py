"""Questions without a question mark, as people type them into forms."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.roles import roles_of, texts_of
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger
from utils.data.language import HAN as HAN_RANGE

_HAN = re.compile(f"[{HAN_RANGE}]")
# What a question without a mark ends with, and the blanks behind it.
_OPEN = re.compile(r"(?<=[\w）)》”\"’』」\]】])(?<!_)\s*+\Z")


class QuestionMark(EditRule):
    """Puts `？` (`?` without any Chinese) behind a question that ends without a mark; for question–answer sources.

    The question is the user's text, or of a document the first line where others follow. It takes the source's word
    for it: every such text is a question, `求助，电脑开不了机` too.
    """

    rule: Literal["question_mark"] = "question_mark"

    @property
    def trigger(self) -> Trigger:
        """Any text: which of a row's texts is the question is seen from all of them."""
        return Trigger(pattern="")

    def apply(self, segments: Segments) -> Edited:
        """Mark each row's questions."""
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        nth: dict[int, int] = {}
        roles: dict[int, list[str]] = {}
        for start, end in texts_of(segments):
            row = segments.row[start]
            if row not in roles:
                roles[row] = roles_of(segments.fields[row])
            place = nth[row] = nth.get(row, -1) + 1
            role = roles[row][place] if place < len(roles[row]) else "document"
            at = end - 1 if role == "user" else start
            marked = _marked(texts[at], role, goes_on=at < end - 1)
            counts[at], texts[at] = int(marked != texts[at]), marked
        return Edited(texts, counts)


def _marked(text: str, role: str, *, goes_on: bool) -> str:
    """Return a segment with its question marked: the end of a user's text, the first of several lines of a document."""
    if role not in ("user", "document"):
        return text
    question, newline, rest = text.partition("\n") if role == "document" else (text, "", "")
    if role == "document" and not (newline and (rest.strip() or goes_on)):
        return text
    mark = "？" if _HAN.search(text) else "?"
    return _OPEN.sub(mark, question, count=1) + newline + rest
