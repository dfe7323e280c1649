"""Personal data becomes a typed placeholder; numbers that only look like it stay."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal, get_args

from cleaning.characters import DIGITS, LETTERS, of
from cleaning.personal.kinds import DOCUMENTATION, FORMS, SEVEN_DIGITS, Form, Kind, Match
from cleaning.protect import CODE, MATHS
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.scan import Trigger

_KINDS: tuple[Kind, ...] = get_args(Kind)
_PATTERN = (
    r"@[A-Za-z0-9]|[0-9](?:[ ()（）.-]{0,2}[0-9]){6}|[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|"
    r"(?i:qq|[vw]x)|扣扣|企鹅|Q[群0-9]|(?i:微信|薇信|威信|v信|加微|加v ?[:：]|wechat|weixin)|公众号|wxid_|"
    r"sk-|A[KS]IA|gh[pousr]_|github_|glpat-|hf_|AIza|xox[a-z]-|k_live_|k_test_|eyJ"
)
_LITERALS = (
    "微信", "薇信", "威信", "v信", "加微", "加v", "公众号", "wechat", "weixin", "wxid_", "扣扣", "企鹅", "q群",
    "akia", "asia", "github_", "glpat-", "aiza", "k_live_", "k_test_", *(f"xox{kind}-" for kind in "abeoprs"),
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
        """An address, a number of seven digits, dotted digits, a word before a name, or the prefix of a key."""
        pairs = (
            (LETTERS | DIGITS | of("._-+%"), of("@")),
            (of("."), DIGITS),
            (of(")）"), DIGITS),
            (DIGITS, of("(（")),
            (of("qQ"), of("qQ") | DIGITS),
            (of("vVwW"), of("xX")),
            (of("k"), of("-")),
            (of("pousrf"), of("_")),
            (of("y"), of("J")),
        )
        return Trigger(pairs=pairs, literals=_LITERALS, digits=7, pattern=_PATTERN)

    def apply(self, segments: Segments) -> Edited:
        """Replace each kind, in the order of `FORMS`."""
        kinds: Counter[str] = Counter()
        texts, counts = [], []
        forms = [(kind, form) for kind, form in FORMS.items() if kind in self.kinds]
        for text in segments.texts:
            before = kinds.total()
            numbers = SEVEN_DIGITS.search(text) is not None
            for kind, form in forms:
                if isinstance(form.needs, tuple):
                    sought = any(map(text.__contains__, form.needs))
                else:
                    sought = numbers and form.needs.search(text) is not None
                if sought:
                    text = self._replaced(text, kind, form, kinds)
            texts.append(text)
            counts.append(kinds.total() - before)
        return Edited(texts, counts, kinds)

    def _replaced(self, text: str, kind: Kind, form: Form, kinds: Counter[str]) -> str:
        def replacement(match: Match) -> str:
            if not form.is_meant(match) or (not self.documentation and DOCUMENTATION.search(match.group())):
                return match.group()
            kinds[kind] += 1
            start, end = match.start(form.value) - match.start(), match.end(form.value) - match.start()
            return f"{match.group()[:start]}<{kind}>{match.group()[end:]}"

        return form.pattern.sub(replacement, text)
