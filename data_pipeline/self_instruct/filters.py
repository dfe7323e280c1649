"""Which instructions and instances are refused, and by which reason. The first that holds counts."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from data_pipeline.self_instruct.rouge import tokens_of
from data_pipeline.self_instruct.wording import Wording
from data_pipeline.verifiers.normal import normal
from utils.data.language import HAN, language_of

LETTERS = 0.4  # share of letters and digits, of all that is neither blank nor a gap (____), below which it is no text
_HAN = re.compile(f"[{HAN}]")
_MARK_FIRST = re.compile(r"(?![\"'¿¡]|[-−]\d)")  # quotations and negative numbers may begin an instruction


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens of an instruction: words, or Chinese characters."""

    shortest: int
    longest: int


def instruction_flaw(instruction: str, prompt: str, lang: str, wording: Wording, limits: Limits) -> str | None:
    """Return why an instruction is refused, before it is compared with others; None when it may stay.

    Args:
        instruction: on one line.
        prompt: what the model was asked; a piece of it is nothing new.
        lang: `zh` or `en`.
        wording: the words of that language.
        limits: of its length.

    """
    if not instruction or _share_of_letters(instruction) < LETTERS:
        return "not_text"
    if _MARK_FIRST.match(instruction) and unicodedata.category(instruction[0]) in {"Pc", "Pd", "Pe", "Pf", "Po"}:
        return "starts_with_mark"
    length = len(tokens_of(instruction))
    if length < limits.shortest:
        return "too_short"
    if length > limits.longest:
        return "too_long"
    if not _in_language(instruction, lang):
        return "other_language"
    folded = normal(instruction).casefold()
    if folded.startswith(wording.programs):
        return "asks_for_program"
    if _cannot_do(wording.cannot_do).search(folded):
        return "beyond_text"
    return "repeats_prompt" if folded in normal(prompt).casefold() else None


def instance_flaw(instruction: str, given: str, output: str) -> str | None:
    """Return why an instance is refused (Self-Instruct's rules for answers, and copies); None when it may stay."""
    answer = normal(output)
    if not answer:
        return "empty_output"
    if answer == normal(given):
        return "output_is_input"
    if answer == normal(instruction):
        return "output_is_instruction"
    return "unfinished" if answer.endswith(":") else None  # also the full-width one; a dialogue's input may end so


def _share_of_letters(text: str) -> float:
    kinds = [unicodedata.category(character)[0] for character in text if not (character.isspace() or character == "_")]
    return sum(kind in "LNM" for kind in kinds) / len(kinds) if kinds else 0.0


def _in_language(text: str, lang: str) -> bool:
    """Tell whether a text is of a language; an English one may quote Chinese, a Chinese one much English code."""
    return _HAN.search(text) is not None if lang == "zh" else language_of(text) == "en"


@cache
def _cannot_do(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds the words: Latin ones whole, Chinese ones anywhere."""
    return re.compile("|".join(rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word) for word in words))
