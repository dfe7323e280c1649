# ruff: noqa: ANN001 - the types of a compiled function stand in its signature
"""One pass over a column of texts: which rules may have something to do, and how many characters of each kind.

A rule says what it looks for (`Trigger`): characters, pairs of neighbours, runs, numbers of many digits. All triggers
of a policy become one table, a bit for each rule, so a text costs one look at each of its characters however many
rules there are; a text without a rule's bit cannot be changed by that rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit, void
from numba.types import Array, int32, int64, uint8, uint16, uint64  # type: ignore[attr-defined]

from cleaning import characters as kinds
from cleaning.trigger import Trigger

BITS = 58
_CLASSES = 256
_BEGINNING = 256
_LONGEST_RUN = 9
_LONGEST_NUMBER = 32
_WINDOW = 3
_MIX = 0x9E3779B1


class Scan(NamedTuple):
    """What was seen: `signs` uint64 (n,), a bit per trigger; `counts` int32 (n, len(COUNTS))."""

    signs: np.ndarray
    counts: np.ndarray


COUNTS = (
    "characters", "han", "latin", "other_script", "digits", "blanks", "lines", "sentence_ends", "punctuation",
    "common_han", "less_common_han", "emoji", "invisible", "symbols", "words", "other_letters",
)  # fmt: skip
"""Columns of `Scan.counts`. `han`, `latin` and `other_script` are those of `utils.data.language`; `blanks` are all
white space; `lines` are line ends; a full stop counts as a sentence end before white space, a closing mark or the end
only; `words` are runs of Latin letters and digits; `common_han` are of level 1 of GB 2312, `less_common_han` of 2."""
AT = {name: at for at, name in enumerate(COUNTS)}

_MARKS = kinds.of("。．｡！？；：，、…⋯—–―·•～〜“”‘’「」『』（）【】《》〈〉〔〕［］｛｝<>!\"'()*,-./:;?[]{}`~")
_ENDS = kinds.of("。！？!?；;…")
_CLOSERS = kinds.of("\"')]}”’）】」』》")
_NEWLINE, _FULL_STOP = ord("\n"), ord(".")
_GAP = kinds.of(" \u3000\u00a0")
# What the table of pairs tells besides triggers: a word begins, a full stop ends a sentence; and where to look again:
# at a digit, at a character for the second time, where a literal may end, at a blank that sets two characters apart.
_WORD, _STOP, _LOOK, _DIGIT, _TWICE, _LITERAL, _APART = (np.uint64(at) for at in (58, 59, 60, 60, 61, 62, 63))
_OF_TRIGGERS = np.uint64((1 << 58) - 1)


class _Tables(NamedTuple):
    entries: np.ndarray  # uint16 (0x20002,): by code point, see `_entries`
    pair: np.ndarray  # uint64 (257, 256): by the class before (256: the text begins) and this one
    apart: np.ndarray  # uint64 (256, 256): the same, with blanks between
    runs: np.ndarray  # uint64 (9, 256)
    closes: np.ndarray  # uint64 (256,)
    digits: np.ndarray  # uint64 (33,)
    window: np.ndarray  # uint16 (65536,): by the hash of a literal's last three bytes, 1 + its number
    following: np.ndarray  # uint16 (n,): 1 + the number of another literal of this hash, 0 for none
    literal_ends: np.ndarray  # int64 (n + 1,)
    literals: np.ndarray  # uint8: their bytes, end to end
    sought: np.ndarray  # uint64 (n,)


class Scanner:
    """The tables of some triggers; the i-th trigger has bit i.

    Raises:
        ValueError: more than 58 triggers.

    """

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        if len(triggers) > BITS:
            raise ValueError(f"{len(triggers)} triggers, at most {BITS}")
        self._tables = _compile(triggers)

    def scan(self, texts: Sequence[str]) -> Scan:
        """Scan texts, in order."""
        import pyarrow as pa

        size = len(texts)
        signs, counts = np.zeros(size, np.uint64), np.zeros((size, len(COUNTS)), np.int32)
        lengths = np.fromiter(map(len, texts), np.int64, size)
        held = pa.array(texts, pa.large_string()).buffers()[2]
        data = np.frombuffer(held, np.uint8) if held is not None and held.size else np.zeros(0, np.uint8)
        _scan(data, lengths, _COUNTED, *self._tables, signs, counts)
        return Scan(signs, counts)


def _windows(triggers: Sequence[Trigger]) -> tuple[np.ndarray, ...]:
    """Return the tables of all literals; one is looked for where its last three bytes are, in lower case.

    Raises:
        ValueError: one is shorter.

    """
    sought: dict[bytes, int] = {}
    for at, trigger in enumerate(triggers):
        for literal in trigger.literals:
            encoded = _telling(literal).encode().lower()  # bytes: ASCII letters alone
            if len(encoded) < _WINDOW:
                raise ValueError(f"{literal!r} has less than {_WINDOW} bytes")
            sought[encoded] = sought.get(encoded, 0) | 1 << at
    window, following = np.zeros(1 << 16, np.uint16), np.zeros(len(sought) + 1, np.uint16)
    for place, encoded in enumerate(sought):
        slot = (int.from_bytes(encoded[-_WINDOW:], "big") * _MIX & 0xFFFFFFFF) >> 16
        following[place] = window[slot]
        window[slot] = place + 1
    ends = np.cumsum([0, *map(len, sought)], dtype=np.int64)
    held = np.frombuffer(b"".join(sought) + b"\0", np.uint8).copy()
    return window, following, ends, held, np.array([*sought.values(), 0], np.uint64)


def _compile(triggers: Sequence[Trigger]) -> _Tables:
    tables = _Tables(
        _entries().copy(),
        np.zeros((_CLASSES + 1, _CLASSES), np.uint64),
        np.zeros((_CLASSES, _CLASSES), np.uint64),
        np.zeros((_LONGEST_RUN, _CLASSES), np.uint64),
        np.zeros(_CLASSES, np.uint64),
        np.zeros(_LONGEST_NUMBER + 1, np.uint64),
        *_windows(triggers),
    )
    for at, trigger in enumerate(triggers):
        bit = np.uint64(1 << at)
        tables.pair[:, sorted(trigger.characters)] |= bit
        for first, second in trigger.pairs:
            tables.pair[np.ix_(sorted(first), sorted(second))] |= bit
        for first, second in trigger.apart:
            tables.apart[np.ix_(sorted(first), sorted(second))] |= bit
        for repeated, times in trigger.runs:
            tables.runs[times, sorted(repeated)] |= bit
        tables.pair[_BEGINNING, sorted(trigger.opens)] |= bit
        tables.closes[sorted(trigger.closes)] |= bit
        if trigger.digits:
            tables.digits[trigger.digits :] |= bit
        if trigger.asks_all and trigger.pattern is not None:
            tables.digits[:] |= bit
        for literal in trigger.literals:
            _mark_end(_telling(literal), tables)
    _mark_pairs(tables)
    return tables


def _mark_pairs(tables: _Tables) -> None:
    """Note in the table of pairs what else a pair tells."""
    spells = np.isin(_COUNTED, [AT["latin"], AT["digits"]])
    begins = np.append(~spells, True)
    tables.pair[np.ix_(begins, spells)] |= np.uint64(1) << _WORD
    tables.pair[ord("."), sorted(_CLOSERS | kinds.SPACES)] |= np.uint64(1) << _STOP
    tables.pair[:, sorted(kinds.DIGITS)] |= np.uint64(1) << _DIGIT
    tables.pair[np.ix_(np.flatnonzero(tables.apart.any(axis=1)).tolist(), sorted(_GAP))] |= np.uint64(1) << _APART
    repeated = np.flatnonzero(tables.runs.any(axis=0))
    tables.pair[repeated, repeated] |= np.uint64(1) << _TWICE


# Every second pair of letters of an English text is one of these.
_COMMON_PAIRS = (
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic "
    "ne ea ra ce li ll be ma si om ur us ho ot no so"
)


def _telling(literal: str) -> str:
    """Return the beginning of a literal that is looked for in its place: without a tail that is common in English."""
    while len(literal.encode()) > 4 and literal[-2:].lower() in _COMMON_PAIRS:
        literal = literal[:-1]
    return literal


def _either_case(character: str) -> set[str]:
    return {character.lower(), character.upper()} if character.isascii() else {character}


def _mark_end(literal: str, tables: _Tables) -> None:
    """Note where a literal may end: behind its last character, or if that is ASCII, behind its last two."""
    last = literal[-1]
    if last.isascii():
        before = [int(tables.entries[ord(c)]) & 0xFF for c in _either_case(literal[-2])]
        tables.pair[np.ix_(before, [ord(c) for c in _either_case(last)])] |= np.uint64(1) << _LITERAL
    else:
        tables.entries[min(ord(last), _LAST)] |= _ENDS_LITERAL


def _counted() -> np.ndarray:
    """Return, for each class, the column that counts it; 0 for none."""
    table = np.zeros(_CLASSES, np.uint8)
    for name, classes in (
        ("symbols", kinds.SYMBOL | kinds.of("#$%&+<=>@\\^_|℃×÷\ufffd￥＠＃＆＊／＜＞＝｜＄％＋＼")),
        ("punctuation", kinds.PUNCTUATION | _MARKS),
        ("sentence_ends", _ENDS),
        ("latin", kinds.LETTERS | kinds.LATIN_EXTRA | kinds.LATIN_WIDE),
        ("digits", kinds.DIGITS | kinds.DIGIT_WIDE),
        ("blanks", kinds.SPACES),
        ("common_han", kinds.HAN_COMMON),
        ("less_common_han", kinds.HAN_LESS_COMMON),
        ("han", kinds.HAN - kinds.HAN_COMMON - kinds.HAN_LESS_COMMON),
        ("emoji", kinds.EMOJI),
        ("invisible", kinds.INVISIBLE | kinds.CONTROLS),
        ("other_letters", kinds.KANA | kinds.HANGUL | kinds.GREEK | kinds.CYRILLIC | kinds.OTHER_LETTER),
    ):
        table[sorted(classes)] = AT[name]
    return table


_COUNTED = _counted()
_LAST = 0x20000
_OF_OTHER_SCRIPT, _ENDS_LITERAL = 1 << 8, 1 << 9


@cache
def _entries() -> np.ndarray:
    """Return the class of each code point below 0x20000, then of rare Han, then of all above, as uint16.

    Other scripts are marked; by `_mark_end` the last characters of literals are.
    """
    below = kinds.class_table() + kinds.other_script_table() * np.uint16(_OF_OTHER_SCRIPT)
    return np.append(below, np.array([kinds.RARE_HAN, kinds.UNSEEN], np.uint16))


_HAN_COUNT, _COMMON, _LESS = AT["han"], AT["common_han"], AT["less_common_han"]
_OTHER, _LINES, _SENTENCES, _WORDS = AT["other_script"], AT["lines"], AT["sentence_ends"], AT["words"]

_BYTES = Array(uint8, 1, "C", readonly=True)
_WORDS64, _TABLE64 = Array(uint64, 1, "C"), Array(uint64, 2, "C")


@njit(int64(int64), cache=True, nogil=True)
def _lower(code):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return code + 32 if 65 <= code <= 90 else code


@njit(
    uint64(
        _BYTES, int64, int64, Array(uint16, 1, "C"), Array(uint16, 1, "C"), Array(int64, 1, "C"), Array(uint8, 1, "C"),
        _WORDS64,
    ),
    cache=True, nogil=True, boundscheck=False,
)  # fmt: skip
def _literals_before(data, start, at, window, following, literal_ends, literals, sought):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Return the bits of the literals that end at a place of the text that begins at `start`."""
    found = np.uint64(0)
    if at - start < _WINDOW:
        return found
    four = np.int64(0)
    for back in range(_WINDOW, 0, -1):
        four = four << 8 | _lower(np.int64(data[at - back]))
    number = np.int64(window[((four * _MIX) & 0xFFFFFFFF) >> 16])
    while number:
        last, back = literal_ends[number], 1
        size = last - literal_ends[number - 1]
        if size <= at - start:
            while back <= size and _lower(np.int64(data[at - back])) == literals[last - back]:
                back += 1
            if back > size:
                found |= sought[number - 1]
        number = np.int64(following[number - 1])
    return found


