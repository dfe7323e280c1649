"""A policy applied to texts in columns: scan once, then let each rule see only what it may have to do with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from operator import eq
from typing import NamedTuple

import numpy as np
import polars as pl

from cleaning import characters as kinds
from cleaning.protect import cut, openings, spans
from cleaning.rules import Rule
from cleaning.rules.base import EditRule, Hit, MeasureRule, Segments
from cleaning.scan import AT, BITS, Scan, Scanner, Trigger
from cleaning.texts import Texts

# The scan's last bits tell what opens protected spans: of `protect.TICK` and so on, in their order.
_OPENINGS = (
    Trigger(characters=kinds.of("`")),
    Trigger(pairs=((kinds.of("~"), kinds.of("~")),)),
    Trigger(characters=kinds.of("|")),
    Trigger(characters=kinds.of("$")),
    Trigger(pairs=((kinds.of("\\"), kinds.of("[(b")),)),
    Trigger(pairs=((kinds.of(":"), kinds.of("/")), (kinds.of("w"), kinds.of(".w")))),
    Trigger(characters=kinds.DIGITS),
    Trigger(characters=kinds.of('"“「『')),
)
MOST_RULES = BITS - len(_OPENINGS)


class Edits(NamedTuple):
    """What each rule did to each text, as columns: the text's number in the batch, the rule, changes, before, after.

    Lists of plain values: a tuple for each edit would have the garbage collector walk all of them again and again.
    """

    text: list[int]
    rule: list[str]
    changes: list[int]
    before: list[str]
    after: list[str]


@dataclass(slots=True)
class Outcome:
    """What a policy did: edits in the order of rules, numbers and drops per measuring rule, hits, kinds counted."""

    edits: Edits = field(default_factory=lambda: Edits([], [], [], [], []))
    values: list[tuple[str, np.ndarray, np.ndarray]] = field(default_factory=list)
    hits: list[tuple[str, Hit]] = field(default_factory=list)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)


@lru_cache(maxsize=8)
def program(rules: tuple[Rule, ...]) -> Program:
    """Return a policy ready to run; made once per process."""
    return Program(rules)


class Program:
    """A policy and the tables of its triggers.

    Raises:
        ValueError: more than 50 rules have a trigger.

    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [(rule, rule.trigger) for rule in rules]
        self._triggers = [trigger for _, trigger in self._rules if trigger is not None]

    @cached_property
    def scanner(self) -> Scanner:
        """The scanner of all triggers and openings."""
        if len(self._triggers) > MOST_RULES:
            raise ValueError(f"{len(self._triggers)} rules with a trigger in a policy, at most {MOST_RULES}")
        spare = [Trigger()] * (MOST_RULES - len(self._triggers))
        return Scanner([*self._triggers, *spare, *_OPENINGS])

    def run(self, texts: Texts) -> Outcome:
        """Clean texts in place; their scan must be this program's."""
        outcome, bit = Outcome(), 0
        for rule, trigger in self._rules:
            if isinstance(rule, EditRule):
                self._edit(rule, bit, texts, outcome)
            elif isinstance(rule, MeasureRule):
                if trigger is not None:
                    texts.sought = (texts.scan.signs & np.uint64(1 << bit)) != 0
                measured = rule.measure(texts)
                outcome.values.append((rule.reason, measured.values, measured.drop))
                outcome.hits += [(rule.reason, hit) for hit in measured.hits]
            bit += trigger is not None
        return outcome

    def _edit(self, rule: EditRule, bit: int, texts: Texts, outcome: Outcome) -> None:
        """Edit the texts that have the rule's trigger; all others took the fast path of the scan.

        An edit that would change what is protected (two backticks meet where a character was dropped) is not made.
        """
        found = self._found(rule, bit, texts)
        if not found.size:
            return
        before = [texts.text[at] for at in found]
        draft = _draft(rule, before, texts, found)
        changed = [nth for nth, same in enumerate(map(eq, before, draft.texts)) if not same]
        if not changed:
            return
        again = self._scanned(rule, bit, [draft.texts[nth] for nth in changed], texts, found[changed])
        opened = _opened(_protected(rule), again.signs)
        intact = [
            not (seen or draft.kept[nth]) or _spans(draft.texts[nth], rule, seen) == draft.kept[nth]
            for nth, seen in zip(changed, opened.tolist(), strict=True)
        ]
        if not all(intact) and draft.kinds:  # what was not made is not counted
            spoilt = {nth for nth, well in zip(changed, intact, strict=True) if not well}
            rest = [nth for nth in range(len(before)) if nth not in spoilt]
            draft.kinds = _draft(rule, [before[nth] for nth in rest], texts, found[rest]).kinds
        outcome.kinds.update({(rule.reason, kind): count for kind, count in draft.kinds.items()})
        made = [nth for nth, well in zip(changed, intact, strict=True) if well]
        places = found[made]
        texts.scan.signs[places], texts.scan.counts[places] = again.signs[intact], again.counts[intact]
        edits, after = outcome.edits, [draft.texts[nth] for nth in made]
        edits.text.extend(places.tolist())
        edits.rule.extend([rule.reason] * len(made))
        edits.changes.extend([max(1, draft.counts[nth]) for nth in made])
        edits.before.extend([before[nth] for nth in made])
        edits.after.extend(after)
        for at, text in zip(edits.text[-len(made) :] if made else (), after, strict=True):
            texts.text[at] = text

    def _scanned(self, rule: EditRule, bit: int, after: list[str], texts: Texts, places: np.ndarray) -> Scan:
        """Return the scan of changed texts; where blanks went and no later rule asks for line ends, by arithmetic."""
        if not (rule.only_blanks and all(_ignores_line_ends(trigger) for trigger in self._triggers[bit + 1 :])):
            return self.scanner.scan(after)
        counts = texts.scan.counts[places]
        lengths = np.fromiter(map(len, after), np.int32, len(after))
        counts[:, AT["blanks"]] -= counts[:, AT["characters"]] - lengths
        counts[:, AT["characters"]] = lengths
        counts[:, AT["lines"]] = [text.count("\n") for text in after]
        return Scan(texts.scan.signs[places], counts)

    def _found(self, rule: EditRule, bit: int, texts: Texts) -> np.ndarray:
        """Return the numbers of the texts that a rule may change."""
        found = np.flatnonzero(texts.scan.signs & np.uint64(1 << bit))
        if found.size and (pattern := self._triggers[bit].pattern) is not None:
            asked = pl.Series([texts.text[at] for at in found], dtype=pl.String)
            found = found[asked.str.contains(pattern).to_numpy()]
        if found.size and (suspects := rule.suspects([texts.text[at] for at in found])) is not None:
            found = found[suspects]
        if found.size and rule.unless_row_has:
            found = found[~np.isin(texts.row[found], _rows_with(rule.unless_row_has, texts, texts.row[found]))]
        return found


