"""Personal data becomes a typed placeholder; numbers that only look like it stay."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal, get_args

from cleaning.characters import DIGITS, LETTERS, of
from cleaning.personal.emails import is_for_documentation
from cleaning.personal.found import Found
from cleaning.personal.keys import NAMES
from cleaning.personal.kinds import WIDE_BEGINS, Kind, found_in
from cleaning.protect import CODE, MATHS
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_KINDS: tuple[Kind, ...] = get_args(Kind)
# A word before a name, the prefix of a key, a word before a key, digits as wide as a Chinese character.
_LITERALS = (
    "微信", "薇信", "威信", "v信", "加微", "加v", "加q", "公众号", "wechat", "weixin", "wxid_", "扣扣", "企鹅", "q群",
    "akia", "asia", "ltai", "github_", "glpat-", "aiza", "k_live_", "k_test_", *(f"xox{kind}-" for kind in "abeoprs"),
    *(f"gh{kind}_" for kind in "pousr"), "private key-----", *NAMES, *WIDE_BEGINS,
)  # fmt: skip


class PersonalData(EditRule):
    """Replaces personal data by `<email>`, `<cn_id>`, `<phone>` and so on, each kind by its name.

    Identity numbers, bank cards and social credit codes must have the right check digit; names and numbers of WeChat
    and QQ must follow a word that says so; addresses of machines must be public ones.
    """

    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS})

    rule: Literal["personal_data"] = "personal_data"
    kinds: tuple[Kind, ...] = _KINDS
    """What is replaced."""
    documentation: bool = False
    """Replace addresses at example.com, .test and the like too, which RFC 2606 keeps for documentation."""

    @property
    def trigger(self) -> Trigger:
        """An address, a number of seven digits, a word before a name, or the prefix of a key."""
        pairs = (
            (LETTERS | DIGITS | of("._-+%"), of("@")),
            (of("＠"), LETTERS | DIGITS),
            (of("qQ"), of("qQ")),
            (of("vVwW"), of("xX")),
            (of("k"), of("-")),
            (of("f"), of("_")),
            (of("y"), of("J")),
        )
        return Trigger(pairs=pairs, literals=_LITERALS, digits=7)

    def apply(self, segments: Segments) -> Edited:
        """Replace what is found; a placeholder makes no text need what it did not need before."""
        kinds: list[str] = []
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        for at, found in found_in(segments.texts):
            text, parts, end = texts[at], [], 0
            for one in found:
                if self._is_chosen(one, text):
                    parts.append(f"{text[end : one.start]}<{one.kind}>")
                    end = one.end
                    kinds.append(one.kind)
            if parts:
                texts[at], counts[at] = "".join([*parts, text[end:]]), len(parts)
        return Edited(texts, counts, Counter(kinds))

    def _is_chosen(self, found: Found, text: str) -> bool:
        if found.kind == "email" and not self.documentation and is_for_documentation(text[found.start : found.end]):
            return False
        return found.kind in self.kinds
