"""Greek and Cyrillic letters that pass for Latin ones inside Latin words: `pаypаl` written with two Cyrillic а."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import CYRILLIC, GREEK, LATIN_EXTRA, LETTERS
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

# Only letters with the very shape of a Latin one in common type; ν, α, к, г and the like are read as what they are.
_ALIKE = str.maketrans(
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο" + "АВЕЅІЈКМНОРСТУХѕіјаеорсухԁһԛԝ",
    "ABEZHIKMNOPTYXo" + "ABESIJKMHOPCTYXsijaeopcyxdhqw",
)
_LATIN, _ALIEN = r"a-zA-Z\u00c0-\u024f", r"\u0370-\u03ff\u1f00-\u1fff\u0400-\u052f"
_WORD = re.compile(rf"[{_LATIN}{_ALIEN}]++")
_LATIN_LETTERS = re.compile(f"[{_LATIN}]")
_MIXED = re.compile(f"[{_LATIN}][{_ALIEN}]|[{_ALIEN}][{_LATIN}]")
# A text that also has whole words in Greek or Russian may inflect Latin names in them: `Android` + `у`.
_ALIEN_WORD = re.compile(rf"(?<![{_LATIN}{_ALIEN}])[{_ALIEN}]{{2,}}+(?![{_LATIN}])")


def _latin(word: re.Match[str]) -> str:
    """Return a word in Latin letters if most of its letters, three at least, are so and every other one has a twin."""
    text = word.group()
    if text.isascii():
        return text
    plain = text.translate(_ALIKE)
    latin = len(_LATIN_LETTERS.findall(text))
    alike = len(_LATIN_LETTERS.findall(plain)) == len(plain)
    return plain if alike and latin >= 3 and 2 * latin > len(text) else text


class LookAlikes(EditRule):
    """Makes words that are Latin but for a few look-alike letters Latin; Greek, Cyrillic and formulas stay."""

    rule: Literal["look_alikes"] = "look_alikes"

    @property
    def trigger(self) -> Trigger:
        """A Latin letter beside a Greek or Cyrillic one."""
        latin, alien = LETTERS | LATIN_EXTRA, GREEK | CYRILLIC
        return Trigger(pairs=((latin, alien), (alien, latin)))

    def apply(self, segments: Segments) -> Edited:
        """Replace word by word."""
        texts, counts = [], []
        for text in segments.texts:
            mixed = _MIXED.search(text) and not _ALIEN_WORD.search(text)
            latin = _WORD.sub(_latin, text) if mixed else text
            texts.append(latin)
            counts.append(sum(a != b for a, b in zip(text, latin, strict=True)) if latin != text else 0)
        return Edited(texts, counts)
