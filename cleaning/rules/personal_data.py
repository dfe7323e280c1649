"""Personal data becomes a typed placeholder; numbers that only look like it stay."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal, get_args

from cleaning.characters import DIGITS, LETTERS, of
from cleaning.personal.kinds import DOCUMENTATION, FORMS, Form, Kind, Match
from cleaning.protect import CODE, MATHS
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

_KINDS: tuple[Kind, ...] = get_args(Kind)
# Looser than what the kinds need together, and a third of its cost: each kind is asked for what it needs after that.
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

    def _forms(self) -> list[tuple[Kind, Form]]:
        return [(kind, form) for kind, form in FORMS.items() if kind in self.kinds]

    def apply(self, segments: Segments) -> Edited:
        """Replace each kind, in the order of `FORMS`: a placeholder makes no text need what it did not need before."""
        import polars as pl

        kinds: Counter[str] = Counter()
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        column = pl.Series(texts, dtype=pl.String)
        for kind, form in self._forms():
            for at in column.str.contains(form.needs).arg_true().to_list():
                texts[at], count = self._replaced(texts[at], kind, form)
                counts[at] += count
                kinds[kind] += count
        return Edited(texts, counts, +kinds)

    def _replaced(self, text: str, kind: Kind, form: Form) -> tuple[str, int]:
        count = 0

        def replacement(match: Match) -> str:
            nonlocal count
            found = match.group()
            if not form.is_meant(match) or (not self.documentation and DOCUMENTATION.search(found)):
                return found
            count += 1
            return f"{found[: form.start(match)]}<{kind}>"

        return form.pattern.sub(replacement, text), count
