"""A sample that people filled in, turned into precision: per rule and per entry of a blacklist, with its interval.

A reviewer writes into `review_verdict`: `right` (the decision or the change is what a careful editor would have done),
`wrong`, or `unsure`, which counts for neither. An empty one was not reviewed. Rows that were kept unchanged say how
much was missed: there `wrong` means that the row should not be there as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from utils.errors import UserError
from utils.report.intervals import wilson

COLUMNS = {"review_verdict": "", "review_defect": "", "review_note": ""}
VERDICTS = ("right", "wrong", "unsure")
ENOUGH = 20
"""Fewer verdicts say nothing of a rule, and suspend no entry."""
KEPT = "kept"


class Precision(NamedTuple):
    """How often a rule or an entry was right: share of `n` verdicts and its 95 % Wilson interval."""

    name: str
    n: int
    right: int
    unsure: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Return the precision; 0 of 0 is 0."""
        return self.right / self.n if self.n else 0.0

    @property
    def verdict(self) -> str:
        """Return `insufficient` under 20 verdicts, else `measured`."""
        return "measured" if self.n >= ENOUGH else "insufficient"


class Review(NamedTuple):
    """What a filled sample says: of rules (and of rows kept), of entries, and which entries it would suspend."""

    rules: list[Precision]
    entries: list[Precision]
    suspend: list[str]
    unreviewed: int


def review(rows: Iterable[Mapping[str, Any]], *, floor: float = 0.5, where: str = "the review file") -> Review:
    """Count the verdicts of a filled sample.

    Args:
        rows: lines of `posttrain clean sample` or of a run's `<name>-sample100.jsonl`.
        floor: an entry is suspended when, with 20 or more verdicts, the upper end of its interval lies below.
        where: for messages.

    Raises:
        UserError: a verdict is none of the three; the line is named.

    """
    rules: dict[str, list[str]] = {}
    entries: dict[str, list[str]] = {}
    unreviewed = 0
    for line, row in enumerate(rows, 1):
        verdict = str(row.get("review_verdict") or "").strip().lower()
        if not verdict:
            unreviewed += 1
            continue
        if verdict not in VERDICTS:
            mend = f"one of: {', '.join(VERDICTS)}"
            raise UserError(f"review_verdict {verdict[:40]!r}", where=f"{where}:{line}", mend=mend)
        rules.setdefault(_judged(row), []).append(verdict)
        for entry in row.get("entries") or ():
            entries.setdefault(str(entry), []).append(verdict)
    measured = [_precision(name, found) for name, found in sorted(entries.items())]
    suspend = [one.name for one in measured if one.n >= ENOUGH and one.high < floor]
    return Review([_precision(name, found) for name, found in sorted(rules.items())], measured, suspend, unreviewed)


def _judged(row: Mapping[str, Any]) -> str:
    """Return what a verdict is about: the rule of the line, else the row's first reason, else that it was kept."""
    reasons = row.get("clean_reasons") or ()
    return str(row.get("rule") or (reasons[0] if reasons else KEPT))


def _precision(name: str, verdicts: Sequence[str]) -> Precision:
    right, unsure = verdicts.count("right"), verdicts.count("unsure")
    n = len(verdicts) - unsure
    low, high = wilson(right, n) if n else (0.0, 1.0)
    return Precision(name, n, right, unsure, low, high)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a JSONL file.

    Raises:
        UserError: no such file, or a line is no JSON object; it is named.

    """
    import orjson

    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise UserError(f"no JSON: {error}", where=f"{path}:{number}") from None
        if not isinstance(row, dict):
            raise UserError("no JSON object", where=f"{path}:{number}")
        rows.append(row)
    return rows


def as_tables(found: Review) -> list[dict[str, Any]]:
    """Return a line per rule and entry, for a terminal or as JSON."""
    return [
        {
            "kind": kind,
            "name": one.name,
            "n": one.n,
            "right": one.right,
            "unsure": one.unsure,
            "precision": round(one.share, 4) if one.n else None,
            "low": round(one.low, 4),
            "high": round(one.high, 4),
            "verdict": "suspend" if kind == "entry" and one.name in found.suspend else one.verdict,
        }
        for kind, measured in (("rule", found.rules), ("entry", found.entries))
        for one in measured
    ]
