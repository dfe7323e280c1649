"""Numbers that carry a check digit, as they are written: identity, credit code, bank card."""

from __future__ import annotations

import re

from cleaning.personal.check_digits import (
    is_card_of_known_issuer,
    is_cn_id,
    is_credit_code,
    is_old_cn_id,
    passes_luhn,
)
from cleaning.personal.surroundings import CONTEXT, END, before, has_unit, is_free, is_no_other_number, is_no_row

# One block, or place, birthday and rest apart; an old one has fifteen digits.
_CN_ID = re.compile(
    r"[1-9](?<![\w.].)(?:\d{16}[\dXx]|\d{14}|\d{5}(?P<gap>[ -])\d{4}(?P=gap)?\d{4}(?P=gap)\d{3}[\dXx])(?![\w]|\.\d)",
    re.ASCII,
)
_ID_WORD = re.compile(r"(?:身份证|证件|identity card|\bid card)[\w\s]{0,8}[:：\s=#]{0,3}$")
_CREDIT_CODE = re.compile(
    r"[159ANYany](?<![\w.].)[1239]\d{6}[0-9A-HJ-NPQRTUWXYa-hj-npqrtuwxy]{10}(?![\w]|\.\d)", re.ASCII
)
# One block, fours (4-4-4-4, 4-4-4-4-3) or as American Express has it (4-6-5).
_BANK_CARD = re.compile(
    rf"(?:\d{{15,19}}|\d{{4}}(?P<gap>[ -])\d{{4}}(?P=gap)\d{{4}}(?P=gap)\d{{4}}(?:(?P=gap)\d{{1,3}})?"
    rf"|\d{{4}}(?P<gap2>[ -])\d{{6}}(?P=gap2)\d{{5}})(?! \d){END}",
    re.ASCII,
)
_CARD_WORD = re.compile(
    r"(?:卡号|银行|[用蓄记]卡|账[号户]|帐[号户]|card|account|acct|visa|mastercard|amex)[^\d\n]{0,12}$"
)
_BANK_BEHIND = re.compile(r"[^\d\n]{0,12}(?:银行|开户|[工农建交招]行|信用社|bank\b)")


def _without_gaps(number: str) -> str:
    return number.replace(" ", "").replace("-", "")


def id_end(text: str, at: int) -> int | None:
    """Return where the identity number that begins here ends."""
    match = _CN_ID.match(text, at)
    if match is None:
        return None
    number = _without_gaps(match.group())
    meant = is_cn_id(number) if len(number) == 18 else is_old_cn_id(number) and _ID_WORD.search(before(text, at))
    return match.end() if meant else None


def code_end(text: str, at: int) -> int | None:
    """Return where the social credit code that begins here ends."""
    match = _CREDIT_CODE.match(text, at)
    return match.end() if match and is_credit_code(match.group().upper()) else None


def card_end(text: str, at: int) -> int | None:
    """Return where the bank card that begins here ends.

    A word must say so. Without one a number of a known issuer in groups is enough, and of one block UnionPay's 19
    digits: one random number of that length in a thousand begins so and has the check digit.
    """
    match = _BANK_CARD.match(text, at)
    if match is None:
        return None
    end = match.end()
    number = _without_gaps(match.group())
    if len(set(number)) < 2 or not passes_luhn(number) or not is_no_row(text, at, end):
        return None
    earlier = before(text, at)
    if _CARD_WORD.search(earlier):
        return end
    if not is_free(text, at) or has_unit(text, end):
        return None
    behind = text[end : end + CONTEXT].lower()
    told = len(number) < end - at or (len(number) == 19 and number.startswith("62")) or _BANK_BEHIND.match(behind)
    return end if told and is_card_of_known_issuer(number) and is_no_other_number(text, at, end) else None
