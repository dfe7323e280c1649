"""What the rows of a file ask, and how much of it a model can take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_pipeline.generate.config import GenerateConfig
from data_pipeline.prompts import Prompt, prompt_of
from utils.data.formats import Format, RowError, detect
from utils.data.inputs import InputFile, find_files
from utils.data.partitions import plan_partitions
from utils.data.reading import RawRow, read_partition
from utils.data.records import RECORD_SCHEMA, ROLES, Message, Record, from_dicts
from utils.data.rows import record_from_row
from utils.data.streaming import source_name
from utils.errors import UserError

if TYPE_CHECKING:
    from utils.models.templates import ChatTemplate

_ONE_PARTITION = 1 << 40  # bytes: this reader is one process
_OWN = set(RECORD_SCHEMA.names)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one row asks: exactly one of `prompt` and `error` holds.

    Args:
        file: relative path of its file.
        row: its number there, from 0.
        prompt: the question.
        error: why there is none.

    """

    file: str
    row: int
    prompt: Prompt | None = None
    error: str | None = None


def read(config: GenerateConfig) -> Iterator[Asked]:
    """Give every row of the input in order; a row that asks nothing, or cannot be read, comes with its error.

    Raises:
        UserError: nothing readable, or the first row of a file is of no known format.

    """
    source = config.input if isinstance(config.input, list) else [config.input]
    for file in find_files(source):
        fmt: Format | None = None
        for partition in plan_partitions(file, _ONE_PARTITION):
            for raw in read_partition(partition):
                if fmt is None and raw.row is not None and not _own(raw, config):
                    where = f"{file.path}, row {raw.source_row + 1}"
                    fmt = detect(raw.row, name=config.format, text_field=config.text_field, where=where)
                yield _asked(file, raw, None if _own(raw, config) else fmt, config.system)


def _own(raw: RawRow, config: GenerateConfig) -> bool:
    """Whether a row is of our record schema and nothing else is said of it."""
    return config.format is None and config.text_field is None and raw.row is not None and raw.row.keys() >= _OWN


def _asked(file: InputFile, raw: RawRow, fmt: Format | None, system: str | None) -> Asked:
    try:
        prompt = prompt_of(_record(raw, fmt, source_name(file)))
    except RowError as error:
        return Asked(file.relative, raw.source_row, error=str(error))
    if prompt is None:
        return Asked(file.relative, raw.source_row, error="nobody asks anything in this row")
    return Asked(file.relative, raw.source_row, _with_system(prompt, system))


def _record(raw: RawRow, fmt: Format | None, source: str) -> Record:
    if raw.row is None:
        raise RowError(str(raw.error))
    if fmt is not None:
        return record_from_row(raw.row, fmt, source)
    messages = raw.row["messages"]
    fine = isinstance(messages, list) and all(
        isinstance(one, dict) and one.get("role") in ROLES and isinstance(one.get("content"), str) for one in messages
    )
    if not fine:
        raise RowError(f"not messages: role must be one of {', '.join(ROLES)}, content a text")
    name, own_source, lang = (str(raw.row[key]) for key in ("id", "source", "lang"))
    return Record(name, own_source, lang, from_dicts(messages))


def _with_system(prompt: Prompt, system: str | None) -> Prompt:
    if system is None or prompt.messages[0].role == "system":
        return prompt
    messages = (Message("system", system), *prompt.messages)
    return Prompt(prompt.id, prompt.source, prompt.lang, messages, prompt.reference, prompt.meta)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is asked of the model in the end.

    Args:
        messages: what is asked; None when it cannot be.
        tokens: its length.
        cut: whether something was left out.
        error: why it cannot be asked.

    """

    messages: tuple[Message, ...] | None
    tokens: int = 0
    cut: bool = False
    error: str | None = None


def fitted(template: ChatTemplate, messages: Sequence[Message], room: int | None, *, cut: bool) -> Fitted:
    """Make a prompt fit.

    Args:
        template: of the model.
        messages: what the row asks.
        room: tokens that a prompt may have; None for no limit.
        cut: leave out what does not fit: the oldest exchanges first, the system message never, then as much of the
            question's end as is needed (what is to be done stands at its beginning).

    """
    from jinja2 import TemplateError

    try:
        tokens = len(template.prompt(messages))
        if room is None or tokens <= room:
            return Fitted(tuple(messages), tokens)
        shorter = _shorter(template, messages, room) if cut else None
    except (UserError, TemplateError) as error:
        return Fitted(None, error=f"the chat template refuses the prompt: {error}")
    if shorter is None:
        return Fitted(None, tokens, error=f"{tokens} prompt tokens, and there is room for {room}")
    return Fitted(shorter, len(template.prompt(shorter)), cut=True)


def _shorter(template: ChatTemplate, messages: Sequence[Message], room: int) -> tuple[Message, ...] | None:
    from utils.models.templates import exchanges_of

    def fits(some: Sequence[Message]) -> bool:
        return len(template.prompt(some)) <= room

    system, exchanges = exchanges_of(messages)
    while len(exchanges) > 1:
        exchanges = exchanges[1:]
        kept = [*system, *(message for exchange in exchanges for message in exchange)]
        if fits(kept):
            return tuple(kept)
    *before, question = exchanges[0]
    some, all_of_it = 0, len(question.content)  # characters of the question that fit, and that do not
    while some + 1 < all_of_it:
        middle = (some + all_of_it) // 2
        if fits([*system, *before, Message(question.role, question.content[:middle])]):
            some = middle
        else:
            all_of_it = middle
    return (*system, *before, Message(question.role, question.content[:some])) if some else None
