"""A judge scores every answer; what it cannot score is invalid, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_pipeline.batches import batch_name, revision_of
from data_pipeline.candidates.table import read_candidates
from data_pipeline.judges.config import JudgeConfig
from data_pipeline.judges.kinds.verdict import Candidate, Judge
from data_pipeline.judges.table import JUDGEMENTS_SCHEMA
from utils.data.records import read_parquet, write_parquet

if TYPE_CHECKING:
    from utils.runs.directory import Run

JUDGED = ["candidate_id", "reference", "stored_key"]  # what decides a verdict; the id covers prompt, model and text


def inputs(config: JudgeConfig) -> list[Path]:
    """Return the candidates and what the judge reads."""
    return [config.candidates, *config.judge.inputs]


def dry_run(config: JudgeConfig) -> dict[str, Any]:
    """Return the number of answers to judge, and by whom."""
    return {"answers": read_candidates(config.candidates).num_rows, "judge": config.judge.label}


def work(run: Run, config: JudgeConfig) -> dict[str, Any]:
    """Judge batch by batch, then join the batches."""
    candidates = read_candidates(config.candidates).sort_by("candidate_id")
    batches = [candidates.slice(start, config.batch_size) for start in range(0, len(candidates), config.batch_size)]
    spec = [config.judge.model_dump(mode="json", exclude={"file"}), [revision_of(run, p) for p in config.judge.inputs]]
    names = [batch_name("verdicts", spec, batch.select(JUDGED).to_pylist()) for batch in batches]
    with run.progress(len(batches), "judge") as progress, ExitStack() as stack:
        judge: Judge | None = None
        for name, batch in zip(names, batches, strict=True):
            if run.committed(name) is None:
                judge = judge or stack.enter_context(config.judge.open())
                _judge(run, name, config.judge.label, judge, batch.to_pylist())
            progress.step()
            run.stop.check()
    return _assemble(run, names)


def _part(name: str) -> str:
    return f"run/work/{name}.parquet"


def _judge(run: Run, name: str, label: str, judge: Judge, candidates: Sequence[Candidate]) -> None:
    """Have one batch judged, and commit it."""
    rows = [
        {
            "candidate_id": candidate["candidate_id"],
            "prompt_id": candidate["prompt_id"],
            "judge": label,
            "score": verdict.score,
            "valid": verdict.valid,
            "detail": verdict.detail,
        }
        for candidate, verdict in zip(candidates, judge.judge(candidates), strict=True)
    ]
    with run.unit(name) as unit:
        with unit.file(_part(name)) as temporary:
            write_parquet(pa.Table.from_pylist(rows, schema=JUDGEMENTS_SCHEMA), temporary)
        unit.commit({"by_content": True, **_counts(rows)})


def _assemble(run: Run, names: list[str]) -> dict[str, Any]:
    parts = [read_parquet(run.path / _part(name)) for name in names]
    table = pa.concat_tables([JUDGEMENTS_SCHEMA.empty_table(), *parts])
    counts = _counts(table.to_pylist())
    with run.unit("judgements") as unit:
        with unit.file("judgements.parquet") as temporary:
            write_parquet(table, temporary)
        unit.commit(counts)
    return counts


def _counts(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return `in = kept (valid) + dropped (none) + quarantined (invalid)`, and the reasons of the invalid ones."""
    invalid = Counter(row["detail"] for row in rows if not row["valid"])
    return {
        "in": len(rows),
        "kept": len(rows) - invalid.total(),
        "dropped": 0,
        "quarantined": invalid.total(),
        "by_reason": {},
        "invalid": dict(invalid.most_common(20)),
    }
