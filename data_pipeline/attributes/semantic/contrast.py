"""Whether two texts of nearly the same words say different things: a negation, an opposite, a name, a unit, a sign.

An embedding puts such texts beside each other. The signs looked for are few and plain; they are asked only of texts
that are near, and in doubt they say that two texts differ, for that removes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Final, NamedTuple

from data_pipeline.attributes.semantic.numbers import NUMBER, numbers_in

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
WORD: Final = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+")

_NEGATIONS = frozenset(
    ("not", "no", "never", "none", "neither", "nor", "without", "avoid", "prevent", "lack", "except", *"不没无非未别勿")
)
_AVOIDING = re.compile(r"避免|防止|缺乏|缺少|除了|拒绝|禁止")
# 能不能, 有没有 ask; the others are words of their own.
_NO_NEGATION = re.compile(
    r"(.)[不没]\1|不仅|不但|不过|不同|不断|不少|不管|不论|不得不|不错|差不多|非常|无论|特别|区别|级别|性别|类别|别人|分别"
    r"|未来|无锡|南非|非洲|\bnot only\b|\bwhy not\b|\bor not\b|\bno\. ?(?=\d)"
)
_PREFIXES = ("un", "dis", "in", "im", "ir", "il", "non", "mis")
_PAIRS = """
advantages/drawbacks pros/cons benefits/risks causes/effects increase/decrease increase/reduce raise/lower
maximum/minimum largest/smallest highest/lowest longest/shortest fastest/slowest oldest/youngest best/worst most/least
more/less good/bad before/after buy/sell hot/cold win/lose start/stop open/close ascending/descending
positive/negative true/false yes/no right/wrong correct/wrong
优点/缺点 优势/劣势 好处/坏处 利/弊 原因/影响 增加/减少 提高/降低 上升/下降 升序/降序 最大/最小 最高/最低
最多/最少 最长/最短 最好/最坏 最好/最差 之前/之后 买/卖 开始/结束 打开/关闭 成功/失败 支持/反对 正面/负面
积极/消极 正确/错误 对/错 是/否
"""
_CHINESE_OPPOSITES = [tuple(pair.split("/")) for pair in _PAIRS.split() if not pair.isascii()]
_ENGLISH_OPPOSITES: dict[str, set[str]] = {}
for _one, _other in (pair.split("/") for pair in _PAIRS.split() if pair.isascii()):
    _ENGLISH_OPPOSITES.setdefault(_one, set()).add(_other)
    _ENGLISH_OPPOSITES.setdefault(_other, set()).add(_one)
_ASKING = re.compile(r"怎么样|怎样|怎么|如何")
_SENTENCE = re.compile(r"(?:^|[.!?:\n\"“(])\s*")
_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_SIGNS = str.maketrans("−–×÷", "--*/")
_BETWEEN = re.compile(r"\d\s*([-+*/^<>=]+)\s*(?=\d)")
_MINUS = re.compile(r"(?<![\w)\]-])-(?=\d)")
_SLOT = 6  # words that may be exchanged in a frame


class Text(NamedTuple):
    """A text made ready: as it is but for width and odd signs, its words, and the same in lower case."""

    plain: str
    words: list[str]
    low: list[str]


@lru_cache(maxsize=1024)  # a row is compared with several
def text_of(given: str) -> Text:
    """Return a text made ready for comparisons."""
    plain = unicodedata.normalize("NFKC", given).translate(_SIGNS)
    plain = re.sub(r"n['’]t\b", " not", plain).replace("cannot", "can not")
    plain = _ASKING.sub("如何", _DATE.sub(r"\1 \2 \3", plain))
    words = WORD.findall(plain)
    return Text(plain, words, [word.lower() for word in words])


def differ(one: Text, other: Text) -> bool:
    """Tell whether two near texts say different things as far as negations, opposites, names and signs show."""
    if one.plain == other.plain:
        return False
    return negated(one, other) or opposed(one, other) or other_names(one, other) or other_signs(one, other)


def negated(one: Text, other: Text) -> bool:
    """Tell whether one of the two says `not` in what only it says."""
    here, there = (Counter(WORD.findall(_NO_NEGATION.sub(" ", text.plain.lower()))) for text in (one, other))
    counts = [_negations(own - rest, rest) for own, rest in ((here, there), (there, here))]
    avoided = [len(_AVOIDING.findall(text.plain)) for text in (one, other)]
    counts[0] += max(0, avoided[0] - avoided[1])
    counts[1] += max(0, avoided[1] - avoided[0])
    return (counts[0] > 0) != (counts[1] > 0)


def _negations(own: Counter[str], others: Counter[str]) -> int:
    """Count negations in the words that only one text has; `unhealthy` is one where the other says `healthy`."""
    prefixed = (
        word
        for word in own
        if any(word.startswith(prefix) and word[len(prefix) :] in others for prefix in _PREFIXES) and word not in others
    )
    return sum(own[word] for word in _NEGATIONS & own.keys()) + sum(own[word] for word in prefixed)


def opposed(one: Text, other: Text) -> bool:
    """Tell whether each says a word that is the opposite of one of the other's."""
    here, there = set(one.low) - set(other.low), set(other.low) - set(one.low)
    if any(_ENGLISH_OPPOSITES[word] & there for word in here & _ENGLISH_OPPOSITES.keys()):
        return True
    first, second = one.plain, other.plain
    return any(
        (a in first) != (a in second) and (b in first) != (b in second) and (a in first) != (b in first)
        for a, b in _CHINESE_OPPOSITES
    )


