"""From a row of some format to our types, and back to the forms that trainers read."""

from __future__ import annotations

import re
from typing import Any

from utils.data.formats.base import Format, Messages, Row, RowError, Text
from utils.data.language import language_of
from utils.data.records import Preference, Record, content_id, preference_id, to_dicts, turns_id

_PLAIN = (str, int, float, bool, type(None))
_ID = re.compile(r"[0-9a-f]{32}")


def row_id(row: Row, fmt: Format) -> str:
    """Return the row's id: `clean_id` when it carries one, else the hash of its content.

    Raises:
        RowError: the row does not hold what its format promises, or its `clean_id` is not 32 hex digits.

    """
    if (given := _given_id(row)) is not None:
        return given
    return preference_id(*fmt.preference(row)) if fmt.preference else content_id(fmt.messages(row))


def id_and_texts(row: Row, fmt: Format) -> tuple[str, list[Text]]:
    """Return `row_id` and `fmt.texts` of a row, at the cost of one; raises `RowError` as they do."""
    given = _given_id(row)
    texts = fmt.texts(row)
    if given is not None:
        return given, texts
    return preference_id(*fmt.preference(row)) if fmt.preference else turns_id(fmt.turns(texts)), texts


def record_from_row(row: Row, fmt: Format, source: str) -> Record:
    """Return the row as a record; a pair gives its prompt and chosen answer.

    Scalars beside the texts (score, category, title …) go to `meta`, the row's own id as `original_id`.

    Raises:
        RowError: the row does not hold what its format promises.

    """
    messages = fmt.messages(row)
    if (found := _given_id(row)) is None:
        found = preference_id(*fmt.preference(row)) if fmt.preference else content_id(messages)
    return Record(found, source, language_of_messages(messages), messages, _meta(row, fmt))


def preference_from_row(row: Row, fmt: Format, source: str) -> Preference:
    """Return the row as a pair; scalars beside the texts go to `provenance`.

    Raises:
        RowError: the format holds no pairs, or the row does not hold what its format promises.

    """
    if fmt.preference is None:
        raise RowError(f"format {fmt.name} holds no preference pairs")
    prompt, chosen, rejected = fmt.preference(row)
    found = _given_id(row) or preference_id(prompt, chosen, rejected)
    return Preference(found, source, prompt, chosen, rejected, _meta(row, fmt))


def to_trl(preference: Preference) -> dict[str, Any]:
    """Return TRL's conversational form, with our id and source."""
    return {
        "id": preference.id,
        "source": preference.source,
        "prompt": to_dicts(preference.prompt),
        "chosen": to_dicts(preference.chosen),
        "rejected": to_dicts(preference.rejected),
    }


def language_of_messages(messages: Messages) -> str:
    """Return the language of all turns together."""
    return language_of("\n".join(message.content for message in messages))


def _given_id(row: Row) -> str | None:
    if (given := row.get("clean_id")) is None:
        return None
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise RowError(f"clean_id is {str(given)[:40]!r}, not 32 hex digits")
    return given


def _meta(row: Row, fmt: Format) -> dict[str, Any]:
    used = {path[0] for path, _, _ in fmt.texts(row)}
    meta: dict[str, Any] = {}
    for key, value in row.items():
        if key in used or key.startswith("clean_") or isinstance(value, (dict, list)):
            continue
        meta["original_id" if key == "id" else key] = value if isinstance(value, _PLAIN) else str(value)
    return meta
