"""The run: batch after batch until the target or the last prompt, each batch committed whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from data_pipeline.self_instruct.ask import Asker
from data_pipeline.self_instruct.batch import made
from data_pipeline.self_instruct.config import SelfInstructConfig
from data_pipeline.self_instruct.forecast import forecast
from data_pipeline.self_instruct.pool import Pool
from data_pipeline.self_instruct.report import report as report  # the stage's own name for it
from data_pipeline.self_instruct.table import DRAFTS_SCHEMA, drafts_table, training_row
from data_pipeline.self_instruct.tasks import Row, read_seed_tasks
from data_pipeline.self_instruct.wording import WORDINGS
from utils.data.ledger import decisions_table, write_decisions
from utils.data.records import read_parquet, write_parquet
from utils.models.chat.cost import ledger

if TYPE_CHECKING:
    from utils.runs.directory import Run


def inputs(config: SelfInstructConfig) -> list[Path]:
    """Return the seed tasks, and what the model is read from where it lies on this machine."""
    return [config.seeds, *config.model.inputs]


def dry_run(config: SelfInstructConfig) -> dict[str, Any]:
    """Return requests, tokens and cost, from the least to the most, and what leaves this host."""
    pool = Pool(config, read_seed_tasks(config.seeds))
    return forecast(config, pool) | ({"quota": pool.shortfall.rooms} if pool.shortfall else {})


def work(run: Run, config: SelfInstructConfig) -> dict[str, Any]:
    """Ask until the pool is large enough; write it."""
    pool = Pool(config, read_seed_tasks(config.seeds))
    names: list[str] = []
    used: dict[str, Counter[str]] = {}
    with ExitStack() as stack, run.progress(config.target, "accepted tasks") as progress:
        asker: Asker | None = None
        for name, number, prompts in _batches(config):
            if pool.full:
                break
            if run.committed(name) is None:
                asker = asker or Asker(config, stack.enter_context(config.model.open(run.path)))
                _commit(run, asker, made(asker, pool, number, name, prompts), name)
            before = len(pool.tasks)
            pool.add(read_parquet(run.path / _part(name)).to_pylist())
            progress.step(len(pool.tasks) - before)
            for what, counts in (run.committed(name) or {})["used"].items():
                used.setdefault(what, Counter()).update(counts)
            names.append(name)
            run.stop.check()
    if not pool.full:
        run.log.warning("max_prompts is used up with %d of %d tasks accepted", len(pool.tasks), config.target)
    return _publish(run, config, names, used)


def _batches(config: SelfInstructConfig) -> Iterator[tuple[str, int, int]]:
    """Give name, number and prompts of every batch that the config allows."""
    for number, start in enumerate(range(0, config.max_prompts, config.prompts_per_batch)):
        yield f"batch-{number:06d}", number, min(config.prompts_per_batch, config.max_prompts - start)


def _part(name: str) -> str:
    return f"run/work/{name}.parquet"


def _commit(run: Run, asker: Asker, rows: list[Row], name: str) -> None:
    """Commit one batch; what it used is counted from here to the next."""
    with run.unit(name) as unit:
        with unit.file(_part(name)) as temporary:
            write_parquet(drafts_table(rows), temporary)
        unit.commit({**_counts(rows), "used": {what: dict(counts) for what, counts in asker.used.items()}})
    asker.used.clear()


def _counts(rows: list[Row]) -> dict[str, Any]:
    status = Counter(row["status"] for row in rows)
    reasons = Counter(row["reason"] for row in rows if row["status"] == "dropped")
    return {
        "in": len(rows),
        **{name: status[name] for name in ("kept", "dropped", "quarantined")},
        "by_reason": dict(sorted(reasons.items())),
    }


def _publish(run: Run, config: SelfInstructConfig, names: list[str], used: dict[str, Counter[str]]) -> dict[str, Any]:
    """Write the accepted tasks up to the target, and what became of every draft."""
    tables = [read_parquet(run.path / _part(name)) for name in names]
    rows = pa.concat_tables([DRAFTS_SCHEMA.empty_table(), *tables]).to_pylist()
    kept = [row for row in rows if row["status"] == "kept"]
    for row in kept[config.target :]:
        row |= {"status": "dropped", "reason": "over_target"}
    about = {"self_instruct": config.way, "prompt_version": WORDINGS[config.lang].version}
    lines = [orjson.dumps(training_row(row, config.format, about)) + b"\n" for row in kept[: config.target]]
    counts = {**_counts(rows), "used": {what: dict(counted) for what, counted in sorted(used.items())}}
    counts |= {"batches": len(names), "target": config.target, "paid": ledger(run.path)}
    failed = [{name: row[name] for name in ("batch", "prompt", "instruction", "error")} for row in rows if row["error"]]
    with run.unit("tasks") as unit:
        with unit.file("tasks.jsonl") as temporary:
            temporary.write_bytes(b"".join(lines))
        with unit.file("drafts.parquet") as temporary:
            write_parquet(drafts_table(rows), temporary)
        with unit.file("quarantine/requests.jsonl") as temporary:
            temporary.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in failed), "utf-8")
        with unit.file("ledger/decisions.parquet") as temporary:
            write_decisions(decisions_table(_decisions(rows, config)), temporary)
        unit.commit(counts)
    return counts


def _decisions(rows: list[Row], config: SelfInstructConfig) -> Iterator[Row]:
    """Give the ledger's row of every draft that was a whole task: the others have no content to name."""
    into = config.name or config.output.name
    for row in rows:
        if row["id"] is not None:
            kept = row["status"] == "kept"
            reasons = [] if kept else [row["reason"]]
            yield {"id": row["id"], "status": row["status"], "reasons": reasons, "into": into if kept else None}
