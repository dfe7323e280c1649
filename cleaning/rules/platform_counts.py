"""Counts that a platform shows under a text: likes, collections, comments, readers."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import DIGITS, HAN, LETTERS, of
from cleaning.lines import without_lines
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_WORDS_ZH = (
    "点赞|获赞|赞同|赞|点踩|踩|收藏|喜欢|转发|分享|评论|回复|留言|阅读|阅读量|阅读数|浏览|浏览量|浏览数|播放|播放量|弹幕|投币|"
    "在看|关注|粉丝|围观|打赏|值|不值|热度"
)
_WORDS_EN = "likes?|comments?|shares?|views?|reposts?|retweets?|followers?|reads?|replies|reply"
_LABELS_EN = "Likes|Comments|Shares|Views|Retweets|Replies"
_NUMBER = r"\d{1,9}(?:[.,]\d{1,3})*+ ?(?:[万亿kKwWmM]\+?|\+)?"
# `点赞 12`, `赞(12)`, `阅读量：10万+`, `12人赞同了该回答`, `3 条评论`, `12 likes`.
_ITEM = (
    rf"(?:(?:{_WORDS_ZH})数? ?[:：]? ?[(（\[]? ?{_NUMBER} ?[)）\]]?(?: ?[次人条个])?"
    rf"|{_NUMBER} ?[次人条个]?(?: ?(?:{_WORDS_ZH}))(?:了该回答|过|了)?"
    rf"|{_NUMBER} (?:{_WORDS_EN})|(?:{_LABELS_EN}) ?[:：(]? ?{_NUMBER}\)?)"
)
# The same, loosely, for the engine that looks at whole columns.
_NEAR = (
    rf"(?i)(?:{_WORDS_ZH})数? ?[:：]? ?[(（\[]? ?[0-9]|[0-9] ?[万亿kKwWmM]?\+? ?[次人条个]? ?(?:{_WORDS_ZH})"
    rf"|[0-9] ?[kKwWmM]?\+? (?:{_WORDS_EN})|(?:{_LABELS_EN}) ?[:：(]? ?[0-9]"
)
_BETWEEN = r"[ \t\u3000|｜·•,，、/👍❤⭐💬️-]*+"
_LINE = re.compile(
    rf"^[ \t\u3000👍❤⭐💬️]*+(?:(?>{_ITEM}){_BETWEEN}){{1,10}}+[。.]?[ \t]*(?:\n|\Z)", re.MULTILINE | re.IGNORECASE
)
# At the end of the last line two of them must stand together.
_TAIL = re.compile(
    rf"(?<=[。！？!?….”」）)\n])[ \t\u3000]{{0,9}}+(?:(?>{_ITEM}){_BETWEEN}){{2,10}}+[。.]?\s*\Z", re.IGNORECASE
)


class PlatformCounts(EditRule):
    """Removes lines that hold nothing but such counts, and two or more counts at the very end."""

    rule: Literal["platform_counts"] = "platform_counts"

    @property
    def trigger(self) -> Trigger:
        """A number near a word that can be counted."""
        near = HAN | LETTERS | of(" :：(（[")
        return Trigger(pairs=((near, DIGITS), (DIGITS, HAN | LETTERS | of(" .,+"))), pattern=_NEAR)

    def apply(self, segments: Segments) -> Edited:
        """Remove lines, then what stands at the very end."""
        edited = without_lines(segments, _LINE)
        for at, text in enumerate(edited.texts):
            if segments.closes[at]:
                edited.texts[at], count = _TAIL.subn("", text)
                edited.counts[at] += count
        return edited
