# ruff: noqa: ANN001 - the types of a compiled function stand in its signature
"""One pass over a column of texts: which rules may have something to do, and how many characters of each kind.

A rule says what it looks for (`Trigger`): characters, pairs of neighbours, runs, numbers of many digits. All triggers
of a policy become one table, a bit for each rule, so a text costs one look at each of its characters however many
rules there are; a text without a rule's bit cannot be changed by that rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit, void
from numba.types import Array, boolean, int32, int64, uint8, uint16, uint64  # type: ignore[attr-defined]

from cleaning import characters as kinds
from cleaning.trigger import Trigger

BITS = 64
_CLASSES = 256
_LONGEST_RUN = 9
_LONGEST_NUMBER = 32
_WINDOW = 4
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
_STOP, _NEWLINE = ord("."), ord("\n")


class _Tables(NamedTuple):
    single: np.ndarray  # uint64 (256,)
    pair: np.ndarray  # uint64 (256, 256)
    runs: np.ndarray  # uint64 (9, 256)
    opens: np.ndarray  # uint64 (256,)
    closes: np.ndarray  # uint64 (256,)
    digits: np.ndarray  # uint64 (33,)
    filled: np.ndarray  # uint64 (1024,): a bit for each entry of `window` that is not 0
    window: np.ndarray  # uint16 (65536,): by the hash of a literal's last four bytes, 1 + its number
    following: np.ndarray  # uint16 (n,): 1 + the number of another literal of this hash, 0 for none
    literal_ends: np.ndarray  # int64 (n + 1,)
    literals: np.ndarray  # uint8: their bytes, end to end
    sought: np.ndarray  # uint64 (n,)


class Scanner:
    """The tables of some triggers; the i-th trigger has bit i.

    Raises:
        ValueError: more than 64 triggers.

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
        classes = (kinds.class_table(), kinds.other_script_table(), _COUNTED, _IS_CLOSER, _ABOVE)
        _scan(data, lengths, *classes, *self._tables, signs, counts)
        return Scan(signs, counts)


def _windows(triggers: Sequence[Trigger]) -> tuple[np.ndarray, ...]:
    """Return the tables of all literals; one is looked for where its last four bytes are, in lower case.

    Raises:
        ValueError: one is shorter.

    """
    sought: dict[bytes, int] = {}
    for at, trigger in enumerate(triggers):
        for literal in trigger.literals:
            encoded = literal.encode().lower()  # bytes: ASCII letters alone
            if len(encoded) < _WINDOW:
                raise ValueError(f"{literal!r} has less than {_WINDOW} bytes")
            sought[encoded] = sought.get(encoded, 0) | 1 << at
    window, following = np.zeros(1 << 16, np.uint16), np.zeros(len(sought) + 1, np.uint16)
    for place, encoded in enumerate(sought):
        slot = (int.from_bytes(encoded[-_WINDOW:], "big") * _MIX & 0xFFFFFFFF) >> 16
        following[place] = window[slot]
        window[slot] = place + 1
    filled = np.packbits(window != 0, bitorder="little").view(np.uint64)
    ends = np.cumsum([0, *map(len, sought)], dtype=np.int64)
    held = np.frombuffer(b"".join(sought) + b"\0", np.uint8).copy()
    return filled, window, following, ends, held, np.array([*sought.values(), 0], np.uint64)


def _compile(triggers: Sequence[Trigger]) -> _Tables:
    tables = _Tables(
        np.zeros(_CLASSES, np.uint64),
        np.zeros((_CLASSES, _CLASSES), np.uint64),
        np.zeros((_LONGEST_RUN, _CLASSES), np.uint64),
        np.zeros(_CLASSES, np.uint64),
        np.zeros(_CLASSES, np.uint64),
        np.zeros(_LONGEST_NUMBER + 1, np.uint64),
        *_windows(triggers),
    )
    for at, trigger in enumerate(triggers):
        bit = np.uint64(1 << at)
        tables.single[sorted(trigger.characters)] |= bit
        for first, second in trigger.pairs:
            tables.pair[np.ix_(sorted(first), sorted(second))] |= bit
        for repeated, times in trigger.runs:
            tables.runs[times, sorted(repeated)] |= bit
        tables.opens[sorted(trigger.opens)] |= bit
        tables.closes[sorted(trigger.closes)] |= bit
        if trigger.digits:
            tables.digits[trigger.digits :] |= bit
        if trigger.asks_all and trigger.pattern is not None:
            tables.digits[:] |= bit
    return tables


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

_HAN_COUNT, _COMMON, _LESS, _LATIN = AT["han"], AT["common_han"], AT["less_common_han"], AT["latin"]
_OTHER, _DIGITS, _LINES, _SENTENCES = AT["other_script"], AT["digits"], AT["lines"], AT["sentence_ends"]
_WORDS = AT["words"]
_IS_CLOSER = np.zeros(_CLASSES, np.bool_)
_IS_CLOSER[sorted(_CLOSERS | kinds.SPACES)] = True
_ABOVE = np.array([kinds.RARE_HAN, kinds.UNSEEN], np.uint8)

