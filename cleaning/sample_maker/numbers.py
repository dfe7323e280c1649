"""Invented personal data with right check digits, and numbers that only look like it: those pass none of the checks.

Check digits after GB 11643-1999 (resident identity number), GB 32100-2015 and GB 11714-1997 (unified social credit
code) and Luhn (ISO/IEC 7812-1, bank cards). Written apart from the rules under test on purpose.
"""

from __future__ import annotations

import random
import string

Dice = random.Random

_AREAS = ("110105", "120103", "310104", "320102", "330106", "350203", "370202", "420106", "440305", "510107", "610113")
_ALPHANUMERIC = string.digits + string.ascii_uppercase
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_NAMES = ("zhang.wei", "wang-fang", "li.na", "chenjie", "liuyang88", "anna.berg", "j.smith", "maria_lopez", "t.okafor")
_HOSTS = ("mail-demo.cn", "post-demo.org", "letter-demo.com", "inbox-demo.net", "kefu.demo-mail.cn")
_ALIASES = ("lantian", "shanhu", "moli_cha", "qingfeng", "xiaohe", "nanfeng", "tulip", "river_stone", "maple")


def digits(dice: Dice, count: int) -> str:
    """Return so many random digits."""
    return "".join(dice.choices(string.digits, k=count))


def luhn_digit(number: str) -> str:
    """Return the digit that makes a number pass Luhn's check."""
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(number))]
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def is_luhn(number: str) -> bool:
    """Tell whether a number of digits passes Luhn's check."""
    return luhn_digit(number[:-1]) == number[-1]


def cn_id_digit(number: str) -> str:
    """Return the check digit of the first seventeen digits of an identity number."""
    return "10X98765432"[sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(number)) % 11]


def organisation_digit(code: str) -> str:
    """Return the check digit of the eight characters of an organisation's code."""
    weighted = zip(code, (3, 7, 9, 10, 5, 8, 4, 2), strict=True)
    found = 11 - sum(_ALPHANUMERIC.index(c) * weight for c, weight in weighted) % 11
    return {10: "X", 11: "0"}.get(found, str(found))


def credit_digit(code: str) -> str:
    """Return the check character of the first seventeen of a credit code."""
    weighted = sum(_CREDIT.index(character) * pow(3, place, 31) for place, character in enumerate(code))
    return _CREDIT[-weighted % 31]


def email(dice: Dice) -> str:
    """Return an address at a host that nobody has."""
    return f"{dice.choice(_NAMES)}{dice.choice(['', str(dice.randrange(1970, 2020))])}@{dice.choice(_HOSTS)}"


def cn_id(dice: Dice) -> str:
    """Return an identity number that is no bank card as well."""
    born = f"{dice.randrange(1952, 2006)}{dice.randrange(1, 13):02}{dice.randrange(1, 29):02}"
    number = dice.choice(_AREAS) + born + digits(dice, 3)
    number += cn_id_digit(number)
    return cn_id(dice) if number.isdigit() and is_luhn(number) else number


def mobile(dice: Dice) -> str:
    """Return a mobile number in one of the usual spellings."""
    head, middle, tail = f"1{dice.choice(['38', '39', '50', '58', '77', '86', '99'])}", digits(dice, 4), digits(dice, 4)
    gap = dice.choice(["", "", "", " ", "-"])
    return dice.choice(["", "", "", "+86 "]) + gap.join([head, middle, tail])


def landline(dice: Dice) -> str:
    """Return a landline number with its area code."""
    area = dice.choice(["010", "021", "025", "028", "0571", "0755", "0512"])
    number = dice.choice("2345678") + digits(dice, 7)
    return dice.choice([f"{area}-{number}", f"{area}-{number}", f"({area}){number}"])


def bank_card(dice: Dice) -> str:
    """Return a card number of 16 or 19 digits, some in groups of four."""
    number = dice.choice(["6222", "6228", "6217", "6214"]) + digits(dice, dice.choice([11, 14]))
    number += luhn_digit(number)
    if dice.random() < 0.7:
        return number
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def credit_code(dice: Dice) -> str:
    """Return a unified social credit code that has a letter."""
    organisation = digits(dice, 8)
    code = dice.choice(["91", "92", "51"]) + dice.choice(_AREAS) + organisation + organisation_digit(organisation)
    code += credit_digit(code)
    return credit_code(dice) if code.isdigit() else code


def ip(dice: Dice) -> str:
    """Return a public IPv4 address."""
    return f"{dice.choice([36, 59, 101, 114, 183, 221])}.{'.'.join(str(dice.randrange(11, 250)) for _ in range(3))}"


def wechat_id(dice: Dice) -> str:
    """Return a WeChat id: a letter first, six to twenty letters, digits, underscores."""
    return dice.choice([f"wxid_{_token(dice, 14).lower()}", f"{dice.choice(_ALIASES)}_{digits(dice, 4)}"])


def qq(dice: Dice) -> str:
    """Return a QQ number of seven to ten digits that cannot be a telephone number."""
    return dice.choice("2345689") + digits(dice, dice.choice([6, 7, 8, 9]))


def api_key(dice: Dice) -> str:
    """Return a key in the form of three well-known services."""
    aws = "AKIA" + "".join(dice.choices(string.ascii_uppercase + "234567", k=16))
    return dice.choice(["sk-" + _token(dice, 48), "ghp_" + _token(dice, 36), aws])


def _token(dice: Dice, count: int) -> str:
    """Return letters and digits, at least one of both."""
    body = dice.choices(string.ascii_letters + string.digits, k=count - 2)
    return "".join([dice.choice(string.ascii_letters), *body, dice.choice(string.digits)])


def wrong_id(dice: Dice) -> str:
    """Return eighteen digits in the shape of an identity number whose check digit is wrong."""
    number = cn_id(dice)[:17]
    wrong = [digit for digit in string.digits if digit != cn_id_digit(number) and not is_luhn(number + digit)]
    return number + dice.choice(wrong)


def wrong_card(dice: Dice) -> str:
    """Return sixteen digits that fail Luhn's check."""
    number = "20" + digits(dice, 13)
    return number + dice.choice([digit for digit in string.digits if digit != luhn_digit(number)])


def wrong_code(dice: Dice) -> str:
    """Return eighteen characters in the shape of a credit code whose check character is wrong."""
    code = credit_code(dice)[:17]
    return code + dice.choice([letter for letter in "ABCDEFGHJK" if letter != credit_digit(code)])


FORMS = {
    "email": email,
    "cn_id": cn_id,
    "mobile": mobile,
    "landline": landline,
    "bank_card": bank_card,
    "credit_code": credit_code,
    "ip": ip,
    "wechat_id": wechat_id,
    "qq": qq,
    "api_key": api_key,
}
KIND = {form: "phone" if form in ("mobile", "landline") else form for form in FORMS}
"""The placeholder's name of every form."""
