"""TRL's conversational preference: prompt, chosen and rejected are lists of `{role, content}`."""

from __future__ import annotations

from utils.data.formats.base import Format, Row
from utils.data.formats.preference import better, conversational, preference, texts


def _matches(row: Row) -> bool:
    return "prompt" in row and "chosen" in row and ("rejected" in row or "reject" in row) and conversational(row)


FORMAT = Format("trl_preference", _matches, texts, better, preference)
