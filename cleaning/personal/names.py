"""Names and numbers of WeChat and QQ: they look like any word or number, so a word before them must say so."""

from __future__ import annotations

import re

from cleaning.personal.found import Found

# A name that could be a word of the sentence needs a sign before it and an end after it, one without a sign or in
# brackets a digit or a line; only `wxid_…` speaks for itself.
_BRACKET = r"[（(「『【\[《“\"]"
_WECHAT = re.compile(
    r"[微薇威公加添VvWw](?=[信众微加eixEIXvV])(?:(?P<word>(?i:"
    r"(?:(?<=微)信(?:号码|号|ID|账号|公众号)|(?<=[薇威v])信(?:号码|号)|(?<=公)众号ID"
    r"|(?-i:(?<=W)(?:eChat|ECHAT)) ?(?:ID|number|account))(?: ?[:：=] ?| ?[是为][:：]? ?| is:? )"
    r"|(?:(?<=[微薇威v])信|(?<=加)微|(?<=w)(?:eChat|eixin)|(?<=[wv])(?<![a-z].)x|(?<=加v)) ?[:：] ?(?P<may_go_on>)"
    r"|(?P<unsigned>(?<=微)信(?:(?:号码|号|ID|账号) ?|(?:客服|联系方式)?[是为] ?)|(?<=[薇威v])信(?:号码|号)? ?"
    r"|(?-i:(?<=W)(?:eChat|ECHAT)) ?ID |(?-i:(?<=W)(?:eChat|ECHAT))(?: (?:ID|number|account))?[^.,;:!?\n]{0,40}? is "
    r"|(?:(?<=加)|(?<=添)加)(?:我的?)?(?:微信|薇信|威信|V信|vx|wx) ?"
    rf"|(?:(?<=[微薇威v])信|(?<=W)eChat)(?:号码|号|ID|账号)? ?[:：]? ?{_BRACKET} ?)))"
    r"(?P<value>[A-Za-z_][A-Za-z0-9_-]{5,19}|(?<=[:：])\d{6,10}|(?<=[:：] )\d{6,10})"
    r"|(?<=[Ww])(?i:xid_(?=[a-z0-9]{8,20}(?![a-z0-9]))[a-z0-9_-]{1,15}))(?![\w=@-]|\.\w|:/)",
    re.ASCII,
)
_SENTENCE_GOES_ON = re.compile(r" ?[A-Za-z'(/]")
_PRODUCT = re.compile(r"wechat|weixin|android|iphone|ipad|windows|version|https?", re.IGNORECASE)
_QQ = re.compile(
    r"[Qq扣企加](?=[Qq群扣鹅])(?i:(?<=q)(?:q(?:(?<![a-z]..) ?(?:交流群|群号码|群号|群|号码|号|账号)?"
    r"|(?<!\w..) ?(?:number|id|group))|群)|(?<=扣)扣|(?<=企)鹅号|(?<=加)q) ?"
    rf"(?:[是为]?[:：=#] ?|[是为] ?|is:? |{_BRACKET} ?)?"
    r"(?P<value>[1-9]\d{4,10})(?![\w@%]|[.,]\d|-\d)",
    re.ASCII,
)
QQ_NEEDS = ("扣扣|企鹅号|加q|加Q|Q群|q群", "[qQ]{2}")
WECHAT_NEEDS = ("微信|薇信|威信|公众号|V信|v信|加微|加v|加V", "[vVwW][xX]", "(?i)we(?:chat|ixin)")


def _is_wechat_id(match: re.Match[str]) -> bool:
    value = match["value"]
    if value is None or any(character in "0123456789_" for character in value):
        return value is None or match["unsigned"] is None or not _PRODUCT.match(value)
    if match["unsigned"] is not None:
        return False
    return match["may_go_on"] is None or not _SENTENCE_GOES_ON.match(match.string, match.end())


def find_qq(text: str) -> list[Found]:
    """Return where numbers of QQ are."""
    return [Found(*match.span("value"), "qq") for match in _QQ.finditer(text)]


def find_wechat(text: str) -> list[Found]:
    """Return where names of WeChat are."""
    return [
        Found(match.start("value") if match["word"] is not None else match.start(), match.end(), "wechat_id")
        for match in _WECHAT.finditer(text)
        if _is_wechat_id(match)
    ]