# Places are unsigned: numba would ask of every signed one whether it counts from the end.
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)


@njit(int64(_BYTES, uint64, Array(uint16, 1, "C")), cache=True, nogil=True, boundscheck=False)
@no_type_check
def _beyond_ascii(data, at, entry_of):  # noqa: ANN202
    """Return the entry of the character that begins at a place, and above its 16 bits how many bytes it has."""
    code, second = np.int64(data[at]), np.int64(data[at + _ONE]) & 0x3F
    if code < 0xE0:
        return np.int64(entry_of[(code & 0x1F) << 6 | second]) | 2 << 16
    third = np.int64(data[at + _TWO]) & 0x3F
    if code < 0xF0:
        return np.int64(entry_of[(code & 0x0F) << 12 | second << 6 | third]) | 3 << 16
    code = (code & 0x07) << 18 | second << 12 | third << 6 | np.int64(data[at + _THREE]) & 0x3F
    return np.int64(entry_of[min(code, _LAST) + (code > 0x323AF)]) | 4 << 16


@njit(int64(_BYTES, uint64, Array(uint16, 1, "C")), cache=True, nogil=True, boundscheck=False)
@no_type_check
def _after_blanks(data, at, entry_of):  # noqa: ANN202
    """Return the class of the first character from a place on that is no blank; 0 (NUL) at the end of all texts."""
    while at < np.uint64(data.size):
        code = data[at]
        if code == 0x20:
            at += _ONE
        elif code == 0xC2 and data[at + _ONE] == 0xA0:
            at += _TWO
        elif code == 0xE3 and data[at + _ONE] == 0x80 and data[at + _TWO] == 0x80:
            at += _THREE
        elif code < 0x80:
            return np.int64(code)
        else:
            return _beyond_ascii(data, at, entry_of) & 0xFF
    return np.int64(0)


