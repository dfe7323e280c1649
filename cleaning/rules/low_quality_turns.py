"""Exchanges in which nothing was answered: empty answers, errors of the page that a conversation was copied from."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from cleaning.roles import roles_of, texts_of
from cleaning.rules.base import Edited, EditRule, LinearPattern, Segments
from cleaning.trigger import Trigger

# What the page said instead of an answer. An answer is one of these as a whole: a text about network errors stays.
_ERRORS = re.compile(
    r"[\s!！.。…,;:*\"'-]*+(?:"
    r"(?:an? )?(?:unknown |network |internal server |unexpected )?error(?: occurred)?(?: in message stream)?|"
    r"network error|something went wrong|too many requests in 1 hour|"
    r"(?:an )?error occurred\.? (?:if this issue persists|either the engine)[^\n]{0,300}|"
    r"something went wrong[,.;]? (?:if this issue persists|please try)[^\n]{0,300}|"
    r"(?:the )?(?:server had an error|conversation not found|(?:conversation|message) is too long)[^\n]{0,200}|"
    r"(?:the )?message could not be loaded[^\n]{0,200}|(?:unable|failed|could not) to load[^\n]{0,120}|"
    r"hmm\W{1,5}something seems to have gone wrong[^\n]{0,200}|"
    r"(?:our )?(?:servers?|systems?) (?:is|are) (?:currently )?(?:overloaded|at capacity|experiencing)[^\n]{0,200}|"
    r"(?:stop generating|regenerate(?: response)?|try again|show more|copy code|loading|thinking)|"
    r"网络(?:错误|异常|连接失败|超时)[^\n]{0,40}|(?:加载|请求|生成)(?:失败|超时|出错)[^\n]{0,40}|"
    r"(?:服务器|系统)(?:繁忙|错误|异常|开小差)[^\n]{0,60}|重新生成(?:回答|回复)?|停止生成|(?:请)?稍后(?:再试|重试)"
    r")[\s!！.。…,;:*\"'-]*+",
    re.IGNORECASE,
)
_MOST = 400
"""No message of a page is longer."""


class LowQualityTurns(EditRule):
    """Empties both texts of an exchange whose answer is empty or an error message of the page it was copied from.

    For rows of many turns; what is emptied is left out of the row that is written (`cleaning.turns`). After the
    cleaning of ShareGPT in FastChat (`fastchat/data`), which drops whole conversations for it. The answer to a user
    who asks for more (`continue`) is no such thing.
    """

    protected: ClassVar[frozenset[str]] = frozenset()

    rule: Literal["low_quality_turns"] = "low_quality_turns"
    pattern: LinearPattern | None = Field(default=None)
    """More answers of the kind: a pattern of the whole answer."""

    @property
    def trigger(self) -> Trigger:
        """Any text: the question has nothing that would tell."""
        return Trigger(pattern="")

    def apply(self, segments: Segments) -> Edited:
        """Empty exchange by exchange; rows of a single exchange, and of unknown format, are left alone."""
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        own = self._own(segments.texts)
        rows: dict[int, list[int]] = {}
        for start, end in texts_of(segments):
            rows.setdefault(segments.row[start], []).append(start)
            own[start] |= end - start == 1 and _is_error(texts[start])
        for row, places in rows.items():
            roles = roles_of(segments.fields[row])
            if len(roles) != len(places):
                continue
            for at, (role, answer) in enumerate(zip(roles, places, strict=True)):
                if role == "assistant" and at > 0 and roles[at - 1] == "user" and own[answer]:
                    for place in (places[at - 1], answer):
                        counts[place] += bool(texts[place])
                        texts[place] = ""
        return Edited(texts, counts)

    def _own(self, texts: list[str]) -> list[bool]:
        """Return which texts the policy's own pattern names."""
        if self.pattern is None:
            return [False] * len(texts)
        import polars as pl

        return pl.Series(texts, dtype=pl.String).str.contains(rf"\A(?:{self.pattern})\z").to_list()


def _is_error(text: str) -> bool:
    """Tell whether an answer is empty or a message of the page."""
    return not text.strip() or (len(text) <= _MOST and _ERRORS.fullmatch(text) is not None)
