"""Conversations without the exchanges that rules emptied, and long ones in parts cut between exchanges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from utils.data.formats import Format, Path, Row, Text


def without_empty_turns(row: Row, fmt: Format) -> Row:
    """Return the row without exchanges of which question and answer are empty; the row itself when there are none.

    Only formats whose turns are elements of a list can lose any; the last exchange stays, for a row of none is no
    row: a policy's `minimum_length` drops it. `row` is never changed.

    Raises:
        RowError: the row is not of the format.

    """
    texts = fmt.texts(row)
    turns = _turns(texts)
    empty = [
        at
        for at in range(len(turns) - 1)
        if [role for _, role, _ in (turns[at], turns[at + 1])] == ["user", "assistant"]
        and not turns[at][2].strip()
        and not turns[at + 1][2].strip()
    ]
    gone = {turns[at + step][0] for at in empty for step in (0, 1)}
    if not gone or 2 * len(empty) == sum(role in ("user", "assistant") for _, role, _ in turns):
        return row
    return _keep(row, turns, [turn for turn in turns if turn[0] not in gone])


def split_turns(row: Row, fmt: Format, sizes: Sequence[int], most: int) -> Iterator[Row]:
    """Give the row in parts of at most `most` tokens, cut between exchanges; a short row whole.

    Every part begins with the row's system text, if it has one, which counts in each; an exchange that is longer by
    itself is a part by itself, so nothing is lost. A text `id` gets `-1`, `-2` … behind it, as FastChat's
    `split_long_conversation` does; all else is as it was.

    Args:
        row: of a format with a list of turns; others are given back as they are.
        fmt: its format.
        sizes: tokens of each of `fmt.texts(row)`.
        most: tokens that a part may have.

    """
    texts = fmt.texts(row)
    turns = _turns(texts)
    if sum(sizes) <= most or len(turns) < len(texts) or len(turns) < 3:
        yield row
        return
    system = [turn for turn in turns if turn[1] == "system"]
    tokens = dict(zip((path for path, _, _ in texts), sizes, strict=True))
    of_system = sum(tokens[path] for path, _, _ in system)
    parts = _packed(_exchanges(turns), tokens, most - of_system)
    for number, part in enumerate(parts, 1):
        kept = _keep(row, turns, [*system, *part])
        yield {**kept, "id": f"{row['id']}-{number}"} if isinstance(row.get("id"), str) and len(parts) > 1 else kept


def _exchanges(turns: list[Text]) -> list[list[Text]]:
    """Return what is not a system text, cut before every user's turn that follows another's."""
    exchanges: list[list[Text]] = []
    before = ""
    for turn in turns:
        if turn[1] == "system":
            continue
        if not exchanges or (turn[1] == "user" and before != "user"):
            exchanges.append([])
        exchanges[-1].append(turn)
        before = turn[1]
    return exchanges


def _packed(exchanges: list[list[Text]], tokens: dict[Path, int], most: int) -> list[list[Text]]:
    """Return exchanges joined in order to parts of at most `most` tokens, longer exchanges alone."""
    parts: list[list[Text]] = []
    held = 0
    for exchange in exchanges:
        size = sum(tokens[path] for path, _, _ in exchange)
        if not parts or held + size > most:
            parts.append([])
            held = 0
        parts[-1] += exchange
        held += size
    return parts


def _turns(texts: list[Text]) -> list[Text]:
    """Return the texts that are elements of the row's one list of turns, `(key, i)` or `(key, i, key)`."""
    listed = [text for text in texts if len(text[0]) >= 2 and isinstance(text[0][1], int)]
    keys, places = {path[0] for path, _, _ in listed}, {path[:2] for path, _, _ in listed}
    return listed if len(keys) == 1 and len(places) == len(listed) else []


def _keep(row: Row, turns: list[Text], kept: list[Text]) -> Row:
    """Return the row with these of its turns."""
    key = str(turns[0][0][0])
    elements: list[Any] = row[key]
    return {**row, key: [elements[place] for place in sorted(int(path[1]) for path, _, _ in kept)]}
