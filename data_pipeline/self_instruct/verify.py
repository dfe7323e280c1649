"""Answers that a verifier can compare are asked for once more: two answers that differ make no training row.

Agreement is not truth: a model can be wrong twice. It is what can be had without a reference.
"""

from __future__ import annotations

from typing import Literal

from data_pipeline.self_instruct.tasks import Task
from data_pipeline.verifiers import exact, numeric
from data_pipeline.verifiers.normal import normal

Checker = Literal["label", "number"]

SHORT = 24  # characters: a longer answer holds its number among other words, which nothing compares
_MARKS = " .。!！\"'“”‘’"


def checker_of(task: Task) -> Checker | None:
    """Return what can compare two answers to a task: labels word for word, numbers by value; None: nothing can."""
    if task.is_classification:
        return "label"
    answer = normal(task.output)
    return "number" if len(answer) <= SHORT and len(numeric.NUMBER.findall(answer)) == 1 else None


def agree(checker: Checker, second: str, first: str) -> bool:
    """Tell whether two answers are the same label or the same number."""
    if checker == "number":
        return numeric.verify(second, first) == 1.0
    label = _label(first)
    return exact.verify(_label(second), label) == 1.0 if label else second.strip() == first.strip()


def _label(text: str) -> str:
    return normal(text).casefold().strip(_MARKS)
