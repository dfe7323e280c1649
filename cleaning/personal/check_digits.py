"""Numbers that carry a check digit: whether it is right, and whether the rest of the number can be."""

from __future__ import annotations

import datetime
from operator import mul

# GB 11643-1999: weights of the first seventeen digits and the check digit by remainder of eleven.
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK = "10X98765432"
# GB/T 2260: the first two digits of places, 91 for abroad.
_PROVINCES = frozenset(
    f"{at}" for span in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83), (91, 91))
    for at in range(span[0], span[1] + 1)
)  # fmt: skip
# GB 32100-2015: the characters in order of their value, and the weights of the first seventeen.
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_DOUBLED = str.maketrans("0123456789", "0246813579")  # the sum of the digits of twice a digit
# ISO/IEC 7812 issuers and the lengths of their numbers: UnionPay, Visa, Mastercard, American Express, Discover, JCB.
_ISSUERS = (
    (("62", "81"), range(16, 20)),
    (("4",), (16, 19)),
    (("51", "52", "53", "54", "55", *map(str, range(2221, 2721))), (16,)),
    (("34", "37"), (15,)),
    (("6011", "64", "65"), range(16, 20)),
    (tuple(map(str, range(3528, 3590))), range(16, 20)),
)


def _is_date(year: int, month: str, day: str) -> bool:
    try:
        datetime.date(year, int(month), int(day))
    except ValueError:
        return False
    return True


def is_cn_id(number: str) -> bool:
    """Tell whether eighteen characters are a resident identity number: a place, a birthday, the right check digit."""
    born = int(number[6:10])
    if number[:2] not in _PROVINCES or born < 1850 or not _is_date(born, number[10:12], number[12:14]):
        return False
    remainder = sum(map(mul, _ID_WEIGHTS, map(int, number[:17]))) % 11
    return _ID_CHECK[remainder] == number[17].upper()


def is_old_cn_id(number: str) -> bool:
    """Tell whether fifteen digits can be an identity number as given until 1999: a place and a birthday, no check."""
    return number[:2] in _PROVINCES and _is_date(1900 + int(number[6:8]), number[8:10], number[10:12])


def passes_luhn(number: str) -> bool:
    """Tell whether the last of some digits is right by the formula of Luhn (ISO/IEC 7812-1, annex B)."""
    return sum(map(int, number[-2::-2].translate(_DOUBLED) + number[::-2])) % 10 == 0


def is_card_of_known_issuer(number: str) -> bool:
    """Tell whether digits begin as the cards of a large issuer do, and are as many."""
    return any(number.startswith(prefixes) and len(number) in lengths for prefixes, lengths in _ISSUERS)


def is_credit_code(code: str) -> bool:
    """Tell whether eighteen characters are a unified social credit code: a place, the right check character."""
    if code[2:4] not in _PROVINCES or any(character not in _CREDIT for character in code):
        return False
    total = sum(weight * _CREDIT.index(character) for weight, character in zip(_CREDIT_WEIGHTS, code, strict=False))
    return _CREDIT[-total % 31] == code[17]
