"""Lines that ask a reader to get in touch: accounts, groups, hotlines."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import of
from cleaning.lines import without_lines
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

# An account as it was written, or what `personal_data` left of it.
_ID = r"(?:<(?:wechat_id|qq|phone)>|(?<![A-Za-z0-9])[A-Za-z_][\w-]{5,19}(?![\w-])|(?<!\d)\d{5,12}(?!\d))"
_NAMES = ("微信", "薇信", "威信", "V信", "WeChat", "Q群", "企鹅", "扣扣", "交流群")
_MEANS = ("热线", "电话", "专线", "手机", "邮箱", "联系方式")
# Each of these has a name of `_NAMES`, or QQ, wx, vx, pairs to the scan.
_NAME = (
    r"(?:微信公众号|官方微信|客服微信|小编微信|微信号?|薇信|威信|V信|WeChat|wx|vx|"
    r"QQ交流群|QQ群号?|QQ号?|Q群|企鹅号?|扣扣|交流群)"
)
_HOTLINE = (
    r"(?:咨询|订购|订票|加盟|招商|合作|商务|客服|报名|预约|服务|投稿|售后|团购|招生)"
    r"(?:热线|电话|微信|QQ|专线|手机|邮箱|联系方式)"
)
_FRONT = r"^[ \t\u3000*>•·●▶☎📞👉+【\[（(-]*"
_CALL = r"(?:添?加|请加|扫码加|搜索?|联系)[^\n。，,]{0,8}"
_LINE = re.compile(
    rf"{_FRONT}(?:{_NAME}[ \t]*(?:[:：]|[号是为]+[:：]?)[ \t]*{_ID}"
    rf"|{_CALL}{_NAME}[^\n。？?]{{0,12}}?{_ID}"
    rf"|{_HOTLINE}[ \t]*[:：][ \t]*(?:<(?:phone|wechat_id|qq|email)>|[\d()（）+ -]{{7,20}}|{_ID}))"
    r"[^\n？?]{0,60}(?:\n|\Z)",
    re.MULTILINE | re.IGNORECASE,
)


class ContactLines(EditRule):
    """Removes lines that begin with such a call and hold an account or a number; put it after `personal_data`.

    A question about an account, a form to fill in, and a sentence with an account in its middle stay.
    """

    rule: Literal["contact_lines"] = "contact_lines"

    @property
    def trigger(self) -> Trigger:
        """A name of such an account or a means, and a line that begins with a call."""
        return Trigger(
            literals=_NAMES + _MEANS,
            pairs=((of("Qq"), of("Qq")), (of("WwVv"), of("Xx"))),
            pattern=rf"(?im){_FRONT}(?:{_NAME}|{_CALL}{_NAME}|{_HOTLINE}[ \t]*[:：])",
        )

    def apply(self, segments: Segments) -> Edited:
        """Remove whole lines."""
        return without_lines(segments, _LINE)
