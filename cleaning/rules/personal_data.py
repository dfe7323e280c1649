"""Personal data becomes a typed placeholder; numbers that only look like it stay."""

from __future__ import annotations

import datetime
import re
from typing import ClassVar, Literal

from cleaning.characters import DIGITS, LETTERS, of
from cleaning.protect import CODE, MATHS
from cleaning.rules.base import Edited, EditRule, Replacement, Segments, substitute
from cleaning.scan import Trigger

Kind = Literal["email", "cn_id", "phone"]

# Not a remote (`git@host:path`), not part of a longer word or path.
_EMAIL = re.compile(
    r"(?<![\w.+%/@-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}"
    r"(?![\w@-]|:[\w~/]|\.\w)",
    re.ASCII,
)
_CN_ID = re.compile(r"(?<![\w.])[1-9]\d{16}[\dXx](?![\w]|\.\d)", re.ASCII)
# Mainland mobile numbers: eleven digits from 13 to 19. Not inside a longer number, a decimal or a calculation.
_PHONE = re.compile(
    r"(?<![\w.,+*/=^$-])(?<![+*/=^×÷≈-] )(?:\+86[- ]?|86[- ])?1[3-9]\d(?:(?P<gap>[- ]?)\d{4}(?P=gap)\d{4})"
    r"(?![\w,*/^%-]|\.\d| ?[*/=^×÷+<>%])",
    re.ASCII,
)

# GB 11643-1999: weights of the first seventeen digits and the check digit by remainder of eleven.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"


def is_cn_id(number: str) -> bool:
    """Tell whether eighteen characters are a resident identity number: a birthday and the right check digit."""
    try:
        born = datetime.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    remainder = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number, strict=False)) % 11
    return born.year >= 1850 and _CHECK[remainder] == number[17].upper()


def _cn_id(match: re.Match[str]) -> str:
    return "<cn_id>" if is_cn_id(match.group()) else match.group()


_STEPS: dict[Kind, tuple[re.Pattern[str], Replacement]] = {
    "email": (_EMAIL, "<email>"),
    "cn_id": (_CN_ID, _cn_id),
    "phone": (_PHONE, "<phone>"),
}


class PersonalData(EditRule):
    """Replaces e-mail addresses, Chinese identity numbers and mobile numbers by `<email>`, `<cn_id>`, `<phone>`."""

    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS})

    rule: Literal["personal_data"] = "personal_data"
    kinds: tuple[Kind, ...] = ("email", "cn_id", "phone")
    """What is replaced."""

    @property
    def trigger(self) -> Trigger:
        """An address, or a number as long as a telephone's."""
        word = LETTERS | DIGITS
        return Trigger(pairs=((word | of("._-+%"), of("@")),), digits=11)

    def apply(self, segments: Segments) -> Edited:
        """Replace each kind, in the order of `kinds`."""
        return substitute(segments.texts, *(_STEPS[kind] for kind in self.kinds))
