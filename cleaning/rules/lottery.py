"""Prize draws of social media: the sentences that call to take part, and those that name the winners."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import HAN
from cleaning.rules.base import Edited, EditRule, Segments, substitute
from cleaning.trigger import Trigger

_ACT = "转发|评论|留言|关注|点赞|转评赞|三连|评论区|粉丝|收藏"
_NUMBER = r"[ ]?(?:\d{1,4}|[一二两三四五六七八九十百几]{1,3})[ ]?"
_WHO = "位|名|个|人|条"
_FANS = "(?:小伙伴|粉丝|朋友|宝宝|幸运|读者|网友|值友|用户|宝子|姐妹|家人)"
# The sentence around it; never across a line. An act before the draw, so problems about drawing balls are none.
_CALL = rf"(?:{_ACT})[^。！？!?\n]{{0,30}}?(?:抽奖|抽(?:取|选|送|出)?{_NUMBER}(?:{_WHO}))[^。！？!?\n]{{0,80}}+"
_GIFT = rf"抽(?:取|选|送|出)?{_NUMBER}(?:{_WHO}){_FANS}[^。！？!?\n]{{0,80}}+"
_WINNERS = (
    r"(?:恭喜|祝贺)[^。！？!?\n]{0,40}?(?:中奖|获奖的?(?:粉丝|网友|小伙伴|值友|读者))[^。！？!?\n]{0,80}+"
    r"|(?:中奖名单|开奖时间|中奖者?请|中奖用户|抽奖规则|抽奖方式|抽奖福利|抽奖时间)[ ]?[:：][^。！？!?\n]{0,120}+"
)
_SENTENCE = re.compile(
    rf"(?:(?<=[。！？!?\n])|(?<![\s\S]))(?P<lead>[^。！？!?\n]{{0,40}}?)(?:{_CALL}|{_GIFT}|{_WINNERS})[。！？!?]*+[ ]?"
)


class Lottery(EditRule):
    """Removes sentences of prize draws (转发评论抽三位…, 恭喜…中奖) from documents."""

    rule: Literal["lottery"] = "lottery"

    @property
    def trigger(self) -> Trigger:
        """A draw or a winner."""
        return Trigger(
            characters=HAN, pattern="抽奖|抽(?:取|选|送|出)?[ ]?(?:[0-9]|[一二两三四五六七八九十百几])|中奖|开奖|获奖"
        )

    def apply(self, segments: Segments) -> Edited:
        """Remove the sentences."""
        return substitute(segments.texts, (_SENTENCE, ""))
