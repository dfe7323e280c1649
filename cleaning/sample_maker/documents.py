"""The web-like documents of the sample: articles with advertisements, addresses, repetition and copies."""

from __future__ import annotations

from functools import partial

from cleaning.sample_maker.banks import joined
from cleaning.sample_maker.dirt import soil
from cleaning.sample_maker.pieces import Draft
from cleaning.sample_maker.resemblance import is_different
from cleaning.sample_maker.row_maker import RowMaker

_DIRT = ("markup", "invisible", "mojibake", "punctuation", "repetition", "blanks", "ads", "ads", "url")
_NEAR, _HALF, _EXACT, _CLEANED, _SHORT = 14, 8, 10, 4, 3
_VALUES_OF_FORM = 4
_SENTENCES = 9
_TRIES = 200


class Documents(RowMaker):
    """The documents of one language."""

    def rows(self) -> list[Draft]:
        """Return all documents, copies last."""
        for topic, other in zip(self.topics, [*self.topics[1:], self.topics[0]], strict=True):
            sentences = [*topic.facts, *self.dice.sample(other.facts, _SENTENCES - len(topic.facts))]
            draft = Draft(self.lang, [joined(self.lang, sentences)])
            self.take(soil(draft, self.dice.choice(_DIRT), sentences, self.dice))
        for forms in self.forms(_VALUES_OF_FORM):
            self.take_first(partial(self._with_personal, forms))
        singles = [self._clean() for _ in range(_EXACT + _CLEANED)]
        for number in range(_NEAR):
            self.near(self._clean(), 3 if number < 2 else 2, f"near-{self.lang}-{number}")
        for number in range(_HALF):
            self._half(f"half-{self.lang}-{number}")
        for topic in self.dice.sample(self.topics, _SHORT):
            short = Draft(self.lang, [topic.title], status="dropped", reasons=["minimum_length"], dirt=["short"])
            self.take_kin(short)
        self.copies(singles, _EXACT, _CLEANED)
        return self.drafts

    def _digest(self) -> Draft:
        """Return an article on three topics, a paragraph each."""
        chosen = self.dice.sample(self.topics, 3)
        return Draft(self.lang, ["\n".join(joined(self.lang, self.dice.sample(x.facts, 3)) for x in chosen)])

    def _clean(self) -> Draft:
        return self.take_first(self._digest)

    def _with_personal(self, forms: list[str]) -> Draft:
        draft = self._digest()
        draft.survive = [("text", paragraph) for paragraph in draft.turns[0].split("\n")]
        return self.personal(draft, forms, "\n".join)

    def _half(self, family: str) -> None:
        """Two documents that share some paragraphs; both stay."""
        first = self._clean()
        for _ in range(_TRIES):
            *kept, _ = first.turns[0].split("\n")
            twin = Draft(self.lang, ["\n".join([*kept, self._digest().turns[0].split("\n")[0]])])
            if is_different(self.lang, first.turns, twin.turns):
                break
        else:
            raise ValueError(f"no half twin of {first.turns}")
        first.family = twin.family = family
        self.take_kin(twin)
