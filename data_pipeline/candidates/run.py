"""Many models answer the seeds: batch by batch, one model after another."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from data_pipeline.batches import Batch, batch_name, batch_seed, cut, revision_of
from data_pipeline.candidates.config import CandidatesConfig
from data_pipeline.candidates.flags import constant_answers
from data_pipeline.candidates.kinds import CandidateModel
from data_pipeline.candidates.kinds.reply import Pool
from data_pipeline.candidates.seeds import Seeds, choose_seeds
from data_pipeline.candidates.table import CANDIDATES_SCHEMA, PART_SCHEMA, candidate_row
from data_pipeline.prompts import Prompt, content_of, fold_blanks
from utils.data.ledger import assert_balanced, decisions_table, write_decisions
from utils.data.records import read_parquet, write_parquet
from utils.data.streaming import iter_records
from utils.errors import UserError

if TYPE_CHECKING:
    from utils.runs.directory import Run


def inputs(config: CandidatesConfig) -> list[Path]:
    """Return the seeds and what the models are read from."""
    return [config.seeds, *dict.fromkeys(model.input for model in config.models)]


def dry_run(config: CandidatesConfig) -> dict[str, Any]:
    """Return the numbers of seeds and of answers that will be asked for."""
    seeds = _seeds(config)
    asked = [{"model": str(model.input), "answers": model.asks(len(seeds.prompts))} for model in config.models]
    return {"seeds": seeds.counts(), "asked": asked}


def work(run: Run, config: CandidatesConfig) -> dict[str, Any]:
    """Ask every model; commit batch by batch; assemble the table."""
    seeds = _seeds(config)
    assert_balanced(seeds.counts(), "seeds")
    if not seeds.prompts:
        raise UserError(f"no seed asks a question: {seeds.counts()['by_reason']}", where=str(config.seeds))
    planned = [(model, _batches(run, config, model, seeds.prompts)) for model in config.models]
    with run.progress(sum(len(batches) for _, batches in planned), "candidates") as progress:
        for model, batches in planned:
            with ExitStack() as stack:
                pool: Pool | None = None
                for batch in batches:
                    if run.committed(batch.name) is None:
                        pool = pool or stack.enter_context(model.open())
                        _answer(run, model, pool, batch)
                    progress.step()
                    run.stop.check()
    return _assemble(run, seeds, [batch for _, batches in planned for batch in batches])


def _seeds(config: CandidatesConfig) -> Seeds:
    records = iter_records(config.seeds, format=config.format, text_field=config.text_field)
    return choose_seeds(records, limit=config.limit, into=config.name or config.output.name)


def _batches(run: Run, config: CandidatesConfig, model: CandidateModel, prompts: list[Prompt]) -> list[Batch]:
    spec = model.model_dump(mode="json", exclude={"path", "file"})
    revision = revision_of(run, model.input)
    batches = []
    for some in cut(prompts, model.batch_size):
        name = batch_name("answers", spec, revision, config.seed, content_of(some))
        batches.append(Batch(name, batch_seed(config.seed, name), list(some)))
    return batches


def _answer(run: Run, model: CandidateModel, pool: Pool, batch: Batch) -> None:
    """Have one batch answered, and commit it."""
    revision = revision_of(run, model.input)
    seed = batch.seed if model.kind != "replay" else None
    replies = pool.answer(batch.prompts, batch.seed)
    pairs = [(prompt, reply) for prompt, some in zip(batch.prompts, replies, strict=True) for reply in some]
    rows = [
        candidate_row(prompt, reply, revision=revision, seed=seed, policy=model.policy)
        for prompt, reply in pairs
        if not reply.missing
    ]
    with run.unit(batch.name) as unit:
        with unit.file(batch.part) as temporary:
            write_parquet(pa.Table.from_pylist(rows, schema=PART_SCHEMA), temporary)
        failed = sum(row["error"] is not None for row in rows)
        unit.commit(
            {
                "by_content": True,
                "in": len(pairs),
                "kept": len(rows) - failed,
                "dropped": len(pairs) - len(rows),
                "quarantined": failed,
                "by_reason": {"no_stored_answer": len(pairs) - len(rows)} if len(pairs) > len(rows) else {},
            }
        )


@dataclass(slots=True)
class _Totals:
    numbers: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, report: dict[str, Any]) -> None:
        self.numbers.update({name: report[name] for name in ("in", "kept", "dropped", "quarantined")})
        self.reasons.update(report["by_reason"])


def _assemble(run: Run, seeds: Seeds, batches: list[Batch]) -> dict[str, Any]:
    """Join the parts: answers shuffled by their content hash, failures apart."""
    totals = _Totals()
    for batch in batches:
        totals.add(run.committed(batch.name) or {})
    whole = pa.concat_tables([read_parquet(run.path / batch.part) for batch in batches])
    good = whole.filter(pc.is_null(whole["error"])).select(CANDIDATES_SCHEMA.names)
    good = _flag_constants(good.sort_by("candidate_id"))
    failed = whole.filter(pc.is_valid(whole["error"])).select(["prompt_id", "model", "sample", "error"])
    _refuse_twins(good)
    flags = Counter(flag for some in good["flags"].to_pylist() for flag in some)
    counts = {
        **{name: totals.numbers[name] for name in ("in", "kept", "dropped", "quarantined")},
        "by_reason": dict(totals.reasons),
        "seeds": seeds.counts(),
        "flags": dict(sorted(flags.items())),
    }
    with run.unit("candidates") as unit:
        with unit.file("candidates.parquet") as temporary:
            write_parquet(good, temporary)
        with unit.file("quarantine/requests.jsonl") as temporary:
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in failed.to_pylist()]
            temporary.write_text("".join(sorted(lines)), encoding="utf-8")
        with unit.file("ledger/decisions.parquet") as temporary:
            write_decisions(decisions_table(seeds.decisions), temporary)
        unit.commit(counts)
    return counts


def _flag_constants(candidates: pa.Table) -> pa.Table:
    """Flag the answers that a model gives to everything: seen only when all of them are there."""
    keys = list(zip(*(candidates[name].to_pylist() for name in ("model", "prompt_id", "text")), strict=True))
    constant = constant_answers(keys)
    flags = [
        [*some, "one_for_many"] if (model, fold_blanks(text)) in constant else some
        for (model, _, text), some in zip(keys, candidates["flags"].to_pylist(), strict=True)
    ]
    column = pa.array(flags, CANDIDATES_SCHEMA.field("flags").type)
    return candidates.set_column(candidates.schema.get_field_index("flags"), "flags", column)


def _refuse_twins(candidates: pa.Table) -> None:
    """Refuse two answers under one (prompt, model, sample): two pools gave the same name to different models."""
    keys = candidates.group_by(["prompt_id", "model", "sample"]).aggregate([([], "count_all")])
    if keys.num_rows < candidates.num_rows:
        twin = keys.filter(pc.greater(keys["count_all"], 1)).to_pylist()[0]
        raise UserError(
            f"two pools hold answers of {twin['model']!r}", where="models", mend="give one of them another name"
        )
