"""Replies read strictly: a task is whole and in the form that was asked for, or it is refused with a reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from data_pipeline.self_instruct.wording import Wording

_SEPARATORS = re.compile(r"(?:^[ \t]*#{3,}[ \t]*(?:\n|\Z))+", re.MULTILINE)
_LINE = re.compile(r"^[ \t]*(\d+)[ \t]*[.．、][ \t]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Draft:
    """What one numbered piece of a reply holds.

    Args:
        raw: the piece.
        instruction: None when it could not be read.
        is_classification: None while nobody has said.
        input: None while there is none yet; empty when the task needs none.
        output: None while there is none yet.
        refused: why it is none; None when it was read.

    """

    raw: str
    instruction: str | None = None
    is_classification: bool | None = None
    input: str | None = None
    output: str | None = None
    refused: str | None = None


def whole_tasks(reply: str, first: int, cut: bool, wording: Wording) -> list[Draft]:
    """Return the tasks of a reply, read or refused, in order.

    Args:
        reply: what came after `<first>. Instruction:`, or the same with that label repeated.
        first: the number that the prompt ended with.
        cut: the reply ended at the limit of its tokens, so its last task is not whole.
        wording: its labels.

    """
    return _without_last([_whole_task(piece, wording) for piece in _pieces(reply, first, wording)], cut)


def instructions(reply: str, first: int, cut: bool) -> list[Draft]:
    """Return the instructions of a reply, read or refused, in order; arguments as `whole_tasks`."""
    text = reply if _LINE.match(reply.lstrip("\n")) else f"{first}. {reply.strip()}"
    starts = list(_LINE.finditer(text))
    ends = [*(found.start() for found in starts[1:]), len(text)]
    drafts = [Draft("", refused="empty_reply")] if not reply.strip() else []
    for found, end in zip(starts if reply.strip() else [], ends, strict=False):
        said = " ".join(_SEPARATORS.sub("", text[found.end() : end]).split())
        raw = text[found.start() : end].strip()
        drafts.append(Draft(raw, said) if said else Draft(raw, refused="unreadable"))
    return _without_last(drafts, cut)


def decision(reply: str, wording: Wording) -> bool | None:
    """Return what the first line of a reply says of a task; None when it is neither yes nor no."""
    said = reply.strip().partition("\n")[0].strip().strip(".。!！\"“”'*").lower()
    return {wording.yes: True, wording.no: False}.get(said)


def instance(reply: str, head: str, cut: bool, wording: Wording) -> Draft:
    """Return the task of an instance reply, read or refused.

    Args:
        reply: what came after `head`, or the same with some or all of the labels repeated.
        head: the task's lines, which the prompt ended with.
        cut: the reply ended at the limit of its tokens.
        wording: its labels.

    """
    said = reply.strip()
    opening = _SEPARATORS.match(said)
    text = _SEPARATORS.split(said[opening.end() :] if opening else said)[0]
    lines = head.split("\n")
    begins = [at for at, line in enumerate(lines) if text.lstrip().startswith(line.split(wording.colon[0])[0])]
    whole = "\n".join([*(lines[: begins[0]] if begins else lines), text])
    return _without_last([_whole_task(whole, wording)], cut)[0]


@cache
def _labels(wording: Wording) -> re.Pattern[str]:
    words = "|".join(map(re.escape, (wording.task, wording.kind, wording.given, wording.answer)))
    return re.compile(rf"^[ \t]*(\d+)[ \t]*[.．、][ \t]*({words})[ \t]*[:：][ \t]*", re.MULTILINE)


def _pieces(reply: str, first: int, wording: Wording) -> list[str]:
    """Cut a reply at separators and before every label of an instruction; what stands before a label is a piece too."""
    chunks = [chunk.strip() for chunk in _SEPARATORS.split(reply) if chunk.strip()]
    if not chunks:
        return [""]
    begins = _labels(wording).match(chunks[0])
    if not begins or begins[2] != wording.task:
        chunks[0] = f"{first}. {wording.task}{wording.colon}{chunks[0]}"
    return [piece for chunk in chunks for piece in _cut(chunk, wording)]


def _cut(chunk: str, wording: Wording) -> list[str]:
    starts = {0, *(found.start() for found in _labels(wording).finditer(chunk) if found[2] == wording.task)}
    ordered = sorted(starts)
    return [chunk[start:end].strip() for start, end in zip(ordered, [*ordered[1:], len(chunk)], strict=True)]


def _whole_task(piece: str, wording: Wording) -> Draft:
    """Read one piece: four labels with one number, each once, in the order that the decision asks for."""
    if not piece:
        return Draft("", refused="empty_reply")
    if not (found := list(_labels(wording).finditer(piece))):
        return Draft(piece, refused="unreadable")
    ends = [*(label.start() for label in found[1:]), len(piece)]
    texts = [piece[label.end() : end].strip() for label, end in zip(found, ends, strict=True)]
    names = [label[2] for label in found]
    parts = dict(zip(names, texts, strict=True))
    decided = decision(parts.get(wording.kind, ""), wording)
    if len(names) != 4 or len(parts) != 4 or len({label[1] for label in found}) != 1 or decided is None:
        return Draft(piece, refused="unreadable")
    order = [wording.answer, wording.given] if decided else [wording.given, wording.answer]
    if names != [wording.task, wording.kind, *order]:
        return Draft(piece, refused="wrong_order")
    given = "" if parts[wording.given] == wording.no_input else parts[wording.given]
    return Draft(piece, " ".join(parts[wording.task].split()), decided, given, parts[wording.answer])


def _without_last(drafts: list[Draft], cut: bool) -> list[Draft]:
    return [*drafts[:-1], Draft(drafts[-1].raw, refused="cut")] if cut and drafts else drafts
