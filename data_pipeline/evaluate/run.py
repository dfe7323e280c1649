"""Models answer held-out tasks: accuracy with intervals, held-out loss, each model against the one before it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_pipeline.batches import Batch, batch_name, batch_seed, cut, revision_of
from data_pipeline.evaluate.config import EvaluateConfig, EvaluatedModel
from data_pipeline.evaluate.metrics import metrics
from data_pipeline.evaluate.tasks import Tasks, read_tasks
from data_pipeline.loaded_model import context_length, flaw_of, loaded
from data_pipeline.prompts import Prompt, content_of
from utils.data.records import MESSAGES, Message, read_parquet, to_dicts, write_parquet
from utils.errors import UserError
from utils.models.logprobs import answer_logprobs

if TYPE_CHECKING:
    from utils.models.generate import LocalModel
    from utils.runs.directory import Run

ANSWERS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("model", pa.string()),
        ("lang", pa.string()),
        ("prompt", MESSAGES),
        ("reference", pa.string()),
        ("text", pa.string()),
        ("score", pa.float64()),
        ("tokens", pa.int32()),
        ("finish_reason", pa.string()),
        ("reference_logprob", pa.float64()),
        ("reference_tokens", pa.int32()),
        ("error", pa.string()),
    ]
)


def inputs(config: EvaluateConfig) -> list[Path]:
    """Return the tasks and the models."""
    return [config.tasks, *dict.fromkeys(model.path for model in config.models)]


def dry_run(config: EvaluateConfig) -> dict[str, Any]:
    """Return how many tasks each model gets, and the most tokens that can come out."""
    tasks = read_tasks(config)
    answers = len(tasks.prompts) * len(config.models)
    return {
        "tasks": len(tasks.prompts),
        "dropped": dict(tasks.dropped),
        "answers": answers,
        "most_new_tokens": answers * config.max_new_tokens,
    }


def work(run: Run, config: EvaluateConfig) -> dict[str, Any]:
    """Let every model do every task; commit batch by batch; count."""
    tasks = read_tasks(config)
    if not tasks.prompts:
        raise UserError(f"no task: {dict(tasks.dropped)}", where=str(config.tasks), mend="name records with answers")
    planned = [(model, _batches(run, config, model, tasks.prompts)) for model in config.models]
    with run.progress(sum(len(batches) for _, batches in planned), "evaluate") as progress:
        for model, batches in planned:
            with ExitStack() as stack:
                opened: LocalModel | None = None
                for batch in batches:
                    if run.committed(batch.name) is None:
                        opened = opened or stack.enter_context(loaded(model.path, batch_size=config.batch_size))
                        _commit(run, batch, _rows(config, model, opened, batch))
                    progress.step()
                    run.stop.check()
    return _assemble(run, config, tasks, [batch for _, batches in planned for batch in batches])


def _batches(run: Run, config: EvaluateConfig, model: EvaluatedModel, prompts: list[Prompt]) -> list[Batch]:
    spec = [model.name, config.verifier.model_dump(mode="json"), config.max_new_tokens, config.seed]
    revision = revision_of(run, model.path)
    batches = []
    for some in cut(prompts, config.batch_size):
        name = batch_name("evaluated", spec, revision, content_of(some))
        batches.append(Batch(name, batch_seed(config.seed, name), list(some)))
    return batches


def _rows(config: EvaluateConfig, evaluated: EvaluatedModel, model: LocalModel, batch: Batch) -> list[dict[str, Any]]:
    """Return one row per task: answer, score and the reference's log-probability, or the error."""
    flaws = [flaw_of(model, prompt.messages, config.max_new_tokens) for prompt in batch.prompts]
    able = [prompt for prompt, flaw in zip(batch.prompts, flaws, strict=True) if flaw is None]
    answers = model.answer(
        [prompt.messages for prompt in able], max_new_tokens=config.max_new_tokens, temperature=0, seed=batch.seed
    )
    done = {
        prompt.id: {
            "text": answer.text,
            "score": config.verifier.verify(answer.text, str(prompt.reference)),
            "tokens": answer.tokens,
            "finish_reason": answer.finish_reason,
            **likelihood,
        }
        for prompt, answer, likelihood in zip(able, answers, _likelihoods(model, able), strict=True)
    }
    return [
        {
            "id": prompt.id,
            "model": evaluated.name,
            "lang": prompt.lang,
            "prompt": to_dicts(prompt.messages),
            "reference": prompt.reference,
            "error": flaw,
            **done.get(prompt.id, {}),
        }
        for prompt, flaw in zip(batch.prompts, flaws, strict=True)
    ]


def _likelihoods(model: LocalModel, prompts: list[Prompt]) -> list[dict[str, Any]]:
    """Return the references' log-probabilities and token counts; none for one that is too long for the model."""
    pairs = [model.template.pair(p.messages, [Message("assistant", str(p.reference))]) for p in prompts]
    limit = context_length(model)
    fits = [limit is None or len(asked) + len(answer) <= limit for asked, answer in pairs]
    some = [pair for pair, fit in zip(pairs, fits, strict=True) if fit]
    coming = iter(answer_logprobs(model.model, some, batch_size=model.batch_size))
    found: list[dict[str, Any]] = []
    for fit in fits:
        score = next(coming) if fit else None
        found.append({"reference_logprob": score.logprob, "reference_tokens": score.tokens} if score else {})
    return found


def _commit(run: Run, batch: Batch, rows: list[dict[str, Any]]) -> None:
    failed = sum(row["error"] is not None for row in rows)
    with run.unit(batch.name) as unit:
        with unit.file(batch.part) as temporary:
            write_parquet(pa.Table.from_pylist(rows, schema=ANSWERS_SCHEMA), temporary)
        unit.commit(
            {"by_content": True, "in": len(rows), "kept": len(rows) - failed, "dropped": 0, "quarantined": failed}
        )


def _assemble(run: Run, config: EvaluateConfig, tasks: Tasks, batches: list[Batch]) -> dict[str, Any]:
    """Join the batches; failed tasks stay in the table with their error, and enter no number."""
    table = pa.concat_tables([read_parquet(run.path / batch.part) for batch in batches])
    table = table.sort_by([("id", "ascending"), ("model", "ascending")])
    answered = [row for row in table.to_pylist() if row["error"] is None]
    found = metrics(answered, [model.name for model in config.models])
    dropped = {reason: number * len(config.models) for reason, number in sorted(tasks.dropped.items())}
    counts = {
        "in": table.num_rows + sum(dropped.values()),
        "kept": len(answered),
        "dropped": sum(dropped.values()),
        "quarantined": table.num_rows - len(answered),
        "by_reason": dropped,
    }
    with run.unit("evaluation") as unit:
        with unit.file("answers.parquet") as temporary:
            write_parquet(table, temporary)
        with unit.file("metrics.json") as temporary:
            about = {"verifier": config.verifier.kind, "tasks": len(tasks.prompts), **found}
            temporary.write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        unit.commit(counts)
    return counts
