"""The instruction rows of the sample: questions and answers with dirt, copies, and what must stay."""

from __future__ import annotations

from functools import partial

from cleaning.sample_maker import numbers
from cleaning.sample_maker.banks import Topic, joined, read_solid
from cleaning.sample_maker.carriers import LOOK_ALIKES, NOTICES, PASSAGES, SAME_ANSWER
from cleaning.sample_maker.dirt import soil
from cleaning.sample_maker.pieces import Draft
from cleaning.sample_maker.resemblance import UNRELATED
from cleaning.sample_maker.row_maker import RowMaker
from cleaning.sample_maker.twins import about_both, half_twin

_DIRT = ("markup", "invisible", "mojibake", "punctuation", "blanks")
_NEAR, _THREES, _HALF, _PASSAGES, _EXACT, _CLEANED, _EMPTY = 34, 6, 16, 8, 30, 10, 6
_VALUES_OF_FORM = 14


class Instructions(RowMaker):
    """The instruction rows of one language."""

    def rows(self) -> list[Draft]:
        """Return all rows, copies last."""
        self._solid()
        self._about_topics()
        for forms in self.forms(_VALUES_OF_FORM):
            self.take_first(partial(self._notice, forms))
        for sentence in LOOK_ALIKES[self.lang]:
            self.take_first(partial(self._look_alike, sentence))
        singles = [draft for draft in self.drafts if draft.status == "kept" and len(draft.turns) == 2]
        for number in range(_NEAR):
            self.near(self._long()[0], 3 if number < _THREES else 2, f"near-{self.lang}-{number}")
        for number in range(_HALF):
            self._half(f"half-{self.lang}-{number}")
        for number in range(_PASSAGES):
            self._passage(f"answers-{self.lang}-{number}")
        self.copies(singles, _EXACT, _CLEANED)
        return self.drafts

    def _must(self, draft: Draft) -> None:
        if not self.take(draft):
            raise ValueError(f"too near to another row: {draft.turns}")

    def _solid(self) -> None:
        """Rows that must survive as they are, equal answers to different questions, empty answers."""
        for kind, question, answer in read_solid(self.lang):
            self._must(Draft(self.lang, [question, answer], survive=[(kind, answer)]))
        for question, answer in SAME_ANSWER[self.lang]:
            self._must(Draft(self.lang, [question, answer]))
        for topic in self.dice.sample(self.topics, _EMPTY):
            question = f"{topic.title}是什么？" if self.lang == "zh" else f"What about {topic.title}?"
            turns = [question, self.dice.choice(["", " ", "\n"])]
            self._must(Draft(self.lang, turns, status="dropped", reasons=["minimum_length"], dirt=["empty"]))

    def _about_topics(self) -> None:
        """Two rows per topic; every fourth topic has two answers to one question, and both stay."""
        for number, topic in enumerate(self.topics):
            facts = self.dice.sample(topic.facts, 6)
            first, second, third = self.dice.sample(topic.questions, 3)
            rows = [self._about(first, third, facts[:3])]
            rows.append(self._about(first if number % 4 == 0 else second, third, facts[3:]))
            for draft in rows:
                draft.family = f"prompt-{self.lang}-{number}" if number % 4 == 0 else None
                self._must(draft)

    def _about(self, question: str, further: str, facts: list[str]) -> Draft:
        """Return an answer of three facts: dirty, clean, or as a conversation of two turns."""
        draft = Draft(self.lang, [question, joined(self.lang, facts)])
        roll = self.dice.random()
        if roll < 0.6:
            return soil(draft, self.dice.choice(_DIRT), facts, self.dice)
        if roll < 0.75:
            return Draft(self.lang, [question, joined(self.lang, facts[:2]), further, facts[2]])
        return draft

    def _notice(self, forms: list[str]) -> Draft:
        """Return a notice about a topic with a piece of personal data of each form."""
        draft, facts = self._announcement([])
        draft.survive = [("text", fact) for fact in facts]
        return self.personal(draft, forms, partial(joined, self.lang))

    def _look_alike(self, sentence: str) -> Draft:
        """Return a notice with a number or sign that is no personal data."""
        dice = self.dice
        told = sentence.format(id=numbers.wrong_id(dice), card=numbers.wrong_card(dice), code=numbers.wrong_code(dice))
        draft, _ = self._announcement([told])
        draft.survive = [("look_alike", told)]
        return draft

    def _announcement(self, sentences: list[str]) -> tuple[Draft, list[str]]:
        topic = self.dice.choice(self.topics)
        facts = self.dice.sample(topic.facts, 2)
        question = self.dice.choice(NOTICES[self.lang]).format(topic.title)
        return Draft(self.lang, [question, joined(self.lang, [*facts, *sentences])]), facts

    def _long(self) -> tuple[Draft, list[str], tuple[Topic, Topic]]:
        """Take a long row about two topics."""
        found: list[tuple[list[str], tuple[Topic, Topic]]] = []

        def make() -> Draft:
            one, other = self.dice.sample(self.topics, 2)
            turns, facts = about_both(self.lang, one, other, self.dice)
            found.append((facts, (one, other)))
            return Draft(self.lang, turns)

        return self.take_first(make), *found[-1]

    def _half(self, family: str) -> None:
        """Two rows that share half of their sentences; both stay."""
        draft, facts, topics = self._long()
        twin = Draft(self.lang, half_twin(draft, facts, topics, self.dice))
        while self.crowd.nearest(twin.plain, [draft.plain]) > UNRELATED:
            twin = Draft(self.lang, half_twin(draft, facts, topics, self.dice))
        draft.family = twin.family = family
        self.take_kin(twin)

    def _passage(self, family: str) -> None:
        """Take a long prompt with two different answers: as a whole they are alike, and yet both stay."""

        def make() -> Draft:
            one, other = self.dice.sample(self.topics, 2)
            _, facts = about_both(self.lang, one, other, self.dice)
            prompt = f"{self.dice.choice(PASSAGES[self.lang])}\n{joined(self.lang, facts)}"
            return Draft(self.lang, [prompt, facts[0]], survive=[("text", facts[0])])

        first = self.take_first(make)
        facts = [fact for topic in self.topics for fact in topic.facts if fact in first.turns[0]]
        answer = self.dice.choice([fact for fact in facts if fact != first.turns[1]])
        second = Draft(self.lang, [first.turns[0], answer], survive=[("text", answer)])
        first.family = second.family = family
        self.take_kin(second)
