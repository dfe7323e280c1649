"""The list of references at the end of an article."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from cleaning.characters import COMPATIBILITY, of
from cleaning.lines import without_lines
from cleaning.protect import CODE, MATHS, TABLE
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_NAMES = "参考文献|参考资料|参考书目|引用文献|主要参考文献|References|Bibliography|Works Cited|Literature Cited"
_MARKS = (
    r"[ \t\u3000]*(?:#{1,6}[ \t]*|\*\*|【|\[|<|〔"
    r"|[一二三四五六七八九十]{1,3}[、.．]|\d{1,2}(?:\.\d{1,2}){0,2}[、.．]?[ \t]+)?"
)
_CLOSE = r"[ \t]*(?:\*\*|】|\]|>|〕)?[ \t]*[:：]?[ \t]*(?:\*\*)?"
_HEADING = rf"^{_MARKS}(?:{_NAMES}){_CLOSE}[ \t]*"
_FIRST = r"(?:\[1\]|［1］|1[.、）)]|[（(]1[)）]|①)"
# What ends the section: another heading, or the parts that stand behind references.
_NEXT = (
    r"[ \t]*#{1,6}[ \t]+\S|[ \t]*\*\*[^*\n]{1,40}\*\*[ \t]*[:：]?[ \t]*$|[ \t]*【[^】\n]{1,30}】[ \t]*$"
    r"|[ \t]*第[一二三四五六七八九十百0-9]{1,4}[章节篇部]|[ \t]*[一二三四五六七八九十]{1,3}、[^\n]{1,30}$"
    r"|[ \t]*(?:附录|致谢|后记|作者简介|注释|Appendix|Acknowledge?ments?|Notes|About the Authors?)"
    r"(?:[ \t:：A-Z0-9一二三]|$)"
)
# A reference: a number, or a year, a title in brackets, an address, a type of publication. A plain sentence is none,
# and neither is a bullet, but below the first reference.
_ENTRY = (
    r"[ \t]*(?:\[|［|【)?\d{1,3}(?:\]|］|】|[.、．）)])|[ \t]*[（(]\d{1,3}[)）]|[ \t]*[①-⑳]"
    r"|[^\n]{0,300}?(?:https?://|www\.|doi|DOI|ISBN|\[[JMDCNPSRAZ](?:/OL)?\]|et al\.|[(（](?:19|20)\d\d[a-z]?[)）]"
    r"|pp?\. ?\d|[\s,，.](?:19|20)\d\d(?:[,，] ?\d|\(\d|[a-z]?\. ?$))"
    r"|[^\n。]{0,120}(?:《[^\n》]{1,80}》|出版社|学报)[^\n。]{0,80}$"
)
_REST = r"[^\n]*+(?:\n|\Z)"
_SECTION = re.compile(
    rf"{_HEADING}(?:\n(?:[ \t]*\n)*+(?!{_NEXT})(?:{_ENTRY}){_REST}|(?={_FIRST}){_REST})"
    rf"(?:(?!{_NEXT})(?:[ \t]*\n|(?:{_ENTRY}|[ \t]*[-*•·^][ \t]){_REST}))*+",
    re.MULTILINE,
)


class ReferenceSection(EditRule):
    """Removes a heading 参考文献 or References with the entries below it, to the next heading or plain paragraph.

    A heading with no entry below it stays: it is a line of an outline. Addresses in entries go with them.
    """

    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS, TABLE})

    rule: Literal["reference_section"] = "reference_section"

    @property
    def trigger(self) -> Trigger:
        """The heading."""
        return Trigger(characters=of("\n") | COMPATIBILITY, digits=1, pattern=_NAMES)

    def apply(self, segments: Segments) -> Edited:
        """Remove the sections."""
        return without_lines(segments, _SECTION)
