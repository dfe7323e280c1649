"""Advertising sentences at the head and the tail of a page."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from cleaning.blacklists import digest_of, lasting_name, read_lists
from cleaning.characters import CJK, LETTERS
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

if TYPE_CHECKING:
    from cleaning.phrase_search import PhraseSearch

# A full stop ends a sentence before a blank; one of an abbreviation too, which cuts less.
_SENTENCE = re.compile(r"(?:[^。！？!?；;….\n]++|\.(?![ \n]|\Z))*+(?:[。！？!?；;….]++[”’」』）)\"]*+ *+\n*+|\n++|\Z)")
# What English phrases may follow in their sentence: its head, a comma or the bars and dashes of a menu, and the words
# with which one is asked to do something.
_ASKED = (
    r"please|just|then|and|or|so|also|now|by|do(?:n['’]t| not) forget to|be sure to|make sure to|remember to|"
    r"feel free to|you can(?: also)?"
)
_LEAD = re.compile(
    rf"(?:^|[,;:|·•>»/–—©®-])[ \t\"'“‘(\[*#>|·•»–—-]*+(?:(?:{_ASKED})[ ,]++){{0,3}}+\Z",
    re.IGNORECASE,
)
# Its writer speaks to a reader.
_TO_READER = re.compile(r"(?<![a-z])(?:us|our|me|my|your)(?![a-z])", re.IGNORECASE)
# After a phrase: what makes of it the subject of a sentence.
_VERBS = "is|are|was|were|has|have|had|can|could|may|might|will|would|should|must|does|do|did|means?|in|of"
_VERB = re.compile(rf"[ ,]++(?:{_VERBS})(?![a-z])", re.IGNORECASE)
_NOT_LATIN = re.compile("[^\x00-\u024f\u2000-\u206f]")
_MOST_IN_PATTERN = 1500
"""The engine limits the size of an expression; longer lists are searched for in every text."""
_SHORT = 60
"""What may stand in a line before a phrase that ends it: a name, a year."""
LONGEST = 200
"""A longer sentence is the text itself, whatever phrase is in it: it ends the walk."""


class EdgeAds(EditRule):
    """Walks sentences from each end and cuts through the last that holds a phrase; `stop_after` clean ones end it.

    For documents: a text may become empty. Sentences with code, a formula, a table or an address are not cut. An
    English phrase counts where its sentence begins with it or speaks to the reader: `All rights reserved.`, not `He
    had all rights reserved by law.`
    """

    rule: Literal["edge_ads"] = "edge_ads"
    phrases: tuple[str, ...] = Field(default=("edge_wechat",), min_length=1)
    """Lists of phrases: own ones by name (edge_wechat, edge_en, edge_ebook, edge_law), others by path."""
    stop_after: int = Field(default=3, ge=1, le=5)
    """So many sentences without a phrase end the walk."""
    ends: Literal["both", "head", "tail"] = "both"
    """Where it walks."""
    digest: str | None = None
    """Hash of the lists' contents, filled in when the policy is read: other contents are another policy."""

    @model_validator(mode="before")
    @classmethod
    def _find_lists(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("phrases"), list | tuple):
            return {**given, "phrases": tuple(map(lasting_name, given["phrases"]))}
        return given

    @model_validator(mode="after")
    def _note_lists(self) -> EdgeAds:
        if not read_lists(self.phrases):
            raise ValueError(f"no phrase in {list(self.phrases)}")
        digest = digest_of(self.phrases)
        if self.digest not in (None, digest):
            raise ValueError(f"the lists of {self.reason} changed since the run began: {list(self.phrases)}")
        object.__setattr__(self, "digest", digest)
        self.__pydantic_fields_set__.add("digest")
        return self

    @property
    def trigger(self) -> Trigger:
        """Any text in words with a phrase, in whatever width; the search then knows where."""
        from cleaning.phrase_search import loose_pattern

        phrases = [entry.phrase for entry in read_lists(self.phrases)]
        pattern = loose_pattern(phrases) if len(phrases) <= _MOST_IN_PATTERN else None
        return Trigger(characters=CJK | LETTERS, pattern=pattern)

    def apply(self, segments: Segments) -> Edited:
        """Cut the first segment of a text from its head and the last from its tail."""
        found = _search(self.phrases, self.digest or "").find(segments.texts)
        ads: dict[int, list[int]] = {}
        for at, start, end in zip(found.text.tolist(), found.start.tolist(), found.end.tolist(), strict=True):
            if _is_call(segments.texts[at], start, end):
                ads.setdefault(at, []).append(start)
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        for at, starts in ads.items():
            texts[at], counts[at] = self._cut(texts[at], starts, segments.opens[at], segments.closes[at])
        return Edited(texts, counts)

    def _cut(self, text: str, starts: Sequence[int], opens: bool, closes: bool) -> tuple[str, int]:
        """Return a segment without the advertising at its ends, and how many sentences went."""
        sentences = [match.span() for match in _SENTENCE.finditer(text) if match.group()]
        is_ad = [bisect_left(starts, start) < bisect_left(starts, end) for start, end in sentences]
        # A sentence that runs on into something protected is not whole, and is not cut.
        first, last = 0 if opens else 1, len(sentences) if closes else len(sentences) - 1
        head = self._walk(sentences[first:last], is_ad[first:last]) if opens and self.ends != "tail" else 0
        head = head if _is_closed(text[: sentences[head - 1][1]] if head else "") else 0
        rest = slice(max(first, head), last)
        tail = self._walk(sentences[rest][::-1], is_ad[rest][::-1]) if closes and self.ends != "head" else 0
        tail = tail if _is_closed(text[sentences[-tail][0] :] if tail else "") else 0
        start = sentences[head - 1][1] if head else 0
        end = sentences[-tail][0] if tail else len(text)
        return text[start:end].rstrip() if tail else text[start:end], head + tail

    def _walk(self, sentences: list[tuple[int, int]], is_ad: list[bool]) -> int:
        """Return how many sentences go, in the order of the walk; empty lines count as nothing."""
        cut, clean = 0, 0
        for at, ((start, end), ad) in enumerate(zip(sentences, is_ad, strict=False), 1):
            if end - start > LONGEST:
                break
            clean = 0 if ad else clean + (end - start > 1)
            if clean >= self.stop_after:
                break
            cut = at if ad else cut
        return cut


def _is_call(text: str, start: int, end: int) -> bool:
    """Tell whether a phrase is what its sentence is for, not a thing that an English one speaks of.

    Chinese phrases are; of others those which speak to a reader, those which their sentence begins with, unless as its
    subject, and those which end a line that is no sentence, or one that is called out.
    """
    phrase = text[start:end]
    if _NOT_LATIN.search(phrase) or _TO_READER.search(phrase):
        return True
    head = max(text.rfind(mark, max(0, start - LONGEST), start) + 1 for mark in ("\n", ". ", "! ", "? "))
    before = text[max(head, start - LONGEST) : start].lstrip()
    if _LEAD.search(before):
        return not _VERB.match(text, end)
    return text[end : end + 1] in ("", "\n", "!") and len(before) < _SHORT


def _is_closed(cut: str) -> bool:
    """Tell whether every quotation that is cut is cut whole."""
    return all(cut.count(one) == cut.count(other) for one, other in ("“”", "「」", "『』", "（）"))


@lru_cache(maxsize=16)
def _search(lists: tuple[str, ...], digest: str) -> PhraseSearch:
    from cleaning.phrase_search import PhraseSearch

    return PhraseSearch([entry.phrase for entry in read_lists(lists)])
