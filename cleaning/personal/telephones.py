"""Telephone numbers: Chinese mobile and fixed ones, of services, American ones, others behind a plus or a word."""

from __future__ import annotations

import re

from cleaning.personal.found import Found
from cleaning.personal.surroundings import (
    END,
    FREE,
    UNIT,
    before,
    has_unit,
    is_data,
    is_free,
    is_no_other_number,
    is_no_row,
    is_other_number,
)

_AREA = r"(?:10|2\d|[3-9]\d{2})"  # without its 0
_TWO, _THREE = r"(?:10|2\d)", r"[3-9]\d{2}"  # of 8 digits and of 7 or 8
_GROUPS = rf"(?:{_TWO}[ -][2-8]\d{{3}}[ -]\d{{4}}|{_THREE}[ -][2-8]\d{{2,3}}[ -]\d{{4}})"
_NANP = r"[2-9](?:0[1-9]|1[02-9]|[2-8]\d)"  # neither 200 nor 911
_CHINA = r"(?:\+|00)86"
# Tried at the first sign of a number, so the choice is between few.
_PHONE = re.compile(
    rf"(?:(?P<mobile>(?:[(（]?{_CHINA}[)）]?[- ]?|86[- ])?1[3-9]\d(?P<gap>[- ]?)\d{{4}}(?P=gap)\d{{4}})"
    rf"|(?P<landline>(?:(?:0|(?:\(\+86\)|\+86)[- ]?0?|86-0?)"
    rf"(?:{_AREA}-\d{{7,8}}|{_GROUPS})|[(（]0{_AREA}[)）][ -]?\d{{3,4}}[ -]?\d{{4}})"
    r"(?:(?:-| ?转| ?ext\.? ?)\d{1,5})?)"
    r"|(?P<service>[48]00(?:-\d{3}-\d{4}|-\d{4}-\d{3}|-\d{7}))"
    r"|(?P<american>(?:\+1[-. ]?\(?\d{3}\)?[-. ]|(?:1[-. ])?\((?!\d00\) ?\d00)\d{3}\) ?)\d{3}[-. ]\d{4})"
    rf"|(?P<dashed>(?:1-)?{_NANP}-[2-9]\d{{2}}-\d{{4}})"
    r"|(?P<spaced>\+[1-9]\d{0,2}[- .]?(?:\(\d{1,4}\)[- .]?)?\d{1,5}(?:[- .]\d{2,8}){1,4})"
    rf"){END}",
    re.ASCII,
)
# Most of all: eleven digits, free, without a unit. All that is below says the same of them, more slowly.
_PLAIN = re.compile(rf"{FREE}1[3-9]\d{{9}}{END}(?!{UNIT})", re.ASCII)
# Only behind a word.
_LOOSE = re.compile(
    rf"(?:0{_AREA}[- ]?\d{{3,4}}[- ]?\d{{4}}|1[3-9]\d\.\d{{4}}\.\d{{4}}|861[3-9]\d{{9}}"
    rf"|[48]00[ -]?\d{{3,4}}[ -]?\d{{3,4}}"
    rf"|(?P<american>(?:1[-. ]?)?(?:{_NANP}[2-9]\d{{6}}|\(?\d{{3}}\)?(?P<sign>[-. ])\d{{3}}(?P=sign)\d{{4}}))"
    r"|(?:\+|00)[1-9]\d{0,2}[- .]?(?:\(\d{1,4}\)[- .]?)?\d{1,5}(?:[- .]\d{2,8}){1,4}|\+[1-9]\d{9,13})"
    rf"{END}",
    re.ASCII,
)
_WORDS = (
    r"(?:电话|手机|座机|热线|联系|致电|拨打|传真|客服|固话|微信同号|\btel|phone|\bcall|mobile|\bcell|\bfax|contact|whatsapp|hotline"
    r"|\bdial|\bring|\btext\b|\bsms\b|reach)"
)
_NEARBY = re.compile(rf"{_WORDS}[^\d\n]{{0,16}}$")
_SAID = re.compile(
    rf"{_WORDS}(?:[^\w\n]|号码|号|方式|是|为|我|他|她|_|s\b|numbers?|no\b|at\b|is\b|on\b|me\b|us\b){{0,6}}$"
)
# Numbers that cost the caller nothing are those of hotlines and firms, nobody's own.
_TOLL_FREE = re.compile(r"(?:\+?1[-. ]?)?\(?8(?:00|33|44|55|66|77|88)")
_ONLY_ONES = re.compile(r"[01\D]+")


def _start(text: str, at: int) -> int:
    """Return where the number of which the first digit is here begins: with its sign and its bracket."""
    start = at - (text[at - 1 : at] == "+")
    return start - (text[start - 1 : start] in ("(", "（"))


def phone(text: str, at: int) -> Found | None:
    """Return the telephone number of which the first digit is here."""
    plain = _PLAIN.match(text, at)
    if plain is not None and is_no_other_number(text, at, plain.end()):
        return Found(at, plain.end(), "phone")
    start = _start(text, at)
    match = _PHONE.match(text, start) or (_PHONE.match(text, at) if start < at else None)
    if match is None:
        return _loose(text, start, at)
    start, end = match.span()
    if not is_no_row(text, start, end) or ((match["american"] or match["dashed"]) and _TOLL_FREE.match(match.group())):
        return None
    if is_free(text, start) and not has_unit(text, end) and _is_meant(match) and is_no_other_number(text, start, end):
        return Found(start, end, "phone")
    return Found(start, end, "phone") if _SAID.search(before(text, start)) else None


def _is_meant(match: re.Match[str]) -> bool:
    """Leave what could as well be binary, and a sign with few groups behind it."""
    if match["spaced"] is None:
        return match["landline"] is None or not _ONLY_ONES.fullmatch(match.group())
    number = match.group()
    return len(re.findall(r"[- .)]+", number)) >= 2 and 10 <= sum(map(str.isdigit, number)) <= 15


def _loose(text: str, start: int, at: int) -> Found | None:
    """Return a number in a form that others have too, if a word before it says that it is a telephone's."""
    match = _LOOSE.match(text, start) or (_LOOSE.match(text, at) if start < at else None)
    if match is None or (match["american"] is not None and _TOLL_FREE.match(match.group())):
        return None
    start, end = match.span()
    earlier = before(text, start)
    if is_other_number(earlier) or is_data(text, start):
        return None
    if not _SAID.search(earlier) and (has_unit(text, end) or not is_free(text, start) or not _NEARBY.search(earlier)):
        return None
    return Found(start, end, "phone") if is_no_row(text, start, end) else None
