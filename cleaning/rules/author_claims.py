"""What sites and authors declare around a text: statements of interest, rights, bylines."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import HAN
from cleaning.lines import without_lines
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_NAME = r"[^\s。，,！？!?；;、]{1,16}"
_HEAD = r"^[ \t\u3000*>#（(【\[]*"
_END = r"[ \t\u3000*）)】\]]*(?:\n|\Z)"
# A statement by its name: `作者声明：…`, `创作立场声明：…`, and the sentence of a shopping site that has no colon.
_STATEMENT = re.compile(
    rf"{_HEAD}(?:作者声明|创作立场声明|创作声明|原创声明|版权声明|免责声明|利益声明|特别声明|郑重声明|声明)[ \t]*[:：]"
    rf"(?=[^\n]*(?:本文|本站|本号|作者|原创|版权|转载|利益|值友|侵权|观点|文章|图片))[^\n]{{0,300}}(?:\n|\Z)"
    r"|^[ \t\u3000]*作者声明本文[^\n]{0,80}(?:\n|\Z)",
    re.MULTILINE,
)
# Who may do what with it, in a line of its own.
_RIGHTS = re.compile(
    rf"{_HEAD}(?:本文|文章|内容|图片|以上(?:内容|图文)|部分图片|文中图片)?[^\n。]{{0,30}}"
    r"(?:版权归(?:原)?作者(?:所有)?|著作权归作者所有|未经(?:授权|许可|允许|作者同意)[^\n。]{0,12}(?:禁止|不得|谢绝|严禁)[^\n。]{0,8}转载|"
    r"转载请(?:务必)?(?:注明|联系|标明)|如有侵权[^\n。]{0,10}联系|侵权必究|侵删|来源(?:于)?网络)[^\n]{0,60}(?:\n|\Z)",
    re.MULTILINE,
)
# `作者：张三`, `文/李四`, `责任编辑：王五 赵六`, `来源：新华网`: names, no sentence. A source must be named like one.
_LABELS = (
    "(?:本文)?作者|原作者|撰文|撰稿|编辑|责任编辑|责编|值班编辑|美编|校对|监制|摄影|图片来源|供稿|排版|译者|通讯员"
)
_PRESS = "网|报|社|台|刊|号|频道|杂志|新闻|客户端|微博|论坛|在线|知乎|头条|百科|图库|博客|大学|中心|公众平台"
_COLON = r"[ \t]*[:：|丨][ \t]*"
_BYLINE = re.compile(
    rf"{_HEAD}(?:(?:{_LABELS}){_COLON}[^\s:：。，,！？!?；;、]{{1,20}}(?:[ \t\u3000、|/·]{{1,3}}{_NAME}){{0,4}}"
    rf"|(?:文章|稿件|信息)?来源{_COLON}[^\s。，,！？!?；;、]{{0,20}}(?:{_PRESS})(?:[ \t|·]{{1,3}}{_NAME}){{0,2}}"
    rf"|[文图][ \t]?[/|丨／][ \t]?{_NAME}(?:[ \t]{{1,3}}{_NAME}){{0,2}}){_END}",
    re.MULTILINE,
)
# One of these is in every such line.
_WORDS = (
    r"声明|版权归|著作权归|未经(?:授权|许可|允许|作者同意)|转载请|侵权必究|侵删|如有侵权|来源(?:于)?网络|"
    rf"(?:来源|{_LABELS}){_COLON}|[文图][ \t]?[/|丨／]"
)


class AuthorClaims(EditRule):
    """Removes such lines from documents; what an author tells of himself in the text (我是一名工程师…) stays."""

    rule: Literal["author_claims"] = "author_claims"
    bylines: bool = True
    """Remove lines that only name the author, editor or source."""

    @property
    def trigger(self) -> Trigger:
        """A word of such a line."""
        return Trigger(characters=HAN, pattern=_WORDS)

    def apply(self, segments: Segments) -> Edited:
        """Remove whole lines."""
        return without_lines(segments, _STATEMENT, _RIGHTS, *([_BYLINE] if self.bylines else []))
