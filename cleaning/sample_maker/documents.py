"""The web-like documents of the sample: articles with advertisements, addresses, repetition and copies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from cleaning.sample_maker.banks import Topic, joined
from cleaning.sample_maker.dirt import soil
from cleaning.sample_maker.pieces import Draft
from cleaning.sample_maker.resemblance import UNRELATED, is_different
from cleaning.sample_maker.row_maker import RowMaker

_DIRT = ("markup", "comment", "invisible", "mojibake", "punctuation", "repetition", "blanks", "ads", "ads", "url")
_NEAR, _HALF, _EXACT, _CLEANED, _SHORT = 14, 8, 10, 4, 3
_VALUES_OF_FORM = 4
_CONTACTS = ("wechat_id", "qq")  # on pages, lines with these may go whole, so that no placeholder is left
_TRIES = 200


class Documents(RowMaker):
    """The documents of one language."""

    def rows(self) -> list[Draft]:
        """Return all documents, copies last."""
        for number, (topic, other) in enumerate(self._neighbours()):
            sentences = [*topic.facts, *other.facts]
            draft = Draft(self.lang, [joined(self.lang, sentences)])
            soil(draft, _DIRT[number % len(_DIRT)], sentences, self.dice)
            if not self.take(draft):
                raise ValueError(f"too near to another document: {draft.turns}")
        for forms in self.forms(_VALUES_OF_FORM, but=_CONTACTS):
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

    def _neighbours(self) -> Iterator[tuple[Topic, Topic]]:
        """Give pairs of topics, of which no two are the same; every topic is in four."""
        for distance in (1, 5):
            yield from zip(self.topics, [*self.topics[distance:], *self.topics[:distance]], strict=True)

    def _digest(self) -> Draft:
        """Return an article on three topics, a paragraph each."""
        chosen = self.dice.sample(self.topics, 3)
        return Draft(self.lang, ["\n".join(joined(self.lang, self.dice.sample(x.facts, 4)) for x in chosen)])

    def _clean(self) -> Draft:
        return self.take_first(self._digest)

    def _with_personal(self, forms: list[str]) -> Draft:
        draft = self._digest()
        draft.survive = [("text", paragraph) for paragraph in draft.turns[0].split("\n")]
        return self.personal(draft, forms, _within)

    def _half(self, family: str) -> None:
        """Two documents that share some paragraphs; both stay."""
        first = self._clean()
        for _ in range(_TRIES):
            *kept, _ = first.turns[0].split("\n")
            twin = Draft(self.lang, ["\n".join([*kept, self._digest().turns[0].split("\n")[0]])])
            apart = self.crowd.nearest(twin.plain, [first.plain]) <= UNRELATED
            if apart and is_different(self.lang, first.turns, twin.turns):
                break
        else:
            raise ValueError(f"no half twin of {first.turns}")
        first.family = twin.family = family
        self.take_kin(twin)


def _within(paragraphs: list[str]) -> str:
    """Return a text of several paragraphs with others after its first one: what stands at its ends may be cut off."""
    text, *others = paragraphs
    first, *rest = text.split("\n")
    return "\n".join([first, *others, *rest])
