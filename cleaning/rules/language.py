"""Rows in a language that nobody asked for: by script, and where a script serves many languages, by a classifier."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from cleaning.rules.base import Measured, MeasureRule

if TYPE_CHECKING:
    import numpy as np

    from cleaning.texts import Texts

Latin = Literal[
    "cs", "da", "de", "en", "es", "fi", "fr", "hr", "hu", "id", "it", "nl", "no", "pl", "pt", "ro", "sv", "tr", "vi"
]
"""What the classifier chooses from: the common languages in Latin letters."""

_LOOKED_AT = (300, 3000)
"""In so many characters the common words of English are counted: in more of them where the first have too few."""
_CLASSIFIED = 300
"""So many characters of a text say enough of its language."""


def _kept(value: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what neither a script nor the classifier can tell."""
    known = {"zh", "other", *get_args(Latin)}
    if wrong := [one for one in value if one not in known]:
        raise ValueError(f"{', '.join(wrong)} cannot be told; known: {', '.join(sorted(known))}")
    return value


class Language(MeasureRule):
    """Drops a row whose answers or document are in a language that is not kept.

    The scripts decide as `utils.data.language.language_of` does: `zh`, Latin letters, `other`. Only where the letters
    are Latin and a Latin language is kept, a text with few of the words that English is full of goes to a classifier
    (py3langid, restricted to `Latin`; its model is part of the package). Short texts, texts without letters and code
    are never dropped.
    """

    rule: Literal["language"] = "language"
    keep: Annotated[tuple[str, ...], AfterValidator(_kept)] = Field(default=("zh", "en"), min_length=1)
    """`zh`, `en` and others in Latin letters, `other` for other scripts."""
    share: float = Field(default=0, ge=0, le=1)
    """The least share of letters in scripts of the kept languages; a Chinese character weighs as three Latin letters.
    For sources that are Chinese throughout: the original had 0.6 of all characters, marks and digits among them."""
    letters: int = Field(default=60, ge=1)
    """Rows with fewer letters (a Chinese character counts three) are not dropped."""
    english_words: float = Field(default=0.08, ge=0, le=1)
    """From this share of common words on, Latin text is English without asking the classifier: English has 0.15 to
    0.3."""
    certainty: float = Field(default=0.8, ge=0, le=1)
    """The least probability by the classifier for a row to be dropped."""

    def measure(self, texts: Texts) -> Measured:
        """Return the share of letters in kept scripts of each row, or 1 minus the probability of another language."""
        import numpy as np

        from cleaning.prose import prose_of

        values, wrong, latin = self._by_script(texts)
        asked = self._foreign(texts, latin)
        doubtful = np.flatnonzero(np.isin(texts.row, np.flatnonzero(wrong | asked)) & texts.spoken())
        if doubtful.size:
            cut_down = prose_of(texts, doubtful)
            rows = np.unique(cut_down.row)
            again, wrong_again, latin_again = self._by_script(cut_down)
            values[rows], wrong[rows] = again[rows], wrong_again[rows]
            self._classify(cut_down, rows[(latin_again & asked)[rows]], values, wrong)
        return Measured(values, wrong)

    def _by_script(self, texts: Texts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return per row the share of kept scripts, whether that drops it, and whether it is Latin and long enough."""
        import numpy as np

        from cleaning.prose import languages_from
        from utils.data.language import WEIGHT

        spoken = texts.spoken()
        han, latin, other = (
            texts.per_row(np.where(spoken, texts.count(name), np.nan)) for name in ("han", "latin", "other_script")
        )
        language = languages_from(han, latin, other)
        total = WEIGHT * (han + other) + latin
        latin_kept = bool({*self.keep} - {"zh", "other"})
        of_kept = WEIGHT * han * ("zh" in self.keep) + latin * latin_kept + WEIGHT * other * ("other" in self.keep)
        share = np.where(total > 0, of_kept / np.maximum(total, 1), 1.0)
        scripts = [name for name in ("zh", "other") if name in self.keep] + ["en"] * latin_kept
        wrong = ~np.isin(language, [*scripts, "und"]) | (share < self.share)
        enough = total >= self.letters
        return share, wrong & enough, (language == "en") & enough & latin_kept

    def _foreign(self, texts: Texts, latin: np.ndarray) -> np.ndarray:
        """Return bool (rows,): Latin rows that have not the words of English, or all when English is not kept."""
        if "en" not in self.keep:
            return latin
        for characters in _LOOKED_AT:
            if latin.any():
                latin = latin & ~self._is_english(texts, latin, characters)
        return latin

    def _is_english(self, texts: Texts, asked: np.ndarray, characters: int) -> np.ndarray:
        """Return bool (rows,): of some rows those that have the words of English where their texts begin."""
        import numpy as np

        from cleaning.english import common_words

        at = np.flatnonzero(asked[texts.row] & texts.spoken())
        found = np.zeros((texts.rows, 2), np.int32)
        np.add.at(found, texts.row[at], common_words([texts.text[one][:characters] for one in at]))
        return np.asarray(found[:, 1] >= self.english_words * found[:, 0])

    def _classify(self, texts: Texts, rows: np.ndarray, values: np.ndarray, wrong: np.ndarray) -> None:
        """Set value and verdict of some rows by the classifier."""
        chosen = set(rows.tolist())
        joined: dict[int, str] = {}
        for row, text in zip(texts.row.tolist(), texts.text, strict=True):
            if row in chosen and len(joined.get(row, "")) < _CLASSIFIED:
                joined[row] = f"{joined.get(row, '')} {text[:_CLASSIFIED]}"
        for row, text in joined.items():
            language, probability = _identifier().classify(text)
            if language not in self.keep:
                values[row], wrong[row] = 1 - probability, probability >= self.certainty


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """Return the classifier, loaded from its package, once per process."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(get_args(Latin)))
    return identifier
