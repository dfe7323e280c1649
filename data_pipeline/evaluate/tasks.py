"""Which held-out records are asked, and why the others are not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from data_pipeline.evaluate.config import EvaluateConfig
from data_pipeline.prompts import Prompt, prompt_of
from data_pipeline.verifiers import Verifier
from utils.data.records import Record, raw_id
from utils.data.streaming import iter_records


@dataclass(slots=True)
class Tasks:
    """Questions with a reference that the verifier can use."""

    prompts: list[Prompt] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def read_tasks(config: EvaluateConfig) -> Tasks:
    """Take every task once, in the order of a hash of the ids."""
    tasks = Tasks()
    taken: set[str] = set()
    records = sorted(iter_records(config.tasks, format=config.format), key=lambda r: (raw_id(r.id.encode()), r.source))
    for record in records:
        prompt = prompt_of(record)
        reason = flaw_of_task(record, prompt, config.verifier)
        if reason is None and record.id in taken:
            reason = "duplicate_id"
        if reason is None and config.limit is not None and len(taken) >= config.limit:
            reason = "over_limit"
        if reason is not None or prompt is None:
            tasks.dropped[reason or "no_question"] += 1
            continue
        taken.add(record.id)
        tasks.prompts.append(prompt)
    return tasks


def flaw_of_task(record: Record, prompt: Prompt | None, verifier: Verifier) -> str | None:
    """Say why a record is no task: nothing is asked, nothing is right, or the verifier cannot use what is right."""
    if prompt is None:
        return "no_question"
    if prompt.reference is None:
        return "no_reference"
    try:
        verifier.verify(prompt.reference, prompt.reference)
    except ValueError:
        return "reference_not_usable"
    return None
