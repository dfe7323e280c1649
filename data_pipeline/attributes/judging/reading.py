"""A judge's reply as a number: one value on the scale, or the reason why there is none. Never a default (F17)."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal, NoReturn

Reading = Literal["json", "number"]
_NUMBER = re.compile(r"[0-9](\.[0-9]{1,4})?")


class InvalidReplyError(ValueError):
    """The reply is no score; the text says why, in words that can be counted."""


def read_score(text: str, reading: Reading, scale: tuple[int, int]) -> float:
    """Return the score that a reply holds.

    Args:
        text: the whole reply; blanks around it do not count.
        reading: `number`: it is one number and nothing else; `json`: it is one object, `{"score": number}`.
        scale: lowest and highest score.

    Raises:
        InvalidReplyError: it is anything else.

    """
    text = text.strip()
    if not text:
        raise InvalidReplyError("empty reply")
    score = _object(text) if reading == "json" else _number(text)
    if not scale[0] <= score <= scale[1]:
        raise InvalidReplyError(f"not on the scale {scale[0]}–{scale[1]}")
    return score


def schema_of(scale: tuple[int, int]) -> dict[str, Any]:
    """Return the JSON schema of `{"score": …}`, for models that can be held to it."""
    score = {"type": "integer", "enum": list(range(scale[0], scale[1] + 1))}
    return {"type": "object", "properties": {"score": score}, "required": ["score"], "additionalProperties": False}


def expectation(first_token: Mapping[str, float], scale: tuple[int, int]) -> tuple[float, float] | None:
    """Return Σ p(k)·k ÷ Σ p(k) over the scores k that the first token may be, and Σ p(k); None when it may be none.

    DEITA's score (arXiv 2312.15685): a softmax over the scores' logits. A score that is not among the alternatives
    that came back counts as impossible.

    Args:
        first_token: natural log-probabilities of the likeliest first tokens.
        scale: lowest and highest score.

    """
    weights: dict[int, float] = {}
    for token, logprob in first_token.items():
        digit = unicodedata.normalize("NFKC", token).strip()
        if digit.isascii() and digit.isdigit() and len(digit) == 1 and scale[0] <= int(digit) <= scale[1]:
            weights[int(digit)] = weights.get(int(digit), 0.0) + math.exp(logprob)
    mass = sum(weights.values())
    return (sum(score * weight for score, weight in weights.items()) / mass, mass) if mass > 0 else None


def _number(text: str) -> float:
    folded = unicodedata.normalize("NFKC", text)
    if not _NUMBER.fullmatch(folded):
        raise InvalidReplyError("not one number")
    return float(folded)


def _object(text: str) -> float:
    try:
        value, end = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refused).raw_decode(text)
    except InvalidReplyError:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidReplyError("not JSON") from error
    if text[end:].strip():
        raise InvalidReplyError("more than one JSON object")
    if not isinstance(value, dict) or value.keys() != {"score"}:
        raise InvalidReplyError('not {"score": number}')
    score = value["score"]
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise InvalidReplyError("the score is no number")
    return float(min(max(score, -1), 10))  # an integer of a thousand digits is off any scale


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise InvalidReplyError("a key twice")
    return dict(pairs)


def _refused(_: str) -> NoReturn:
    raise InvalidReplyError("the score is no number")
