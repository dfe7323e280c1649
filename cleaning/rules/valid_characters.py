"""Characters that nobody sees or nobody can read: control, private, unassigned, zero-width, bidirectional marks."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import BREAKS, CONTROLS, INVISIBLE, JOINER
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.scan import Trigger

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
_EMOJI = "\u200d\ufe0f\u203c-\u3299\U0001f000-\U0001faff"
_STRAY_JOINER = re.compile(f"[{_JOINERS}](?<![{_JOINED}{_EMOJI}].)|[{_JOINERS}](?![{_JOINED}{_EMOJI}])", re.DOTALL)

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
_SYMBOLS = str.maketrans(_SYMBOL_FONT)

_DROPPED = rf"[[\p{{Cc}}\p{{Co}}\p{{Cn}}{_INVISIBLE}]--[\n\t\r{_BREAKS}]]"


class ValidCharacters(EditRule):
    """Drops unreadable characters; keeps newlines, tabs, signs, accents, kana and emoji; mends Symbol font signs."""

    rule: Literal["valid_characters"] = "valid_characters"

    @property
    def trigger(self) -> Trigger:
        """Any of them; the expression knows them exactly."""
        return Trigger(
            characters=INVISIBLE | JOINER | BREAKS | CONTROLS,
            pattern=rf"[[\p{{Cc}}\p{{Co}}\p{{Cn}}{_INVISIBLE}{_BREAKS}{_JOINERS}]--[\n\t\r]]",
        )

    def apply(self, segments: Segments) -> Edited:
        """Drop them; other characters that break lines become newlines."""
        import polars as pl

        before = pl.Series([text.translate(_SYMBOLS) for text in segments.texts], dtype=pl.String)
        count = before.str.count_matches(_DROPPED) + before.str.count_matches(f"[{_BREAKS}]")
        text = before.str.replace_all(_DROPPED, "").str.replace_all(f"\u000d?[{_BREAKS}]", "\n")
        joiners = text.str.contains(f"[{_JOINERS}]").to_list()
        texts, counts = text.to_list(), count.to_list()
        for at in (at for at, has in enumerate(joiners) if has):
            texts[at], stray = _STRAY_JOINER.subn("", texts[at])
            counts[at] += stray
        return Edited(texts, counts)