_BYTES = Array(uint8, 1, "C", readonly=True)
_WORDS64, _TABLE64 = Array(uint64, 1, "C"), Array(uint64, 2, "C")


@njit(int64(int64), cache=True, nogil=True)
def _lower(code):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return code + 32 if 65 <= code <= 90 else code


@njit(
    uint64(
        _BYTES, int64, int64, int64, Array(uint16, 1, "C"), Array(uint16, 1, "C"), Array(int64, 1, "C"),
        Array(uint8, 1, "C"), _WORDS64,
    ),
    cache=True, nogil=True, boundscheck=False,
)  # fmt: skip
def _literals_before(  # type: ignore[no-untyped-def]  # noqa: ANN202
    data, start, at, slot, window, following, literal_ends, literals, sought
):
    """Return the bits of the literals of a slot that end at a place of the text that begins at `start`."""
    found, number = np.uint64(0), np.int64(window[slot])
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


@njit(
    void(
        _BYTES, Array(int64, 1, "C"), Array(uint8, 1, "C"), Array(boolean, 1, "C"),
        Array(uint8, 1, "C"), Array(boolean, 1, "C"), Array(uint8, 1, "C"),
        _WORDS64, _TABLE64, _TABLE64, _WORDS64, _WORDS64, _WORDS64,
        _WORDS64, Array(uint16, 1, "C"), Array(uint16, 1, "C"), Array(int64, 1, "C"), Array(uint8, 1, "C"), _WORDS64,
        _WORDS64, Array(int32, 2, "C"),
    ),
    cache=True, nogil=True, boundscheck=False,
)  # fmt: skip
def _scan(  # type: ignore[no-untyped-def]  # noqa: ANN202, C901
    data,
    lengths,
    class_of,
    is_other,
    counted,
    is_closer,
    above,
    single,
    pair,
    runs,
    opens,
    closes,
    digit_bits,
    filled,
    window,
    following,
    literal_ends,
    literals,
    sought,
    signs,
    counts,
):
    # long: one loop over characters that must stay in one function to be compiled into one
    at = 0
    for text in range(lengths.size):
        found = np.uint64(0)
        own = counts[text]
        before, run, number, longest, word = np.int64(-1), 0, 0, 0, False
        four, start = np.int64(0), at
        for _ in range(lengths[text]):
            code = np.int64(data[at])
            if code < 0x80:
                kind = code
                four = (four << 8 | code + 32 * (64 < code < 91)) & 0xFFFFFFFF
                at += 1
            else:
                second = np.int64(data[at + 1])
                if code < 0xE0:
                    four = (four << 16 | code << 8 | second) & 0xFFFFFFFF
                    code = (code & 0x1F) << 6 | second & 0x3F
                    at += 2
                elif code < 0xF0:
                    third = np.int64(data[at + 2])
                    four = (four << 24 | code << 16 | second << 8 | third) & 0xFFFFFFFF
                    code = (code & 0x0F) << 12 | (second & 0x3F) << 6 | third & 0x3F
                    at += 3
                else:
                    third, fourth = np.int64(data[at + 2]), np.int64(data[at + 3])
                    four = code << 24 | second << 16 | third << 8 | fourth
                    code = (code & 0x07) << 18 | (second & 0x3F) << 12 | (third & 0x3F) << 6 | fourth & 0x3F
                    at += 4
                kind = np.int64(class_of[code] if code < 0x20000 else above[0 if code <= 0x323AF else 1])
                if code < 0x20000 and is_other[code]:
                    own[_OTHER] += 1
            found |= single[kind]
            slot = ((four * _MIX) & 0xFFFFFFFF) >> 16
            if filled[slot >> 6] >> np.uint64(slot & 63) & np.uint64(1):
                found |= _literals_before(data, start, at, slot, window, following, literal_ends, literals, sought)
            column = counted[kind]
            own[column] += 1
            if before >= 0:
                found |= pair[before, kind]
                if before == kind:
                    run += 1
                    if run < 9:
                        found |= runs[run, kind]
                else:
                    run = 1
                if before == _STOP and is_closer[kind]:
                    own[_SENTENCES] += 1
            else:
                found |= opens[kind]
                run = 1
            if 48 <= kind <= 57:
                number += 1
                longest = max(longest, number)
            elif not (number and 48 <= before <= 57 and (kind == 32 or kind == 45 or kind == 46)):
                number = 0
            spells = column in (_LATIN, _DIGITS)
            if spells and not word:
                own[_WORDS] += 1
            word = spells
            if kind == _NEWLINE:
                own[_LINES] += 1
            before = kind
        if before >= 0:
            found |= closes[before]
            if before == _STOP:
                own[_SENTENCES] += 1
        own[0] = lengths[text]
        own[_HAN_COUNT] += own[_COMMON] + own[_LESS]
        found |= digit_bits[min(longest, 32)]
        signs[text] = found
