"""The rows that a card is about, as narrow columns: texts are looked at part by part and not kept."""

from __future__ import annotations

import json
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
from data_pipeline.attributes.store import load_columns
from data_pipeline.attributes.taxonomy.mapping import tags_of, told
from data_pipeline.attributes.taxonomy.tree import Taxonomy
from data_pipeline.card.config import CardConfig
from data_pipeline.exports.licences import held_back, models_in
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
        frame: `set, id, source, lang, tokens, characters, turns, models` (those that the row names), `held_back` (why
            it may not go out, null if it may); with a tree that is not measured yet `node, how`.
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


def load_rows(config: CardConfig, tree: Taxonomy | None) -> Rows:
    """Read every set once.

    Args:
        config: the card's.
        tree: the taxonomy that rows are mapped to, by tags and keywords; None when there is nothing to map.

    Raises:
        UserError: there are no rows.

    """
    tags = None if tree is None else _tags(config, tree)
    parts: list[pl.DataFrame] = []
    rows = Rows(pl.DataFrame())
    for name, path in sets_of(config).items():
        placeholders, found = rows.placeholders.setdefault(name, Counter()), rows.found.setdefault(name, Counter())
        for batch in batches(path, config.format):
            texts = batch.select(text=text_of())["text"]
            placeholders.update(_placeholders(texts))
            found.update(_still_found(texts.to_list()))
            narrow = _narrow(batch, texts, config)
            if tree is not None:
                narrow = pl.concat([narrow, _nodes(batch, tags, tree)], how="horizontal")
            parts.append(narrow.select(pl.lit(name).alias("set"), pl.all()))
    if not parts:
        raise UserError("no rows to describe", where=str(config.input), mend="name an input that has rows")
    rows.frame = pl.concat(parts)
    return rows


def batches(path: Path, format: str | None) -> Iterator[pl.DataFrame]:
    """Yield the rows of a set (`id, source, lang, messages, meta`), some thousand at a time."""
    columns = RECORD_SCHEMA.names
    if path.suffix == ".parquet" and set(RECORD_SCHEMA.names) <= set(pq.read_schema(path).names):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(_BATCH, columns=columns):
                yield pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
        return
    records = iter_records(path, format=format)
    while some := list(islice(records, _BATCH)):
        yield pl.DataFrame(pl.from_arrow(records_to_table(some).select(columns)))


def _narrow(batch: pl.DataFrame, texts: pl.Series, config: CardConfig) -> pl.DataFrame:
    roles = pl.col("messages").list.eval(pl.element().struct.field("role"))
    models = [models_in(json.loads(meta)) if meta else [] for meta in batch["meta"].to_list()]
    named = zip(batch["source"].to_list(), models, strict=True)
    why = [held_back(source, some, config.licences, config.model_licences) for source, some in named]
    return batch.select(
        "id",
        "source",
        "lang",
        tokens=texts.str.to_lowercase().str.count_matches(UNIT).cast(pl.Int64),
        characters=texts.str.len_chars().cast(pl.Int64),
        turns=roles.list.len().cast(pl.Int64) - roles.list.count_matches("system").cast(pl.Int64),
        models=pl.Series(models, dtype=pl.List(pl.String)),
        held_back=pl.Series(why, dtype=pl.String),
    )


def _tags(config: CardConfig, tree: Taxonomy) -> pl.DataFrame | None:
    """Return `id, tags` of all measured rows, where the tree maps by a column."""
    if tree.column is None:
        return None
    if config.attributes is None:
        mend = "name the attributes run that has it"
        raise UserError(f"the taxonomy maps by {tree.column}, which needs `attributes`", where="taxonomy", mend=mend)
    table = load_columns(config.attributes, [tree.column])
    return table.select("id", tags=tags_of(table[tree.column], tree.column))


def _nodes(batch: pl.DataFrame, tags: pl.DataFrame | None, tree: Taxonomy) -> pl.DataFrame:
    """Return `node, how` of the rows, by their tags and keywords."""
    asked = batch.select(text=text_of(answers=False))["text"]
    if tags is None:
        return told(asked, None, tree)
    own = batch.select("id").join(tags, on="id", how="left", maintain_order="left")["tags"]
    return told(asked, tags_of(own, "tags"), tree)


def _placeholders(texts: pl.Series) -> Mapping[str, int]:
    counts = {kind: int(texts.str.count_matches(f"<{kind}>", literal=True).sum()) for kind in KINDS}
    return {kind: count for kind, count in counts.items() if count}


def _still_found(texts: Sequence[str]) -> Iterator[str]:
    """Yield the kind of everything that is found; addresses at example.com and the like are nobody's."""
    for at, ones in found_in(texts):
        for one in ones:
            if one.kind != "email" or not is_for_documentation(texts[at][one.start : one.end]):
                yield one.kind