def _ignores_line_ends(trigger: Trigger) -> bool:
    """Tell whether a trigger can be met by nothing that comes about where blanks at line ends and edges go."""
    seconds = frozenset().union(*(second for _, second in trigger.pairs), *(repeated for repeated, _ in trigger.runs))
    return not (trigger.opens or trigger.closes or ord("\n") in seconds)


def _rows_with(pattern: str, texts: Texts, rows: np.ndarray) -> np.ndarray:
    """Return those of some rows of which any text has a pattern."""
    asked = np.flatnonzero(np.isin(texts.row, rows))
    has = pl.Series([texts.text[at] for at in asked], dtype=pl.String).str.contains(pattern).to_numpy()
    return texts.row[asked[has]]


@dataclass(slots=True)
class _Draft:
    """What a rule would make of some texts, and their protected pieces."""

    texts: list[str]
    counts: list[int]
    kinds: Mapping[str, int]
    kept: list[list[str]]


def _draft(rule: EditRule, before: list[str], texts: Texts, found: np.ndarray) -> _Draft:
    """Edit what is free in some texts: all of a text in which nothing opens a protected span, else its pieces."""
    protected = _protected(rule)
    opened, rows = _opened(protected, texts.scan.signs[found]), texts.row[found]
    whole, parted = np.flatnonzero(opened == 0).tolist(), np.flatnonzero(opened).tolist()
    pieces = cut([before[nth] for nth in parted], protected, opened[parted].tolist())
    owners = np.array(whole + [nth for nth, own in zip(parted, pieces.kept, strict=True) for _ in range(len(own) + 1)])
    owners = owners.astype(np.int64)
    edges = [True] * len(whole)
    edited = rule.apply(
        Segments(
            [before[nth] for nth in whole] + pieces.free,
            edges + pieces.opens,
            edges + pieces.closes,
            rows[owners].tolist(),
            texts.fields,
            [texts.role[at] for at in found[owners]],
        )
    )
    after, counts = list(before), [0] * len(before)
    kept: list[list[str]] = [[]] * len(before)
    for nth, text, count in zip(whole, edited.texts, edited.counts, strict=False):
        after[nth], counts[nth] = text, count
    joined, sums = pieces.join(edited.texts[len(whole) :]), pieces.sums(edited.counts[len(whole) :])
    for nth, text, count, own in zip(parted, joined, sums, pieces.kept, strict=True):
        after[nth], counts[nth], kept[nth] = text, count, own
    return _Draft(after, counts, edited.kinds, kept)


def _protected(rule: EditRule) -> frozenset[str]:
    return rule.protected if rule.protect else frozenset()


def _spans(text: str, rule: EditRule, opened: int) -> list[str]:
    return [text[start:end] for start, end in spans(text, _protected(rule), opened)]


def _opened(protected: frozenset[str], signs: np.ndarray) -> np.ndarray:
    """Return, for each text, the openings of these kinds that the scan saw in it; 0 where none can have a span."""
    return (signs >> np.uint64(MOST_RULES)) & np.uint64(openings(protected))