@njit(
    void(
        _BYTES, Array(int64, 1, "C"), Array(uint8, 1, "C"), Array(uint16, 1, "C"),
        _TABLE64, _TABLE64, _TABLE64, _WORDS64, _WORDS64,
        Array(uint16, 1, "C"), Array(uint16, 1, "C"), Array(int64, 1, "C"), Array(uint8, 1, "C"), _WORDS64,
        _WORDS64, Array(int32, 2, "C"),
    ),
    cache=True, nogil=True, boundscheck=False,
)  # fmt: skip
@no_type_check
def _scan(  # noqa: ANN202, C901
    data,
    lengths,
    counted,
    entry_of,
    pair,
    apart,
    runs,
    closes,
    digit_bits,
    window,
    following,
    literal_ends,
    literals,
    sought,
    signs,
    counts,
):
    # long: one loop over characters that must stay in one function to be compiled into one
    at = np.uint64(0)
    seen = np.zeros(256, np.int32)
    for text in range(lengths.size):
        signs[text] = digit_bits[0]
        if lengths[text] == 0:
            continue
        found, own, start = np.uint64(0), counts[text], at
        others, words, stops, before = 0, 0, 0, np.int64(_BEGINNING)
        run, twice, number, longest, last_digit = 0, -1, 0, 0, -2
        for place in range(lengths[text]):
            kind, ends = np.int64(data[at]), np.int64(0)
            if kind < 0x80:
                at += _ONE
            else:
                entry = _beyond_ascii(data, at, entry_of)
                at += np.uint64(entry >> 16)
                kind, ends = entry & 0xFF, entry >> 9 & 1
                others += entry >> 8 & 1
            seen[kind] += 1
            met = pair[before, kind]
            found |= met
            words += np.int64(met >> _WORD & np.uint64(1))
            stops += np.int64(met >> _STOP & np.uint64(1))
            if met >> _LOOK or ends:
                if met >> _DIGIT & np.uint64(1):
                    goes_on = place == last_digit + 1 or (place == last_digit + 2 and before in (32, 45, 46))
                    number = number + 1 if goes_on else 1
                    longest, last_digit = max(longest, number), place
                if met >> _TWICE & np.uint64(1):
                    run = run + 1 if twice == place - 1 else 2
                    twice = place
                    if run < _LONGEST_RUN:
                        found |= runs[run, kind]
                if met >> _APART:
                    found |= apart[before, _after_blanks(data, at, entry_of)]
                if met >> _LITERAL & np.uint64(1) or ends:
                    found |= _literals_before(
                        data, np.int64(start), np.int64(at), window, following, literal_ends, literals, sought
                    )
            before = kind
        found |= closes[before]
        own[_LINES] = seen[_NEWLINE]
        for kind in range(256):
            if seen[kind]:
                own[counted[kind]] += seen[kind]
                seen[kind] = 0
        own[0] = lengths[text]
        own[_HAN_COUNT] += own[_COMMON] + own[_LESS]
        own[_OTHER] += others
        own[_SENTENCES] += stops + (before == _FULL_STOP)
        own[_WORDS] += words
        signs[text] = (found | digit_bits[min(longest, _LONGEST_NUMBER)]) & _OF_TRIGGERS
