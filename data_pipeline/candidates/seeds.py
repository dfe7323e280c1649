"""Which records are asked, and why the others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from data_pipeline.prompts import Prompt, prompt_of
from utils.data.records import Record, raw_id


@dataclass(slots=True)
class Seeds:
    """The questions of a run, and a decision about every record."""

    prompts: list[Prompt] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)

    def counts(self) -> dict[str, Any]:
        """Return `in = kept + dropped + quarantined` over the records."""
        reasons = Counter(row["reasons"][0] for row in self.decisions if row["reasons"])
        return {
            "in": len(self.decisions),
            "kept": len(self.prompts),
            "dropped": reasons.total(),
            "quarantined": 0,
            "by_reason": dict(sorted(reasons.items())),
        }


def choose_seeds(records: Iterable[Record], *, limit: int | None, into: str) -> Seeds:
    """Take every question once, in the order of a hash of the ids, so that the order of the file decides nothing.

    Args:
        records: in any order.
        limit: at most this many questions.
        into: the run's name, for the decisions.

    """
    seeds = Seeds()
    taken: set[str] = set()
    for record in sorted(records, key=lambda record: (raw_id(record.id.encode()), record.source)):
        prompt = prompt_of(record)
        reason = _reason(record, prompt, taken, limit)
        if reason is None and prompt is not None:
            taken.add(record.id)
            seeds.prompts.append(prompt)
        seeds.decisions.append(
            {
                "id": record.id,
                "status": "dropped" if reason else "kept",
                "reasons": [reason] if reason else [],
                "into": None if reason else into,
            }
        )
    return seeds


def _reason(record: Record, prompt: Prompt | None, taken: set[str], limit: int | None) -> str | None:
    if prompt is None:
        return "no_question"
    if record.id in taken:
        return "duplicate_id"
    return "over_limit" if limit is not None and len(taken) >= limit else None
