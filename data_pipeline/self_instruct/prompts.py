"""The prompts, each one text: a completion API goes on where it ends, and a chat model does the same.

All end inside the form that is to be filled in, so one parser reads the replies of both. Examples are data, some of
them written by a model: control tokens of chat templates in them become plain text (S11).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from data_pipeline.prompts import fold_blanks
from data_pipeline.self_instruct.tasks import Task
from data_pipeline.self_instruct.wording import Wording
from utils.models.chat.guard import neutral

SEPARATOR = "###"
_SEPARATING = re.compile(r"^[ \t]*#{3,}", re.MULTILINE)


def whole_tasks_prompt(examples: Sequence[Task], wording: Wording, count: int) -> str:
    """Return the prompt whose reply is tasks, numbered on from the examples."""
    head = wording.whole_tasks.format(count=count, no_input=wording.no_input)
    shown = [numbered(number, task, wording) for number, task in enumerate(examples, 1)]
    return _joined([head, *shown, _label(len(examples) + 1, wording.task, wording)])


def instructions_prompt(examples: Sequence[Task], wording: Wording, count: int) -> str:
    """Return the prompt whose reply is instructions alone, one a line, numbered on from the examples."""
    lines = [f"{number}. {one_line(task.instruction)}" for number, task in enumerate(examples, 1)]
    head = wording.instructions.format(count=count)
    return "\n".join([head, "", *lines, f"{len(examples) + 1}."])


def decision_prompt(examples: Sequence[Task], instruction: str, wording: Wording) -> str:
    """Return the prompt whose reply is yes or no."""
    shown = [
        _decided(task.instruction, wording) + (wording.yes if task.is_classification else wording.no)
        for task in examples
    ]
    return _joined([wording.decision, *shown, _decided(instruction, wording)])


def instance_prompt(examples: Sequence[Task], instruction: str, is_classification: bool, wording: Wording) -> str:
    """Return the prompt whose reply is one instance: the output first for a classification, else the input."""
    head = wording.instance.format(no_input=wording.no_input)
    shown = [numbered(number, task, wording) for number, task in enumerate(examples, 1)]
    return _joined([head, *shown, instance_head(len(examples) + 1, instruction, is_classification, wording)])


def instance_head(number: int, instruction: str, is_classification: bool, wording: Wording) -> str:
    """Return the lines of a task up to the label of its first part."""
    first = wording.answer if is_classification else wording.given
    return "\n".join([_opening(number, instruction, is_classification, wording), _label(number, first, wording)])


def check_prompt(task: Task, wording: Wording) -> str:
    """Return the prompt that asks for a task's answer anew."""
    parts = [wording.check, _plain(wording.task, task.instruction, wording)]
    parts += [_plain(wording.given, task.input, wording)] if task.input else []
    return "\n".join([*parts, _plain(wording.answer, "", wording).rstrip()])


def numbered(number: int, task: Task, wording: Wording) -> str:
    """Return a task in the form that replies have: for a classification the output stands before the input."""
    given = _part(number, wording.given, task.input or wording.no_input, wording)
    answer = _part(number, wording.answer, task.output, wording)
    parts = [answer, given] if task.is_classification else [given, answer]
    return "\n".join([_opening(number, task.instruction, task.is_classification, wording), *parts])


def one_line(instruction: str) -> str:
    """Return an instruction with its blanks folded and without a colon at its end."""
    return fold_blanks(neutral(instruction)).rstrip(":：")


def _opening(number: int, instruction: str, is_classification: bool, wording: Wording) -> str:
    decision = wording.yes if is_classification else wording.no
    task = _label(number, wording.task, wording) + wording.colon[1:] + one_line(instruction)
    return task + "\n" + _label(number, wording.kind, wording) + wording.colon[1:] + decision


def _part(number: int, label: str, text: str, wording: Wording) -> str:
    """Return a labelled text; a line of it that looks like our separator is set off, so that it parts no tasks."""
    return _label(number, label, wording) + "\n" + _SEPARATING.sub(lambda found: f" {found[0]}", neutral(text))


def _label(number: int, label: str, wording: Wording) -> str:
    return f"{number}. {label}{wording.colon[0]}"


def _plain(label: str, text: str, wording: Wording) -> str:
    return f"{label}{wording.colon}{neutral(text)}"


def _decided(instruction: str, wording: Wording) -> str:
    return f"{wording.task}{wording.colon}{one_line(instruction)}\n{wording.kind}{wording.colon}"


def _joined(parts: Sequence[str]) -> str:
    return f"\n{SEPARATOR}\n".join(parts)
