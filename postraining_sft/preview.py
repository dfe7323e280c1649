"""What a run would train on, row by row, before it trains: `posttrain sft --preview N`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from postraining_sft.config import DataSource, SftConfig

if TYPE_CHECKING:
    from postraining_sft.data import Decided
    from utils.data.records import Record
    from utils.models.templates import ChatTemplate

ROWS = 5


def preview(argv: list[str]) -> int:
    """Print the first records of every source as they are trained on, or why they are not; write nothing."""
    from utils.runs.config import load_config
    from utils.runs.stage import arguments

    parser = arguments("sft --preview")
    parser.add_argument("rows", nargs="?", type=_positive, default=ROWS, metavar="N", help=f"records; default {ROWS}")
    options = parser.parse_args(argv)
    config = load_config(SftConfig, options.config, options.set)
    for text in shown(config, options.rows):
        sys.stdout.write(text + "\n\n")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def shown(config: SftConfig, count: int) -> Iterator[str]:
    """Give the first records of the sources in turn, `count` in all: what becomes of each, then its rows."""
    from postraining_sft.data import drawn
    from utils.models.templates import open_template

    template = open_template(config.model, config.template)
    records = kept = rows = tokens = trained = 0
    for name, source, record in _dealt(config, count):
        records += 1
        decided = drawn(record, source.weight, config, template)
        kept += bool(decided.rows)
        rows += len(decided.rows)
        tokens += sum(len(row.ids) for row in decided.rows)
        trained += sum(sum(row.mask[1:]) for row in decided.rows)
        yield _told(name, record, decided, config, template)
    sizes = f"{rows} rows, {tokens:,} tokens, {trained:,} with loss"
    yield f"{records} records: {kept} kept as {sizes}; {records - kept} dropped"


def _dealt(config: SftConfig, count: int) -> Iterator[tuple[str, DataSource, Record]]:
    """Give a record of every source in turn, until there are `count` or no more."""
    from postraining_sft.stages import trainings
    from utils.data.streaming import iter_records

    hands = [
        (f"{one.name}: {source.path}" if one.name else str(source.path), source)
        for one in trainings(config)
        for source in one.config.data
    ]
    open_hands = [
        (name, source, iter_records(source.path, format=source.format, text_field=source.text_field))
        for name, source in hands
    ]
    while open_hands:
        for hand in list(open_hands):
            name, source, records = hand
            if count <= 0:
                return
            record = next(records, None)
            if record is None:
                open_hands.remove(hand)
                continue
            count -= 1
            yield name, source, record


def _told(name: str, record: Record, decided: Decided, config: SftConfig, template: ChatTemplate) -> str:
    """Return a record's heading and its rows; where something is left out, how long it is as a whole."""
    from postraining_sft.data import tokens_of
    from utils.models.preview import coloured

    words = ["kept" if decided.rows else "dropped", *decided.reasons]
    if set(decided.reasons) & {"over_length", "split", "part_over_length", "cut"}:
        words.append(f"{tokens_of(record, config, template):,} tokens in all, max_length {config.max_length:,}")
    heading = f"==== {name}, {record.id}: {', '.join(words)} ===="
    return "\n".join([heading, *(coloured(template, row) for row in decided.rows)])
