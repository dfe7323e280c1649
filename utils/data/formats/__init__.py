"""The shapes of rows that we read. A new one is one file here and one line in `FORMATS`."""

from __future__ import annotations

from utils.data.formats import (
    alpaca,
    chat,
    comparison,
    data_list,
    document,
    dolly,
    preference,
    prompt_completion,
    seed_task,
    sharegpt,
    trl_preference,
)
from utils.data.formats.base import Format, Path, Row, RowError, Text, replace
from utils.data.formats.text_field import text_field_format
from utils.errors import UserError

FORMATS: tuple[Format, ...] = (
    data_list.FORMAT,
    alpaca.FORMAT,
    dolly.FORMAT,
    sharegpt.FORMAT,
    chat.FORMAT,
    prompt_completion.FORMAT,
    seed_task.FORMAT,
    comparison.FORMAT,
    preference.FORMAT,
    trl_preference.FORMAT,
    document.FORMAT,
)

__all__ = ["FORMATS", "Format", "Path", "Row", "RowError", "Text", "detect", "format_named", "replace"]


def detect(row: Row, *, name: str | None = None, text_field: str | None = None, where: str | None = None) -> Format:
    """Return the format of a row, by its name or column if given, else by its keys and shapes.

    Args:
        row: the first readable row of a file.
        name: the config's `format`.
        text_field: the config's `text_field`; the column must be in the row.
        where: the file, for the message.

    Raises:
        UserError: unknown or ambiguous; the message has the row's keys and the names to choose from.

    """
    if text_field is not None:
        return _checked_text_field(row, text_field, where)
    if name is not None:
        return format_named(name)
    found = [known for known in FORMATS if known.matches(row)]
    if len(found) == 1:
        return found[0]
    keys = ", ".join(map(str, list(row)[:30])) or "none"
    if not found:
        raise UserError(
            f"unknown format; the row's keys are: {keys}; known formats: {_names(FORMATS)}",
            where=where,
            mend="set `format:` to one of them, or `text_field:` to the column that holds the text",
        )
    raise UserError(
        f"ambiguous format: {_names(found)} all fit the keys {keys}",
        where=where,
        mend=f"set `format:` to one of {_names(found)}",
    )


def format_named(name: str) -> Format:
    """Return the format of that name.

    Raises:
        UserError: there is none; the nearest name is offered.

    """
    import difflib

    by_name = {known.name: known for known in FORMATS}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name, by_name, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {_names(FORMATS)}"
    raise UserError(f"no format is called {name!r}", where="format", mend=hint)


def _checked_text_field(row: Row, field: str, where: str | None) -> Format:
    if field not in row:
        raise UserError(
            f"no column {field!r}; the row's keys are: {', '.join(map(str, row))}",
            where=where,
            mend="set `text_field:` to one of them",
        )
    return text_field_format(field)


def _names(formats: tuple[Format, ...] | list[Format]) -> str:
    return ", ".join(known.name for known in formats)
