"""Plain full stops at the end of Chinese sentences: `天气很好.我们走吧.` is written with `。`."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import HAN, of
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_CLOSERS = "”’）】》」』"
# After a Chinese character, or after a closing mark that follows one; before another one, or where a sentence can end.
_STOP = re.compile(
    rf"[.．](?:(?<=[{_HAN}].)(?=[{_HAN}])|(?<=[{_HAN}].)(?=[\s{_CLOSERS}]|\Z)|(?<=[{_HAN}][{_CLOSERS}].)(?=\s|\Z))"
)
# `一.`, `第三.`, `（二）.` at the head of a line are numbers of a list.
_LIST_NUMBER = re.compile(r"^[ \t\u3000#*>-]*+[（(]?第?[零〇一二三四五六七八九十百甲乙丙丁]{1,4}[）)]?\Z", re.MULTILINE)
# Characters that write foreign names: a stop between two of them is the dot of `卡尔.马克思`.
_SOUNDS = frozenset(
    "阿埃艾爱安奥巴柏贝本比彼别宾波伯勃布查茨达戴丹道德登狄迪蒂丁东杜顿多厄恩尔法菲费芬弗福盖冈高戈哥格葛古哈海汉赫亨胡"
    "华怀霍基吉加贾简杰金卡凯坎康柯科克肯库拉莱兰朗劳勒雷里理利莉列林琳刘卢鲁路露伦罗洛马玛迈麦曼芒梅门蒙米密明摩莫默姆穆"
    "拿娜纳奈南内尼涅宁牛纽努诺欧帕派潘庞培佩彭蓬皮珀普奇齐恰钱乔切琼丘让茹瑞若萨塞赛桑瑟森莎沙山舍圣史士斯松苏索塔泰坦汤"
    "唐陶特腾提廷图托瓦万威韦维魏温文沃乌伍西希锡夏香肖歇谢辛休许雪逊雅亚扬耶叶伊易因英尤约泽扎詹珍芝朱兹佐"
)
_ENDS = re.compile(r"[。.!！？?\n]")
_LATIN = re.compile("[A-Za-z]")
_CHINESE = re.compile(f"[{_HAN}]")


def _ends_sentence(text: str, at: int) -> bool:
    """Tell whether the stop at a place ends a Chinese sentence: no list number, no name, no English around one word."""
    if text[at - 1] in _SOUNDS and text[at + 1 : at + 2] in _SOUNDS:
        return False
    before = _ENDS.split(text[max(0, at - 40) : at])[-1]
    if 2 * len(_CHINESE.findall(before)) < len(_LATIN.findall(before)):
        return False
    return not _LIST_NUMBER.search(text, max(0, at - 12), at)


class CjkFullStop(EditRule):
    """Writes `.` and `．` as `。` between Chinese characters and at the end of a Chinese sentence.

    Numbers, file names, list numbers, `...` and dots in foreign names stay.
    """

    rule: Literal["cjk_full_stop"] = "cjk_full_stop"

    @property
    def trigger(self) -> Trigger:
        """A stop after a Chinese character or a closing mark."""
        return Trigger(pairs=((HAN | of(_CLOSERS), of(".．")),))

    def apply(self, segments: Segments) -> Edited:
        """Replace; at the end of a segment only where the text ends too."""
        texts, counts = [], []
        for text, closes in zip(segments.texts, segments.closes, strict=True):
            ends = [
                match.start()
                for match in _STOP.finditer(text)
                if (closes or match.end() < len(text)) and _ends_sentence(text, match.start())
            ]
            parts = [text[start + 1 : end] for start, end in zip([-1, *ends], [*ends, len(text)], strict=True)]
            texts.append("。".join(parts))
            counts.append(len(ends))
        return Edited(texts, counts)
