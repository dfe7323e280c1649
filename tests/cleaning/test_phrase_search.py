"""The search for phrases against a plain one: every place of every phrase, widths and case aside, whole words."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.phrase_search import PhraseSearch, folded, is_cjk


def _plain_fold(text: str) -> str:
    characters = []
    for c in text:
        wide = unicodedata.normalize("NFKC", c) if ord(c) < 0x20000 else c
        small = wide.lower() if len(wide) == 1 else c.lower() if ord(c) < 0x20000 else c
        characters.append(small if len(small) == 1 else c)
    return "".join(characters)


def _is_word(character: str) -> bool:
    return (character.isalnum() and not is_cjk(character)) or character == "_"


def _plain(texts: list[str], phrases: list[str]) -> set[tuple[int, int, int, int]]:
    found = set()
    for at, text in enumerate(map(_plain_fold, texts)):
        for number, phrase in enumerate(map(_plain_fold, phrases)):
            for start in range(len(text) - len(phrase) + 1):
                end = start + len(phrase)
                if text[start:end] != phrase:
                    continue
                inside = start > 0 and _is_word(text[start - 1]) and _is_word(text[start])
                goes_on = end < len(text) and _is_word(text[end - 1]) and _is_word(text[end])
                if is_cjk(phrase) or not (inside or goes_on):
                    found.add((at, start, end, number))
    return found


_PIECES = st.sampled_from([*"abAB１ａ 中文國法轮功，.é_𠀀😀", "ab", "中文", "法轮功"])
_TEXTS = st.lists(_PIECES, max_size=25).map("".join)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(_TEXTS, max_size=4), st.lists(_TEXTS.filter(bool), min_size=1, max_size=8))
def test_search_finds_what_a_plain_search_finds(texts: list[str], phrases: list[str]) -> None:
    found = PhraseSearch(phrases).find(texts)
    rows = list(zip(*(column.tolist() for column in (found.text, found.start, found.end, found.phrase)), strict=True))
    assert set(rows) == _plain(texts, phrases)
    assert len(rows) == len(set(rows))
    assert [row[:2] for row in rows] == sorted(row[:2] for row in rows)


@given(st.text(max_size=50))
def test_folding_keeps_places(text: str) -> None:
    assert len(folded(text)) == len(text)
    assert folded(folded(text)) == folded(text)


def test_more_hits_than_there_was_room_for() -> None:
    found = PhraseSearch(["啊", "啊啊"]).find(["啊" * 3000, "", "b", "啊"])
    assert len(found.text) == 3000 + 2999 + 1
    assert (int(found.text[-1]), int(found.start[-1]), int(found.end[-1])) == (3, 0, 1)
