"""What a training run decided about every input row: the decision ledger and the counts of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from utils.runs.directory import Run


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a row is trained on.

    Args:
        id: of the record or preference.
        kept: or dropped.
        reasons: why it was dropped, or what was done to it.

    """

    id: str
    kept: bool
    reasons: tuple[str, ...] = ()


def count(decisions: Sequence[Decision]) -> dict[str, Any]:
    """Count decisions as a stage reports them: `in = kept + dropped + quarantined`."""
    kept = sum(decision.kept for decision in decisions)
    by_reason = Counter(decision.reasons[0] for decision in decisions if not decision.kept)
    return {
        "in": len(decisions),
        "kept": kept,
        "dropped": len(decisions) - kept,
        "quarantined": 0,
        "by_reason": dict(sorted(by_reason.items())),
    }


def publish_decisions(run: Run, decisions: Sequence[Decision]) -> dict[str, Any]:
    """Commit `ledger/decisions.parquet` and return the counts; ranks other than the leader only count."""
    counts = count(decisions)
    if not run.leader or run.committed("decisions") is not None:
        return counts
    from utils.data.ledger import decisions_table, write_decisions

    rows = [
        {
            "id": decision.id,
            "status": "kept" if decision.kept else "dropped",
            "reasons": list(decision.reasons),
            "into": run.path.name if decision.kept else None,
        }
        for decision in decisions
    ]
    with run.unit("decisions") as unit:
        with unit.file("ledger/decisions.parquet") as temporary:
            write_decisions(decisions_table(rows), temporary)
        unit.commit(counts)
    return counts
