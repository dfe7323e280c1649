"""Rows with too many phrases of a blacklist."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from cleaning.blacklists import Entry, category_named, digest_of, lasting_name, read_lists
from cleaning.rules.base import Hit, Measured, MeasureRule

if TYPE_CHECKING:
    import numpy as np

    from cleaning.phrase_search import Found, PhraseSearch
    from cleaning.texts import Texts

HITS_PER_ROW = 20
"""As many are recorded of a dropped row: enough to see why."""
_ALLOWED = ""


class Blacklist(MeasureRule):
    """Drops a row whose answers or documents hold `reject_at` phrases of a list, or so many per 1,000 characters.

    Every occurrence counts, but one inside a longer hit of the same category, or inside an allowed phrase. Texts and
    phrases are compared without regard to case and width; traditional characters are those of the list. Phrases
    without a character of CJK count as whole words only. For other thresholds by category use the rule again under
    another `name`.
    """

    rule: Literal["blacklist"] = "blacklist"
    lists: tuple[str, ...] = Field(default=("zh", "en"), min_length=1)
    """Own lists by name, others by path: UTF-8, a line is `phrase=>category` or a phrase."""
    categories: tuple[str, ...] = ()
    """Categories that count; by default all of the lists. A list's name is the category of its bare phrases."""
    allow: tuple[str, ...] = ("allowed",)
    """Lists of harmless phrases: what stands inside one is no hit."""
    suspended: tuple[str, ...] = ()
    """Entries that do not count, for they proved imprecise: `phrase`, or `phrase=>category` as reviews name them."""
    shortest_cjk: int = Field(default=2, ge=1)
    """Shorter entries with a character of CJK are left out."""
    shortest_ascii: int = Field(default=3, ge=1)
    """Shorter entries without one are left out."""
    reject_at: float = Field(default=3, gt=0)
    """Rows with so many hits are dropped."""
    per_1000_characters: bool = False
    """Count hits per 1,000 characters of the row instead."""
    digest: str | None = None
    """Hash of the lists' contents, filled in when the policy is read: other contents are another policy."""

    @model_validator(mode="before")
    @classmethod
    def _find_lists(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        found = dict(given)
        for key in ("lists", "allow"):
            names = found.get(key)
            if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
                found[key] = tuple(map(lasting_name, names))
        return found

    @model_validator(mode="after")
    def _check_lists(self) -> Blacklist:
        known = {entry.category for entry in read_lists(self.lists)}
        read_lists(self.allow)
        for category in self.categories:
            if category_named(category) not in known:
                raise ValueError(f"no category {category!r} in {list(self.lists)}: {', '.join(sorted(known))}")
        digest = digest_of([*self.lists, *self.allow])
        if self.digest not in (None, digest):
            raise ValueError(f"the lists of {self.reason} changed since the run began: {list(self.lists)}")
        object.__setattr__(self, "digest", digest)
        self.__pydantic_fields_set__.add("digest")
        return self

    def measure(self, texts: Texts) -> Measured:
        """Return hits, or hits per 1,000 characters, of each row's answers or document."""
        import numpy as np

        entries, search = _compiled(self)
        own = np.flatnonzero(texts.spoken())
        found = _counted(search.find([texts.text[at] for at in own]), entries)
        per_text = np.zeros(len(texts.text))
        np.add.at(per_text, own[found.text], 1.0)
        values = texts.per_row(per_text)
        if self.per_1000_characters:
            length = texts.per_row(np.where(texts.spoken(), texts.count("characters"), 0))
            values = 1000 * values / np.maximum(length, 1)
        drop = values >= self.reject_at
        return Measured(values, drop, _hits(found, own, entries, texts.row, drop))


@lru_cache(maxsize=16)
def _compiled(rule: Blacklist) -> tuple[tuple[Entry, ...], PhraseSearch]:
    """Return the entries that count, the allowed phrases behind them, and the search for all."""
    from cleaning.phrase_search import PhraseSearch, folded, is_cjk

    chosen = {category_named(category) for category in rule.categories}
    suspended = {folded(entry.partition("=>")[0].strip()) for entry in rule.suspended}
    entries: dict[Entry, Entry] = {}
    for entry in read_lists(rule.lists):
        compared = folded(entry.phrase)
        shortest = rule.shortest_cjk if is_cjk(compared) else rule.shortest_ascii
        if len(compared) >= shortest and compared not in suspended and (not chosen or entry.category in chosen):
            entries.setdefault(Entry(compared, entry.category), entry)
    allowed = [Entry(entry.phrase, _ALLOWED) for entry in read_lists(rule.allow)]
    together = (*entries.values(), *allowed)
    return together, PhraseSearch([entry.phrase for entry in together])


def _counted(found: Found, entries: tuple[Entry, ...]) -> Found:
    """Return the hits that count: in no allowed phrase, and in no longer hit of their category."""
    import numpy as np

    names = sorted({entry.category for entry in entries})
    category = np.array([names.index(entry.category) for entry in entries], np.int32)[found.phrase]
    allowed = names.index(_ALLOWED) if _ALLOWED in names else -1
    # Places in all texts laid end to end, so that what covers ends before the next text begins.
    base = found.text.astype(np.int64) << 32
    start, end = base + found.start, base + found.end
    order = np.lexsort((-end, start))
    keep = np.ones(len(order), bool)
    for kind in range(len(names)):
        own = order[category[order] == kind]
        inner = own[1:][np.maximum.accumulate(end[own])[:-1] >= end[own][1:]]
        keep[inner] = False
    if allowed >= 0:
        cover = np.maximum.accumulate(np.where(category[order] == allowed, end[order], 0))
        at = np.searchsorted(start[order], start, side="right") - 1
        keep &= cover[at] < end
    kept = np.flatnonzero(keep)
    kept = kept[np.argsort(start[kept], kind="stable")]
    return type(found)(*(column[kept] for column in found))


def _hits(found: Found, own: np.ndarray, entries: tuple[Entry, ...], row: np.ndarray, drop: np.ndarray) -> list[Hit]:
    """Return where the first hits of dropped rows are."""
    hits: list[Hit] = []
    seen: dict[int, int] = {}
    texts = own[found.text]
    for at in drop[row[texts]].nonzero()[0].tolist():
        text, entry = int(texts[at]), entries[found.phrase[at]]
        seen[int(row[text])] = seen.get(int(row[text]), 0) + 1
        if seen[int(row[text])] <= HITS_PER_ROW:
            hits.append(Hit(text, int(found.start[at]), int(found.end[at]), f"{entry.phrase}=>{entry.category}"))
    return hits
