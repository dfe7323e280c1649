"""Numbers in Chinese and English, in digits and in words, by their value."""

from __future__ import annotations

import re
from typing import Final

import polars as pl

_UNITS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
_TENS = "(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
_BELOW_100 = rf"(?:{_TENS}(?:[ -](?:one|{_UNITS}))?|one|{_UNITS})"
_HUNDREDS = rf"(?:{_BELOW_100}[ -])?hundred(?:[ -](?:and )?{_BELOW_100})?"
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_GREAT = (
    rf"(?:(?:{_HUNDREDS}|{_BELOW_100})[ -])?(?:thousand|million|billion)(?:[ -](?:and )?(?:{_HUNDREDS}|{_BELOW_100}))?"
)

_ONE_TO_NINE = "一二三四五六七八九"
_SMALL = "二三四五六七八九十两"
_MEASURES = (
    "个只条张本名位种次年月日天岁元块斤米点项步句段首篇部件台辆层页周倍人道题字行分秒级章课集卷号楼杯碗瓶"
    "支枝根颗粒株架艘匹群双套扇口座栋间所家门册幅副份封滴片朵棵箱盒袋桶公英平升克吨厘毫寸尺亩里角边"
)

_ORDINALS = ("third", "quarter", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_PART = f"(?:{'|'.join(_ORDINALS)})"
_NUMERAL = rf"[零〇十百千万亿两{_ONE_TO_NINE}]"
_WHOLE = rf"(?:\d+|[十百{_ONE_TO_NINE}]+)"

# Lone 一 and "one" are articles more often than numbers. No look-around: polars' engine reads it too.
NUMBER: Final = (
    rf"百分之(?:{_DIGITS}|(?:{_NUMERAL}|点)+)|\d+/\d+|{_WHOLE}分之{_WHOLE}|\b(?:one|{_UNITS})[ -]{_PART}s?\b"
    rf"|{_DIGITS}(?: ?(?:thousand|million|billion)\b|[百千万亿]+|%)?"
    rf"|{_NUMERAL}+点[零〇{_ONE_TO_NINE}]+|{_NUMERAL}{{2,}}"
    rf"|(?:第|星期|礼拜)[十{_ONE_TO_NINE}]|[{_SMALL}][{_MEASURES}]"
    rf"|\b(?:{_GREAT}|{_HUNDREDS}|{_TENS}(?:[ -](?:one|{_UNITS}))?|{_UNITS})\b"
)
# Words made of numerals that count nothing.
_NO_NUMBERS = ((r"万一|一一|百万富翁", " "), (r"千万([不别要记])", " ${1}"), (r"十分([^钟之米钱])", " ${1}"))

_LOW = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_HIGH = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ENGLISH = dict(zip((*_LOW, *_TEENS), range(1, 20), strict=True)) | dict(zip(_HIGH, range(20, 100, 10), strict=True))
_PARTS = dict(zip(_ORDINALS, range(3, 11), strict=True))
_ENGLISH_POWERS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_NUMERALS = {character: at for at, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_POWERS = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}


def without_idioms(text: pl.Expr) -> pl.Expr:
    """Return the expression that leaves out words of numerals that count nothing (万一, 十分重要)."""
    for pattern, into in _NO_NUMBERS:
        text = text.str.replace_all(pattern, into)
    return text


def numbers_in(text: str) -> list[str]:
    """Return the values of the numbers in a text (NFKC, lower case), in their order."""
    for pattern, into in _NO_NUMBERS:
        text = re.sub(pattern, into.replace("${1}", r"\1"), text)
    return [number_value(form) for form in re.findall(NUMBER, text)]


def number_value(form: str) -> str:
    """Return a number as digits: `1,000` → 1000, `三十二` → 32, `第三` → 3, `twenty-one` → 21, `3万` → 30000.

    Parts are `2/3` for `三分之二` and `two thirds`, `5%` for `百分之五`.
    """
    if form.startswith("百分之"):
        return f"{number_value(form[3:] if form[3].isdecimal() else '第' + form[3:])}%"
    if "分之" in form:
        below, _, above = form.partition("分之")
        return f"{_whole(above)}/{_whole(below)}"
    if some := re.fullmatch(rf"(\w+)[ -]({_PART})s?", form):
        return f"{_ENGLISH[some[1]]}/{_PARTS[some[2]]}"
    if "/" in form:
        return form
    if form[0].isdecimal():
        return _with_digits(form.replace(",", ""))
    if form[0].isascii():
        return str(_english(re.split(r"[ -]", form)))
    digits = re.sub("^(?:第|星期|礼拜)", "", form)
    if "点" in digits[:-1]:
        whole, _, part = digits.partition("点")
        return f"{_chinese(whole)}.{''.join(str(_NUMERALS[numeral]) for numeral in part)}"
    return str(_chinese(digits[:-1] if digits[-1] in _MEASURES else digits))


def _whole(digits: str) -> int:
    return int(digits) if digits.isdecimal() else _chinese(digits)


def _with_digits(form: str) -> str:
    """Return digits without needless zeros, times the power that is written behind them."""
    number = re.sub(r"[^\d.].*", "", form)
    power, percent = 1, "%" if form.endswith("%") else ""
    for word, value in (_ENGLISH_POWERS | _POWERS).items():
        power *= value ** form.count(word)
    whole, _, part = number.partition(".")
    if power > 1:
        return f"{float(number) * power:.10g}"
    return "".join([whole.lstrip("0") or "0", *([f".{part.rstrip('0')}"] if part.rstrip("0") else []), percent])


def _english(words: list[str]) -> int:
    total = part = 0
    for word in words:
        if word == "hundred":
            part = max(part, 1) * 100
        elif word in _ENGLISH_POWERS:
            total, part = total + max(part, 1) * _ENGLISH_POWERS[word], 0
        else:
            part += _ENGLISH.get(word, 0)
    return total + part


def _chinese(text: str) -> int:
    """Return the value of Chinese numerals: 三百零五 is 305, 二〇二四 is 2024."""
    # _POWERS rises: the greatest one in the text cuts it.
    power = next((power for power in reversed(_POWERS) if power in text), None)
    if power is None:
        return int("".join(str(_NUMERALS[character]) for character in text) or "0")
    before, _, after = text.partition(power)
    return _chinese(before or "一") * _POWERS[power] + _chinese(after)