def other_names(one: Text, other: Text) -> bool:
    """Tell whether each names somebody or something that the other does not say at all."""
    first, second = _names(one) - set(other.low), _names(other) - set(one.low)
    if not first or not second:
        return False
    return not _stems(first) & _stems(second)


def _stems(names: set[str]) -> set[str]:
    """Return names with and without what makes Roman of Rome, and Italian of Italy."""
    return names | {re.sub(r"(?:ians?|eans?|ans?|ns|n|ese|ish|es|e|y|a|s)$", "", name) for name in names}


def _names(text: Text) -> set[str]:
    """Return capitalised words inside sentences, and all Latin words of a Chinese text, in lower case."""
    latin = [word for word in text.words if word.isascii() and word[0].isalpha()]
    if len(latin) < len(text.words) / 2:
        return {word.lower() for word in latin}
    begun = {match.end() for match in _SENTENCE.finditer(text.plain)}
    inside = [m[0] for m in WORD.finditer(text.plain) if m.start() not in begun and m[0][0].isupper() and m[0] != "I"]
    return {word.lower() for word in inside} if len(inside) <= len(latin) / 2 else set()


def other_signs(one: Text, other: Text) -> bool:
    """Tell whether numbers are negative, or bound by signs, in another way."""
    if len(_MINUS.findall(one.plain)) != len(_MINUS.findall(other.plain)):
        return True
    first, second = _BETWEEN.findall(one.plain), _BETWEEN.findall(other.plain)
    return bool(first and second) and first != second


def exchanged(one: Text, other: Text) -> tuple[list[str], list[str], str] | None:
    """Return what stands in either text where the other has something else, and the word before; None if not one place.

    One place is at most six words, in a frame of at least as many as it.
    """
    start, end = 0, 0
    shorter = min(len(one.low), len(other.low))
    while start < shorter and one.low[start] == other.low[start]:
        start += 1
    while end < shorter - start and one.low[-1 - end] == other.low[-1 - end]:
        end += 1
    here, there = one.low[start : len(one.low) - end], other.low[start : len(other.low) - end]
    if not here or not there or max(len(here), len(there)) > min(_SLOT, start + end):
        return None
    return here, there, one.low[start - 1] if start else ""


def other_case(one: Text, other: Text, answers: tuple[Text, Text], alike: bool) -> bool:
    """Tell whether two questions are one frame about two things.

    The thing exchanged is a number, its unit, a word that each answer takes up, or, where the answers are not alike,
    anything.
    """
    found = exchanged(one, other)
    if found is None:
        return False
    here, there, before = found
    if _counted(here) != _counted(there):
        return True
    if re.fullmatch(NUMBER, before) or before[-1:].isdecimal():
        return not (here[0].startswith(there[0]) or there[0].startswith(here[0]))
    return not alike or _taken_up(here, there, *answers)


def _counted(words: list[str]) -> list[str]:
    """Return the numbers among exchanged words; an article is no number beside 1."""
    numerals = [word for word in words if word in "二三四五六七八九十两" or (word.isdecimal() and word != "1")]
    return numerals or [value for value in numbers_in(" ".join(words)) if value != "1"]


def _taken_up(here: list[str], there: list[str], answer: Text, other: Text) -> bool:
    """Each answer says the words of its own question, and not the other's; `apples` says `apple`."""
    own, rest = (
        [all(_said(word, text.low) for word in words) for text in (answer, other)]
        for words in ([w for w in here if w not in there], [w for w in there if w not in here])
    )
    return own == [True, False] and rest == [False, True]


def _said(word: str, words: list[str]) -> bool:
    if not word.isascii() or len(word) < 4:
        return word in words
    return any(said.startswith(word[:-1]) for said in words)
