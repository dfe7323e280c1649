"""The rows that a card is about, as narrow columns: texts are looked at part by part and not kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import get_args

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cleaning.personal.emails import is_for_documentation
from cleaning.personal.kinds import Kind, found_in
from data_pipeline.attributes.base import UNIT, text_of
from data_pipeline.card.config import CardConfig, Taxonomy
from data_pipeline.card.mapping import keyword_nodes
from data_pipeline.exports.sets import chosen_sets, named_sets
from utils.data.records import RECORD_SCHEMA, records_to_table
from utils.data.streaming import iter_records
from utils.errors import UserError

_BATCH = 4096
KINDS = get_args(Kind)


@dataclass(slots=True)
class Rows:
    """All rows of all sets.

    Args:
        frame: `set, id, source, lang, tokens, characters, turns, node`; `node` by keywords, null where none fits.
        placeholders: by set, how many placeholders of each kind of personal data stand in the texts.
        found: by set, how much personal data of each kind the detectors of cleaning still find in the texts.

    """

    frame: pl.DataFrame
    placeholders: dict[str, Counter[str]] = field(default_factory=dict)
    found: dict[str, Counter[str]] = field(default_factory=dict)


def sets_of(config: CardConfig) -> dict[str, Path]:
    """Return the sets that the card is about, by name."""
    if config.sets is not None:
        return chosen_sets(config.input, config.sets)
    return {name: path for name, path in named_sets(config.input).items() if not name.startswith("controls/")}


def load_rows(config: CardConfig) -> Rows:
    """Read every set once.

    Raises:
        UserError: there are no rows.

    """
    parts: list[pl.DataFrame] = []
    rows = Rows(pl.DataFrame())
    for name, path in sets_of(config).items():
        placeholders, found = rows.placeholders.setdefault(name, Counter()), rows.found.setdefault(name, Counter())
        for batch in batches(path, config.format):
            texts = batch.select(text=text_of())["text"]
            placeholders.update(_placeholders(texts))
            found.update(_still_found(texts.to_list()))
            parts.append(_narrow(batch, texts, config.taxonomy).select(pl.lit(name).alias("set"), pl.all()))
    if not parts:
        raise UserError("no rows to describe", where=str(config.input), mend="name an input that has rows")
    rows.frame = pl.concat(parts)
    return rows


def batches(path: Path, format: str | None) -> Iterator[pl.DataFrame]:
    """Yield the rows of a set (`id, source, lang, messages`), some thousand at a time."""
    columns = ["id", "source", "lang", "messages"]
    if path.suffix == ".parquet" and set(RECORD_SCHEMA.names) <= set(pq.read_schema(path).names):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(_BATCH, columns=columns):
                yield pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
        return
    records = iter_records(path, format=format)
    while some := list(islice(records, _BATCH)):
        yield pl.DataFrame(pl.from_arrow(records_to_table(some).select(columns)))


def _narrow(batch: pl.DataFrame, texts: pl.Series, taxonomy: Taxonomy | None) -> pl.DataFrame:
    roles = pl.col("messages").list.eval(pl.element().struct.field("role"))
    frame = batch.select(
        "id",
        "source",
        "lang",
        tokens=texts.str.to_lowercase().str.count_matches(UNIT).cast(pl.Int64),
        characters=texts.str.len_chars().cast(pl.Int64),
        turns=roles.list.len().cast(pl.Int64) - roles.list.count_matches("system").cast(pl.Int64),
    )
    asked = batch.select(text=text_of(answers=False))["text"]
    node = pl.Series([None] * batch.height, dtype=pl.String) if taxonomy is None else keyword_nodes(asked, taxonomy)
    return frame.with_columns(node.alias("node"))


def _placeholders(texts: pl.Series) -> Mapping[str, int]:
    counts = {kind: int(texts.str.count_matches(f"<{kind}>", literal=True).sum()) for kind in KINDS}
    return {kind: count for kind, count in counts.items() if count}


def _still_found(texts: Sequence[str]) -> Iterator[str]:
    """Yield the kind of everything that is found; addresses at example.com and the like are nobody's."""
    for at, ones in found_in(texts):
        for one in ones:
            if one.kind != "email" or not is_for_documentation(texts[at][one.start : one.end]):
                yield one.kind
