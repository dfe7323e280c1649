"""The same words again and again in a text: `好的知道了好的知道了好的知道了` → `好的知道了`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

if TYPE_CHECKING:
    import numpy as np

_EVERYTHING = frozenset(range(256))


class Repetition(EditRule):
    r"""Keeps one of the copies of a piece of text that follow each other; no copy has a digit.

    With `copies: 2, characters: 6, letters: false` one pass is `re.sub(r"(\D{3,64}?)\1+", r"\1", text)`, the rule of
    github.com/xubuvd/LLMs, in near-linear time; passes are repeated until nothing changes. The defaults leave alone
    what people repeat (very very good, refrains, 哈哈哈哈, ruled lines); for web text, not for instructions.
    """

    rule: Literal["repetition"] = "repetition"
    longest: int = Field(default=64, ge=3, le=256)
    """Characters of the longest piece that is looked for; the shortest has three."""
    copies: int = Field(default=3, ge=2)
    """So many copies in a row are a repetition."""
    characters: int = Field(default=20, ge=6)
    """So many characters all copies must have together."""
    letters: bool = True
    """Only pieces with a letter: lines drawn with marks and blanks are none."""

    @property
    def trigger(self) -> Trigger:
        """Any text: what repeats is found by the rule's own pass over the column."""
        return Trigger(characters=_EVERYTHING)

    def suspects(self, texts: list[str]) -> np.ndarray:
        """Tell which texts go on alike for long enough, protected spans and all."""
        from cleaning.repeats import suspects

        return suspects(texts, self.longest, self.copies, self.characters)

    def apply(self, segments: Segments) -> Edited:
        """Remove the copies; what comes together then may repeat again."""
        from cleaning.repeats import collapse

        texts, counts = list(segments.texts), [0] * len(segments.texts)
        asked = list(range(len(texts)))
        while asked:
            found = collapse([texts[at] for at in asked], self.longest, self.copies, self.characters, self.letters)
            asked = [asked[nth] for nth in found]
            for at, (text, count) in zip(asked, found.values(), strict=True):
                texts[at], counts[at] = text, counts[at] + count
        return Edited(texts, counts)
