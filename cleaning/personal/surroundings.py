"""What stands around a number, and what it says of it: another number, a term of a calculation, data of a program."""

from __future__ import annotations

import re

CONTEXT = 24
"""Characters on each side of a number in which a word is looked for that says what it is."""

_OTHER_NUMBER = re.compile(
    r"(?:第|订单|单号|运单|快递|物流|流水|编号|序号|序列|货号|批号|型号|条码|条形码|学号|工号|案号|版本|专利|期刊|余额|金额|"
    r"总计|合计|共计|order|tracking|invoice|isbn|issn|serial|ticket|model|part|sku|barcode|version|patent|doi|pmid|"
    r"amount|total|balance|case|reference|transaction)[\w\s是为]{0,8}[:：#=\s.]{0,3}$"
)
# Eleven digits are also a number to be rounded, divided, sorted or read aloud.
_ARITHMETIC = re.compile(
    r"四舍五入|除以|乘以|加上|减去|余数|整除|质数|素数|因数|倍数|平方|开方|读作|写作|总数|人口|排序|求和|整数|进制|位数"
    r"|长度|宽度|高度|范围|区间|尺寸|比例|随机数|圆周率"
    r"|\b(?:round|divid|divisib|multipl|factor|prime|sum of|sort|modulo|remainder|square root|population|digit|integer"
    r"|binary|decimal|subtract|add |range|length|width)"
)
_OF_A_PERSON = re.compile(
    r"电话|手机|号码|联系|拨打|致电|微信|短信|卡|账|帐|tel|phone|call|mobile|text|whatsapp|card|account|contact|cell"
)
# A number begins where it is not part of a longer one, of a decimal, or of a calculation. A hyphen or an asterisk at
# the head of a line is a bullet.
FREE = (
    r"(?<![\w.+*=^$€£￥¥#_-])(?:(?<![,/])|(?<=\d{7}[,/])|(?<=[\u4e00-\u9fff\"][,/]))(?<![\w)] [+*^×÷-] )"
    r"(?:(?<! / )|(?<=\d{4} / ))(?<![=≈] )"
)
_FREE = re.compile(FREE, re.ASCII)
END = (
    r"(?![\w*^%‰]|\.\d|,\d{3}(?!\d)|/(?!\d{7}| |[\u4e00-\u9fff])| ?[*=^×÷+>%‰]| ?<(?![a-zA-Z/])| ?- ?\d"
    r"| / ?\d{1,6}(?![\d-])|-\w)"
)
"""What stands behind the last character of a number that is not part of such."""
# A unit, and not the beginning of a word: 个人, 年底, 元老.
UNIT = (
    r" ?(?:元(?![老旦宵月件素帅首])|美元|万(?![一分科达能事圣])|亿(?!达)|个(?![人体性位头])|吨|米(?![其饭粉线色家奇兰])"
    r"|件|次(?![日要])|公里|千米|千克|公斤|克(?![隆服制里罗拉])|秒(?![杀回])|年(?![底初级龄会终假])|字节(?!跳动)|平方|立方|块钱|倍)"
)
_UNIT = re.compile(UNIT)
_VALUES = "0123456789 \t\n,.+-\"'"
_OPENS_DATA = frozenset("([:,")
_BEFORE_DATA = _OPENS_DATA | frozenset(" \n\"'")
_CALL = re.compile(r"(?:(?<![^\W_])[a-z_]\w{0,30}|[)\]])\((?:[\w.]{1,20}, ?){0,3}[\w.]{0,20}$", re.ASCII)
_LIST_OF_CHINESE = re.compile(r"[\u4e00-\u9fff）)\]]\[$")


def before(text: str, at: int) -> str:
    """Return what stands before a place, in lower case, so that expressions need not ask for both."""
    return text[max(0, at - CONTEXT) : at].lower()


def is_free(text: str, at: int) -> bool:
    """Tell whether a number that begins here is whole."""
    return _FREE.match(text, at) is not None


def has_unit(text: str, end: int) -> bool:
    """Tell whether a unit follows."""
    return _UNIT.match(text, end) is not None


def is_other_number(earlier: str) -> bool:
    """Tell whether a number is that of an order, a ticket, a version, by what `before` gave."""
    return _OTHER_NUMBER.search(earlier) is not None


def is_no_other_number(text: str, at: int, end: int) -> bool:
    """Tell whether nothing around says that a number is no person's: of an order, to be reckoned with, of a program."""
    earlier = before(text, at)
    if is_other_number(earlier) or is_data(text, at):
        return False
    if _OF_A_PERSON.search(earlier):
        return True
    return not _ARITHMETIC.search(f"{earlier} {text[end : end + CONTEXT].lower()}")


def is_data(text: str, at: int) -> bool:
    """Tell whether a number is a value in JSON, in a list or in a call whose name says nothing of a person."""
    near = text[max(0, at - 2) : at]
    if not (_BEFORE_DATA.issuperset(near) or near[-1:] in _OPENS_DATA):
        return False
    earlier = text[max(0, at - 200) : at]
    opening = earlier.rstrip(_VALUES)
    if opening.endswith(":"):
        data = opening[:-1].rstrip()[-1:] in ("'", '"')
    elif opening.endswith("["):
        data = not (_LIST_OF_CHINESE.search(opening) or earlier.endswith(("'", '"')))
    else:
        data = _CALL.search(opening[-100:]) is not None
    return data and not _OF_A_PERSON.search(opening[-CONTEXT:].lower())


def is_no_row(text: str, at: int, end: int) -> bool:
    """Tell whether a number in groups is not a piece of a longer row of such groups."""
    if " " not in text[at:end]:
        return True
    ahead, behind = text[end : end + 2], text[max(0, at - 2) : at]
    return not (ahead[:1] == " " and ahead[1:].isdigit()) and not (behind[1:] == " " and behind[:1].isdigit())
