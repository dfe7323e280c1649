"""Characters that nobody sees or nobody can read: control, private, unassigned, zero-width, bidirectional marks."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from cleaning.characters import BREAKS, CONTROLS, EMOJI, INVISIBLE, JOINER, TAIL, Classes, of
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

if TYPE_CHECKING:
    import polars as pl

# Format characters without a width. Arabic number signs and the like are visible, so they are not here; neither are
# variation selectors, which choose the picture of an emoji.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f"
)
_BREAKS = "\u000b\u000c\u0085\u2028\u2029"
# Joiners make words in the scripts of India and Persia and join emoji; anywhere else they are only in the way.
_JOINERS = "\u200c\u200d"
_JOINED = "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af"
_EMOJI = "\ufe0f\u203c\u2049\u2100-\u27bf\u2900-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_STRAY_JOINER = re.compile(f"[{_JOINERS}](?:(?<![{_JOINED}{_EMOJI}].)|(?![{_JOINED}{_EMOJI}]))", re.DOTALL)

# Word kept the signs of its Symbol font in the private area: formulas in exams are full of them, and dropping them
# would turn 30+40 into 3040. Codes that Wingdings uses for bullets are not in here.
_SYMBOL_FONT = dict(
    zip(
        map(chr, [*range(0xF021, 0xF060), *range(0xF061, 0xF06C), *range(0xF06F, 0xF075), *range(0xF077, 0xF07F)]),
        "!∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_αβχδεφγηιϕκοπθρστωξψζ{|}∼",
        strict=True,
    )
) | dict(zip(map(chr, range(0xF0A2, 0xF0BD)), "′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…", strict=True))
_SYMBOL_FONT |= dict(zip(map(chr, range(0xF0C4, 0xF0D2)), "⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇", strict=True))
_SYMBOL_FONT |= {"\uf0d5": "∏", "\uf0d6": "√", "\uf0d7": "⋅", "\uf0e5": "∑", "\uf0f2": "∫"}

_DROPPED = rf"[[\p{{Cc}}\p{{Co}}\p{{Cn}}{_INVISIBLE}]--[\n\t\r{_BREAKS}]]"
# Characters that stay for certain; of the others, which are few, one is looked up once (`_meant`).
_COMMON = (
    "\t\n\r -~\u00a0-\u00ac\u00ae-\u034e\u03b1-\u03c9\u0400-\u052f\u2010-\u2027\u2030-\u205e\u2190-\u23ff\u2460-\u27bf"
    "\u3000-\u303f\u3041-\u3096\u30a0-\u30ff\u3400-\u9fff\uac00-\ud7a3\ufe0f\ufe30-\ufe4f\uff01-\uff9f\U0001f300-\U0001f3f3"
    "\U0001f3f5-\U0001f64f"
)
# What a terminal obeys goes whole: colours and moves, titles and links, character sets (ECMA-48, xterm's ctlseqs).
_ESCAPE = r"\[[0-?]{0,40}+[ -/]{0,4}+[@-~]|\][^\x07\x1b\n]{0,1000}+(?:\x07|\x1b\\)|[()][0-9AB]"
# The flags of England, Scotland and Wales are a black flag, invisible letters and an end (Unicode, UTS #51).
_REGION = "[\U000e0020-\U000e007e]{1,10}\U000e007f"
_UNCOMMON = re.compile(f"[^{_COMMON}](?:(?<=\x1b)(?:{_ESCAPE})|(?<=\U0001f3f4)(?:{_REGION}))?")
_LINE_END = re.compile(f"\r?[{_BREAKS}]")


# What is shown as a picture: with that form by default, by a selector, or in the planes of pictures. Check marks and
# stars are signs of text, digits in keycaps numbers: neither is in here.
_PLANES, _TONES = "\U0001f000-\U0001faff", "\U0001f3fb-\U0001f3ff"
_PICTURES = f"\u231a\u231b\u23e9-\u23fa\u2600-\u27bf\u2b00-\u2bff{_PLANES}"
_PICTURE = (
    rf"(?:[\U0001f1e6-\U0001f1ff]{{2}}|\U0001f3f4{_REGION}|[☹☺❣❤]|[\p{{Emoji_Presentation}}&&[{_PICTURES}]]"
    rf"|[\p{{Extended_Pictographic}}&&[{_PLANES}]]|[\p{{Extended_Pictographic}}&&[{_PICTURES}]]\ufe0f)"
    rf"[\ufe0f{_TONES}]*(?:\u200d[{_PICTURES}][\ufe0f{_TONES}]*)*"
)
# C1 controls have the class of what else the second byte of UTF-8 shows as.
_C1 = TAIL - of("“”‘’–—…•‹›«»·\u00a0")


def _name(picture: str) -> str:
    """Return `:thumbs_up_sign:`, the Unicode name in the form of chat programs, `:flag_cn:` for a flag."""
    if len(picture) == 2 and all("\U0001f1e6" <= c <= "\U0001f1ff" for c in picture):
        return f":flag_{''.join(chr(ord(c) - 0x1F1E6 + ord('a')) for c in picture)}:"
    if "\U000e007f" in picture:
        return f":flag_{''.join(chr(ord(c) - 0xE0000) for c in picture[1:-1])}:"
    parts = [c for c in picture if c not in "\u200d\ufe0f" and not "\U0001f3fb" <= c <= "\U0001f3ff"]
    return f":{'_'.join(unicodedata.name(c, 'emoji').lower().replace(' ', '_') for c in parts)}:"


def _without_pictures(column: pl.Series) -> pl.Series:
    """Remove emoji; one that stands between blanks takes one of them along."""
    return column.str.replace_all(f"(?m)(^| )(?:(?:{_PICTURE})+ )+", "$1").str.replace_all(_PICTURE, "")


def _named_pictures(column: pl.Series) -> pl.Series:
    """Replace emoji by their names, longest first, so that no part of one is taken for another."""
    import polars as pl

    texts = column.to_list()
    for at, own in enumerate(column.str.extract_all(_PICTURE).to_list()):
        for picture in sorted(set(own), key=len, reverse=True):
            texts[at] = texts[at].replace(picture, _name(picture))
    return pl.Series(texts, dtype=pl.String)


class ValidCharacters(EditRule):
    """Drops unreadable characters and what only a terminal obeys; keeps newlines, tabs, signs, accents, kana and flags.

    Signs of the Symbol font are mended.
    """

    rule: Literal["valid_characters"] = "valid_characters"
    emoji: Literal["keep", "remove", "text"] = "keep"
    """What becomes of emoji; `text` writes their names: `:thumbs_up_sign:`."""

    @property
    def trigger(self) -> Trigger:
        """Any of them; the expression knows them exactly."""
        unreadable = rf"[[\p{{Cc}}\p{{Co}}\p{{Cn}}{_INVISIBLE}{_BREAKS}{_JOINERS}]--[\n\t\r]]"
        pictures: Classes = EMOJI if self.emoji != "keep" else frozenset()
        return Trigger(
            characters=INVISIBLE | JOINER | BREAKS | CONTROLS | _C1 | pictures,
            pattern=f"{unreadable}|{_PICTURE}" if pictures else unreadable,
        )

    def apply(self, segments: Segments) -> Edited:
        """Drop them; other characters that break lines become newlines."""
        mended, counts = segments.texts, [0] * len(segments.texts)
        if self.emoji != "keep":
            mended, counts = self._without_emoji(mended)
        texts = []
        for nth, text in enumerate(mended):
            readable = _UNCOMMON.sub(_meant_by, text)
            lines, breaks = _LINE_END.subn("\n", readable) if _has_breaks(readable) else (readable, 0)
            joined, stray = _STRAY_JOINER.subn("", lines) if "\u200c" in lines or "\u200d" in lines else (lines, 0)
            texts.append(joined)
            counts[nth] += len(text) - len(readable) + breaks + stray
        return Edited(texts, counts)

    def _without_emoji(self, texts: list[str]) -> tuple[list[str], list[int]]:
        """Remove or name emoji; return the texts and how many each had."""
        import polars as pl

        column = pl.Series(texts, dtype=pl.String)
        edited = _without_pictures(column) if self.emoji == "remove" else _named_pictures(column)
        return edited.to_list(), column.str.count_matches(_PICTURE).to_list()


def _has_breaks(text: str) -> bool:
    return any(character in text for character in _BREAKS)


def _meant_by(found: re.Match[str]) -> str:
    return _meant(found.group())


@lru_cache(maxsize=4096)
def _meant(found: str) -> str:
    """Return what becomes of a character, of a flag's letters, of what a terminal obeys."""
    import polars as pl

    if len(found) > 1:
        return found if found[0] == "\U0001f3f4" else ""
    symbol = _SYMBOL_FONT.get(found, found)
    return str(pl.Series([symbol]).str.replace_all(_DROPPED, "")[0])
