"""What makers of instruction rows and of documents share: rows that keep their distance, twins, copies."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence

from cleaning.sample_maker import numbers
from cleaning.sample_maker.banks import read_topics
from cleaning.sample_maker.carriers import CARRIERS
from cleaning.sample_maker.dirt import soil
from cleaning.sample_maker.pieces import Draft
from cleaning.sample_maker.resemblance import UNRELATED, Crowd, row_jaccard
from cleaning.sample_maker.twins import near_twin

Dice = random.Random
_TRIES = 400


class RowMaker:
    """Makes the rows of one language; no row comes near another unless it is meant to."""

    def __init__(self, lang: str, dice: Dice, crowd: Crowd) -> None:
        self.lang, self.dice, self.crowd = lang, dice, crowd
        self.topics = read_topics(lang)
        self.drafts: list[Draft] = []

    def take(self, draft: Draft) -> bool:
        """Take a row, unless it resembles one that is there already."""
        if self.crowd.nearest(draft.plain) > UNRELATED:
            return False
        self.take_kin(draft)
        return True

    def take_kin(self, draft: Draft) -> None:
        """Take a row whatever it resembles."""
        self.crowd.add(draft.plain)
        self.drafts.append(draft)

    def take_first(self, make: Callable[[], Draft]) -> Draft:
        """Take the first of many drafts that keeps its distance."""
        for _ in range(_TRIES):
            if self.take(draft := make()):
                return draft
        raise ValueError(f"every draft resembles another row, such as {draft.turns}")

    def near(self, first: Draft, size: int, name: str) -> None:
        """Take rows that are near duplicates of a row: each is an edit of the one before; some last ones are dirty."""
        group = [first]
        while len(group) < size:
            twin = near_twin(group[-1], self.dice)
            undone = any(row_jaccard(draft.turns, twin) == 1 for draft in group)  # an edit may undo the one before
            if not undone and self.crowd.nearest(twin, [first.plain]) <= UNRELATED:
                group.append(Draft(self.lang, twin))
        for draft in group[1:]:
            self.take_kin(draft)
        if self.dice.random() < 0.3:
            soil(group[-1], self.dice.choice(["invisible", "markup"]), [group[-1].turns[-1]], self.dice)
        self.group(group, name, "near")

    def copies(self, drafts: Sequence[Draft], exact: int, cleaned: int) -> None:
        """Add copies that are equal at once, some but for blanks, and copies that are equal when the dirt is gone."""
        clean = [draft for draft in drafts if not draft.dirt and not draft.survive and len(draft.turns[-1]) > 60]
        chosen = self.dice.sample(clean, cleaned)
        for number, draft in enumerate(chosen):
            twin = copy.deepcopy(draft)
            soil(twin, self.dice.choice(["invisible", "markup"]), [draft.turns[-1]], self.dice)
            self.drafts.append(twin)
            self.group([draft, twin], f"cleaned-{self.lang}-{number}", "cleaned")
        others = [draft for draft in drafts if not any(draft is other for other in chosen)]
        for number, draft in enumerate(self.dice.sample(others, exact)):
            twins = [copy.deepcopy(draft) for _ in range(2 if number % 6 == 0 else 1)]
            if number % 5 == 0:  # equal but for blanks
                twins[0].turns[0] += " "
                twins[0].dirt.append("blanks")
            self.drafts += twins
            self.group([draft, *twins], f"exact-{self.lang}-{number}", "exact")

    def group(self, members: Sequence[Draft], name: str, relation: str) -> None:
        """Say that one of these rows may stay; which one depends on places and settings."""
        for draft in members:
            draft.group, draft.relation, draft.status = name, relation, None

    def forms(self, each: int, but: Sequence[str] = ()) -> list[list[str]]:
        """Return forms of personal data by ones and twos, each form so many times."""
        forms = [form for form in numbers.FORMS if form not in but for _ in range(each)]
        self.dice.shuffle(forms)
        batches = []
        while forms:
            count = self.dice.choice([1, 1, 2])
            taken, forms = forms[:count], forms[count:]
            batches += [taken] if len({*taken}) == len(taken) else [[form] for form in taken]
        return batches

    def personal(self, draft: Draft, forms: Sequence[str], join: Callable[[list[str]], str]) -> Draft:
        """Put a sentence with personal data of each form behind the last turn; `plain` gets the placeholders."""
        values = [numbers.FORMS[form](self.dice) for form in forms]
        carriers = [self.dice.choice(CARRIERS[self.lang][form]) for form in forms]
        kinds = [numbers.KIND[form] for form in forms]
        hidden = [carrier.format(f"<{kind}>") for carrier, kind in zip(carriers, kinds, strict=True)]
        told = [carrier.format(value) for carrier, value in zip(carriers, values, strict=True)]
        draft.plain = [*draft.turns[:-1], join([draft.turns[-1], *hidden])]
        draft.turns[-1] = join([draft.turns[-1], *told])
        draft.dirt.append("pii")
        found = zip(kinds, forms, values, strict=True)
        draft.pii = [{"kind": kind, "form": form, "value": value} for kind, form, value in found]
        draft.vanish += [("pii", value) for value in values]
        return draft
