"""Kinds of personal data: what each looks like, and which of the look-alikes are meant.

A kind is an expression and a decision over its matches. Expressions begin with a set of characters or a literal, so
that the search is quick, and look behind after it; every repeat is bounded.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from cleaning.personal.check_digits import (
    is_card_of_known_issuer,
    is_cn_id,
    is_credit_code,
    is_old_cn_id,
    passes_luhn,
)

Kind = Literal["api_key", "email", "cn_id", "credit_code", "bank_card", "qq", "phone", "wechat_id", "ip"]
Match = re.Match[str]


class Form(NamedTuple):
    """A kind of personal data; what follows group `word`, where there is one, is replaced.

    `needs`, for the linear-time engine, is in every text that has the kind: asked of a column first, it spares most
    texts the search. It has no look-around and may find more, such as a number inside a longer one.
    """

    needs: str
    pattern: re.Pattern[str]
    is_meant: Callable[[Match], bool]

    def start(self, match: Match) -> int:
        """Return where that begins, from the beginning of the match."""
        said = match.end("word") if "word" in self.pattern.groupindex else -1
        return max(0, said - match.start())


_CONTEXT = 24
"""Characters before a number in which a word is looked for that says what it is."""


def _before(match: Match) -> str:
    return match.string[max(0, match.start() - _CONTEXT) : match.start()]


_OTHER_NUMBER = re.compile(
    r"(?:第|订单|单号|运单|快递|物流|流水|编号|序号|序列|货号|批号|型号|条码|条形码|学号|工号|案号|版本|专利|期刊|余额|金额|"
    r"总计|合计|共计|order|tracking|invoice|isbn|issn|serial|ticket|model|part|sku|barcode|version|patent|doi|pmid|"
    r"amount|total|balance|case|reference|transaction)[\w\s是为]{0,8}[:：#=\s.]{0,3}$"
)
# What stands behind the first character of a number, and behind all of it: a number begins and ends where it is not
# part of a longer one, of a decimal, or of a calculation. A hyphen or an asterisk at the head of a line is a bullet.
_START = (
    r"(?<![\w.+*=^$€£￥¥#_-].)(?:(?<![,/].)|(?<=\d{7}[,/].))(?<![\w)] [+*^×÷-] .)(?:(?<! / .)|(?<=\d{4} / .))"
    r"(?<![=≈] .)"
)
_END = (
    r"(?![\w*^%‰]|\.\d|,\d{3}(?!\d)|/(?!\d{7}| )| ?[*=^×÷+>%‰]| ?<(?![a-zA-Z/])| ?- ?\d| / ?\d{1,6}(?![\d-])|-\w)"
    r"(?! ?(?:元|美元|万|亿|个|吨|米|件|次|公里|千米|千克|公斤|克|秒|年|字节|平方|立方|块钱|倍))"
)


# Eleven digits are also a number to be rounded, divided, sorted or read aloud.
_ARITHMETIC = re.compile(
    r"四舍五入|除以|乘以|加上|减去|余数|整除|质数|素数|因数|倍数|平方|开方|读作|写作|总数|人口|排序|求和|整数|进制|位数"
    r"|\b(?:round|divid|divisib|multipl|factor|prime|sum of|sort|modulo|remainder|square root|population|digit|integer"
    r"|binary|decimal|subtract|add )"
)
_OF_A_PERSON = re.compile(
    r"电话|手机|号码|联系|拨打|致电|微信|短信|卡|账|帐|tel|phone|call|mobile|text|whatsapp|card|account"
)


def _is_no_other_number(match: Match) -> bool:
    before = _before(match).lower()  # so the expressions have a set of first letters
    if _OTHER_NUMBER.search(before):
        return False
    after = match.string[match.end() : match.end() + _CONTEXT].lower()
    return _OF_A_PERSON.search(before) is not None or not _ARITHMETIC.search(f"{before} {after}")


def _is_no_row_of_numbers(match: Match) -> bool:
    """Tell whether a number in groups is not a piece of a longer row of such groups."""
    return " " not in match.group() or not (
        re.search(r"\d $", _before(match)) or re.match(r" \d", match.string[match.end() : match.end() + 2])
    )


# Not a remote (`git@host:path`), not part of a longer word or path.
_EMAIL = re.compile(
    r"[A-Za-z0-9](?<![\w.+%/@-].)[\w.+%-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}"
    r"(?![\w@-]|:[\w~/]|\.\w)",
    re.ASCII,
)
# RFC 2606 and RFC 6761: names that documentation may use and nobody can have; and `example` under other domains.
DOCUMENTATION = re.compile(
    r"@(?:[\w-]+\.)*(?:example\.[a-z]{2,3}(?:\.[a-z]{2})?|[\w-]+\.(?:example|test|invalid|localhost))$"
)


_CN_ID = re.compile(r"[1-9](?<![\w.].)(?:\d{16}[\dXx]|\d{14})(?![\w]|\.\d)", re.ASCII)
_ID_WORD = re.compile(r"(?:身份证|证件|identity card|\bID card)[\w\s]{0,8}[:：\s]{0,3}$", re.IGNORECASE)


def _is_id(match: Match) -> bool:
    number = match.group()
    return is_cn_id(number) if len(number) == 18 else is_old_cn_id(number) and bool(_ID_WORD.search(_before(match)))


_CREDIT_CODE = re.compile(r"[159ANY](?<![\w.].)[1239]\d{6}[0-9A-HJ-NPQRTUWXY]{10}(?![\w]|\.\d)", re.ASCII)

# One block, fours (4-4-4-4, 4-4-4-4-3) or as American Express has it (4-6-5).
_BANK_CARD = re.compile(
    rf"\d{_START}(?:\d{{14,18}}|\d{{3}}(?P<gap>[ -])\d{{4}}(?P=gap)\d{{4}}(?P=gap)\d{{4}}(?:(?P=gap)\d{{1,3}})?"
    rf"|\d{{3}}(?P<gap2>[ -])\d{{6}}(?P=gap2)\d{{5}})(?! \d){_END}",
    re.ASCII,
)
_CARD_WORD = re.compile(
    r"(?:卡号|银行卡|信用卡|储蓄卡|借记卡|账号|帐号|账户|帐户|card|account|acct|visa|mastercard)[^\d\n]{0,12}$",
    re.IGNORECASE,
)


def _is_card(match: Match) -> bool:
    number = match.group().replace(" ", "").replace("-", "")
    if len(set(number)) < 2 or not passes_luhn(number) or not _is_no_row_of_numbers(match):
        return False
    return bool(_CARD_WORD.search(_before(match))) or (is_card_of_known_issuer(number) and _is_no_other_number(match))


# Mainland mobile numbers (13 to 19), area code and subscriber, service numbers, and others as they write them abroad.
# The first character is taken before the choice between them, so that the search has a set to look for.
_AREA = r"(?:10|2\d|[3-9]\d{2})"  # without its 0
_PHONE = re.compile(
    rf"[\d+(（]{_START}(?:"
    r"(?P<mobile>(?:(?<=1)|(?:(?:(?<=\()(?:\+|00)|(?<=\+)|(?<=0)0)86\)?[- ]?|(?<=8)6[- ])1)"
    r"[3-9]\d(?P<gap>[- ]?)\d{4}(?P=gap)\d{4})"
    rf"|(?P<landline>(?:(?:(?<=0)|(?:(?<=\()\+86\)|(?<=\+)86)[- ]?0?|(?<=8)6-0?)"
    rf"(?:{_AREA}-\d{{7,8}}|{_AREA}[ -]\d{{3,4}}[ -]\d{{4}})|(?<=[(（])0{_AREA}[)）][ -]?\d{{3,4}}[ -]?\d{{4}})"
    r"(?:(?:-| ?转| ?ext\.? ?)\d{1,5})?)"
    r"|(?P<service>(?<=[48])00(?:-\d{3}-\d{4}|-\d{4}-\d{3}|-\d{7}| \d{3} \d{4}|\d{7}))"
    r"|(?P<american>(?:(?<=\+)1[-. ]?\(?\d{3}\)?[-. ]|(?:(?<=1)[-. ]\(|(?<=\())\d{3}\) ?)\d{3}[-. ]\d{4})"
    r"|(?P<dashed>(?:(?<=1)-[2-9]|(?<=[2-9]))\d{2}(?P<dash>[-.])[2-9]\d{2}(?P=dash)\d{4})"
    r"|(?P<abroad>(?:(?<=\+)|(?<=0)0)[1-9]\d{0,2}[- .]?(?:\(\d{1,4}\)[- .]?)?\d{1,5}(?:[- .]\d{2,8}){1,4}"
    r"|(?<=\+)[1-9]\d{9,13})"
    rf"){_END}",
    re.ASCII,
)
_PHONE_WORD = re.compile(
    r"(?:电话|手机|座机|热线|联系|致电|拨打|传真|客服|固话|\btel|phone|\bcall|mobile|\bcell|\bfax|contact|whatsapp|hotline|"
    r"\bdial|\btext|reach)[^\d\n]{0,16}$",
    re.IGNORECASE,
)

# Numbers that cost the caller nothing are those of hotlines and firms, nobody's own.
_TOLL_FREE = re.compile(r"(?:1[-. ])?\(?8(?:00|33|44|55|66|77|88)\b")


def _is_phone(match: Match) -> bool:
    if not _is_no_row_of_numbers(match):
        return False
    if match["mobile"] or match["landline"]:
        return _is_no_other_number(match)
    number = match.group()
    if (match["american"] or match["dashed"]) and _TOLL_FREE.match(number):
        return False
    if match["american"]:
        return True
    if (match["service"] and not number.isdigit()) or (match["dashed"] and match["dash"] == "-"):
        return _is_no_other_number(match)
    if match["abroad"] and number.startswith("+") and len(re.findall(r"[- .)]+", number)) >= 2:
        return 10 <= sum(map(str.isdigit, number)) <= 15
    return bool(_PHONE_WORD.search(_before(match)))


_IP = re.compile(
    r"\d(?<![\w.:@#-].)(?:(?<!/.)|(?<=//.))\d{0,2}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w-]|\.\w)",
    re.ASCII,
)
_IP_WORD = re.compile(
    r"(?:\bip|地址|服务器|主机|网关|\bhost|server|ping|\bdns|address|登录|访问|来自|from)[^\n\d]{0,12}$", re.I
)
_VERSION_WORD = re.compile(
    r"(?:版本|固件|版|version|\bver|\bv|release|firmware|build|章|节|条|section|chapter)[^\n\d]{0,6}$", re.I
)
# Addresses of public name servers, which stand in manuals and are nobody's own.
_RESOLVERS = frozenset(
    ["8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "114.114.114.114", "223.5.5.5", "223.6.6.6"]
)


def _is_address(match: Match) -> bool:
    """Leave private, local and documentation ranges, versions, and numbers of chapters."""
    number, before = match.group(), _before(match)
    try:
        is_global = ipaddress.IPv4Address(number).is_global
    except ValueError:
        return False
    if number in _RESOLVERS or not is_global or _VERSION_WORD.search(before):
        return False
    return max(map(int, number.split("."))) >= 30 or bool(_IP_WORD.search(before))


# After a word that says so. A name that could be a word of the sentence needs a sign before it and an end after it,
# one without a sign a digit or a line; only `wxid_…` speaks for itself.
_WECHAT = re.compile(
    r"[微薇威公加添VvWw](?:(?P<word>(?i:"
    r"(?:(?<=微)信(?:号|ID|账号|公众号)|(?<=[薇威])信号|(?<=公)众号ID"
    r"|(?-i:(?<=W)(?:eChat|ECHAT)) ?(?:ID|number|account))(?: ?[:：] ?| ?[是为] ?| is:? )"
    r"|(?:(?<=[微薇威v])信|(?<=加)微|(?<=w)(?:eChat|eixin)|(?<=[wv])(?<![a-z].)x|(?<=加v)) ?[:：] ?(?P<may_go_on>)"
    r"|(?P<unsigned>(?<=微)信(?:(?:号|ID|账号) ?|(?:客服|联系方式)?[是为] ?)|(?-i:(?<=W)(?:eChat|ECHAT)) ?ID "
    r"|(?-i:(?<=W)(?:eChat|ECHAT))(?: (?:ID|number|account))?[^.,;:!?\n]{0,40}? is "
    r"|(?:(?<=加)|(?<=添)加)(?:我的?)?(?:微信|薇信|威信|V信|vx|wx) ?)))"
    r"(?P<value>[A-Za-z_][A-Za-z0-9_-]{5,19}|(?<=[:：])\d{6,10}|(?<=[:：] )\d{6,10})"
    r"|(?<=[Ww])(?i:xid_(?=[a-z0-9]{8,20}(?![a-z0-9]))[a-z0-9_-]{1,15}))(?![\w=@-]|\.\w|:/)",
    re.ASCII,
)
_WECHAT_NEEDS = (
    r"(?i:(?:微信(?:号|ID|账号|公众号|客服|联系方式)?|[薇威]信号?|公众号ID|v信|加[微v]|[wv]x|weixin|"
    r"wechat ?(?:ID|number|account)?) ?(?:[:：是为]|is:?)? ?[a-z0-9_][a-z0-9_-]{5}|wxid_[a-z0-9]{8}|"
    r"wechat[^\n]{0,60} is )"
)
_SENTENCE_GOES_ON = re.compile(r" ?[A-Za-z'(/]")


def _is_wechat_id(match: Match) -> bool:
    if match["word"] is None or any(character in "0123456789_" for character in match["value"]):
        return True
    if match["unsigned"] is not None:
        return False
    return match["may_go_on"] is None or not _SENTENCE_GOES_ON.match(match.string, match.end())


_QQ = re.compile(
    r"(?P<word>[Qq扣企加](?i:(?<=q)(?:q(?:(?<![a-z]..) ?(?:交流群|群号码|群号|群|号码|号|账号)?"
    r"|(?<!\w..) ?(?:number|id|group))|群)|(?<=扣)扣|(?<=企)鹅号|(?<=加)q) ?(?:[:：] ?|[是为] ?|is )?)"
    r"(?P<value>[1-9]\d{4,10})(?![\w@%]|[.,]\d|-\d)",
    re.ASCII,
)
_QQ_NEEDS = r"(?:[Qq][Qq群]|扣扣|企鹅号|加[Qq]).{0,12}[1-9][0-9]{4}"

# Keys by the prefix that their makers give them. `sk-` and the like need a digit: `sk-learn-contrib` is a name.
_API_KEY = re.compile(
    r"[sAghxrpe](?<![\w-].)(?:(?<=s)k-(?:[a-z]+[0-9]*-){0,3}[A-Za-z0-9_-]{20,200}|(?<=A)(?:KIA|SIA)[A-Z0-9]{16}"
    r"|(?<=g)h[pousr]_[A-Za-z0-9]{36,251}|(?<=g)ithub_pat_[A-Za-z0-9_]{22,251}|(?<=g)lpat-[A-Za-z0-9_-]{20,64}"
    r"|(?<=h)f_[A-Za-z0-9]{30,64}|(?<=A)Iza[A-Za-z0-9_-]{33,40}|(?<=x)ox[abeoprs]-[A-Za-z0-9-]{10,250}"
    r"|(?<=[srp])k_(?:live|test)_[A-Za-z0-9]{16,250}|(?<=e)yJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{16,2000})(?![\w-])",
    re.ASCII,
)
_KEY_NEEDS = (
    r"(?:sk-|A[KS]IA|gh[pousr]_|github_pat_|glpat-|hf_|AIza|xox[abeoprs]-|[srp]k_(?:live|test)_|eyJ)[A-Za-z0-9_-]{8}"
)
_NO_DIGIT = re.compile(r"\D+")


def _is_key(match: Match) -> bool:
    """Leave what is written in place of a key: one letter over and over, words."""
    key = match.group()
    return len(set(key)) >= 8 and (key.startswith(("AKIA", "ASIA")) or not _NO_DIGIT.fullmatch(key))


def _is_anything(match: Match) -> bool:
    return True


_CARD_NEEDS = r"[0-9]{15}|[0-9]{4}[ -](?:[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|[0-9]{6}[ -][0-9]{5})"
_PHONE_NEEDS = (
    r"1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}|[0-9]{2}(?:-[0-9]{7}|[ -][0-9]{3,4}[ -][0-9]{4}|[)）][ -]?[0-9]{3,4}[ -]?"
    r"[0-9]{4})|[48]00[ -]?[0-9]{3,4}[ -]?[0-9]{3,4}|[0-9]{3}\)?[-. ]?[0-9]{3}[-. ][0-9]{4}|"
    r"(?:\+|00)[1-9][0-9]{0,2}[- .]?(?:\([0-9]{1,4}\)[- .]?)?[0-9]{1,5}[- .][0-9]{2}|\+[1-9][0-9]{9}"
)

FORMS: dict[Kind, Form] = {
    "api_key": Form(_KEY_NEEDS, _API_KEY, _is_key),
    "email": Form(r"[A-Za-z0-9_.+%-]@[A-Za-z0-9][A-Za-z0-9-]*\.[A-Za-z0-9]", _EMAIL, _is_anything),
    "cn_id": Form(r"[1-9][0-9]{14}", _CN_ID, _is_id),
    "credit_code": Form(
        r"[159ANY][1239][0-9]{6}[0-9A-Z]{10}", _CREDIT_CODE, lambda match: is_credit_code(match.group())
    ),
    "bank_card": Form(_CARD_NEEDS, _BANK_CARD, _is_card),
    "qq": Form(_QQ_NEEDS, _QQ, _is_anything),
    "phone": Form(_PHONE_NEEDS, _PHONE, _is_phone),
    "wechat_id": Form(_WECHAT_NEEDS, _WECHAT, _is_wechat_id),
    "ip": Form(r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]", _IP, _is_address),
}
"""In the order in which they are looked for: an address before the number in it, a QQ number before a telephone."""
