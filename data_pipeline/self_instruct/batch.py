"""One batch: asked, parsed, filtered, answered, verified. Every draft ends kept, dropped with a reason, or failed."""

from __future__ import annotations

from collections.abc import Sequence

from data_pipeline.self_instruct import parse
from data_pipeline.self_instruct.ask import Asker, Shown, request_seed
from data_pipeline.self_instruct.filters import Limits, instance_flaw, instruction_flaw
from data_pipeline.self_instruct.parse import Draft
from data_pipeline.self_instruct.pool import Pool
from data_pipeline.self_instruct.rouge import Nearest
from data_pipeline.self_instruct.table import task_id
from data_pipeline.self_instruct.tasks import Row, Task
from data_pipeline.self_instruct.verify import agree, checker_of


def made(asker: Asker, pool: Pool, batch: int, name: str, prompts: int) -> list[Row]:
    """Return a row under `DRAFTS_SCHEMA` for every draft of a batch, and for every request that failed.

    Args:
        asker: asks the model.
        pool: shows examples and knows what is there; not changed.
        batch: its number.
        name: its name, from which its seeds follow.
        prompts: how many are asked.

    """
    shown = [pool.shown(name, number) for number in range(prompts)]
    seeds = [request_seed(asker.config.seed, name, number) for number in range(prompts)]
    rows: list[Row] = []
    for number, answer in enumerate(asker.new(shown, seeds)):
        about = {
            "batch": batch,
            "prompt": number,
            "seed_ids": [task.id for task in shown[number].seeds],
            "pool_ids": [task.id for task in shown[number].pool],
            "model": answer.model,
            "request_seed": seeds[number],
            "node": shown[number].node,
        }
        if answer.text is None:
            rows.append({**about, "status": "quarantined", "error": answer.error})
        else:
            rows += [{**about, **_row(draft)} for draft in asker.drafts(answer, shown[number])]
    _filter(rows, shown, asker, pool)
    if asker.config.way == "steps":
        _decide(_waiting(rows), asker, pool, name)
        _fill(_waiting(rows), asker, pool, name)
    if pool.shortfall is not None:
        pool.shortfall.place(_waiting(rows), pool.taken)
    if asker.config.verify:
        _verify(_waiting(rows), asker)
    for row in _waiting(rows):
        row |= {"status": "kept", "id": task_id(row["instruction"], row["input"], row["output"])}
    return rows


def _row(draft: Draft) -> Row:
    row: Row = {name: getattr(draft, name) for name in ("raw", "instruction", "input", "output", "is_classification")}
    return row | ({"status": "dropped", "reason": draft.refused} if draft.refused else {})


def _waiting(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that nothing was decided of yet."""
    return [row for row in rows if "status" not in row]


def _drop(row: Row, reason: str) -> None:
    row |= {"status": "dropped", "reason": reason}


def _fail(row: Row, error: str | None) -> None:
    row |= {"status": "quarantined", "error": error}


def _filter(rows: Sequence[Row], shown: Sequence[Shown], asker: Asker, pool: Pool) -> None:
    """Drop what has a flaw, or is too near to a seed, to the pool, or to an earlier draft of this batch."""
    config = asker.config
    limits = Limits(config.shortest, config.longest)
    here = Nearest(config.similarity)
    for number, row in enumerate(rows):
        if "status" in row:
            continue
        instruction = row["instruction"]
        flaw = instruction_flaw(instruction, shown[row["prompt"]].text, config.lang, asker.wording, limits)
        if flaw is None and row["output"] is not None:
            flaw = instance_flaw(instruction, row["input"], row["output"])
        if flaw is not None:
            _drop(row, flaw)
            continue
        found = [near for near in (pool.near.nearest(instruction), here.nearest(instruction)) if near is not None]
        if found:
            name, similarity = max(found, key=lambda near: near[1])
            _drop(row, "near_duplicate")
            row |= {"similar_to": name, "similarity": similarity}
        else:
            here.add(f"draft {number} of this batch", instruction)


def _decide(rows: Sequence[Row], asker: Asker, pool: Pool, name: str) -> None:
    answers = asker.decisions([row["instruction"] for row in rows], pool.decision_examples(name))
    for row, answer in zip(rows, answers, strict=True):
        if answer.text is None:
            _fail(row, answer.error)
        elif (kind := parse.decision(answer.text, asker.wording)) is None:
            _drop(row, "undecided")
        else:
            row["is_classification"] = kind


def _fill(rows: Sequence[Row], asker: Asker, pool: Pool, name: str) -> None:
    asked = [(row["instruction"], row["is_classification"]) for row in rows]
    found = asker.instances(asked, pool.instance_examples(name))
    for row, (answer, draft) in zip(rows, found, strict=True):
        if draft is None:
            _fail(row, answer.error)
            continue
        row |= {"input": draft.input, "output": draft.output, "raw": f"{row['raw']}\n{draft.raw}"}
        flaw = draft.refused or instance_flaw(row["instruction"], draft.input or "", draft.output or "")
        if draft.is_classification not in (None, row["is_classification"]):
            flaw = "wrong_order"
        if flaw is not None:
            _drop(row, flaw)


def _verify(rows: Sequence[Row], asker: Asker) -> None:
    """Ask for the answers that can be compared once more; drop those that do not agree."""
    tasks = [Task("", row["instruction"], row["input"], row["output"], row["is_classification"]) for row in rows]
    checkers = [checker_of(task) for task in tasks]
    chosen = [(row, task, checker) for row, task, checker in zip(rows, tasks, checkers, strict=True) if checker]
    answers = asker.checks([task for _, task, _ in chosen])
    for (row, task, checker), answer in zip(chosen, answers, strict=True):
        if answer.text is None:
            _fail(row, answer.error)
        elif agree(checker, answer.text, task.output):
            row["verified"] = checker
        else:
            _drop(row, "answers_disagree")
