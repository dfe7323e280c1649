"""The rows of a map: one line per row with a vector, all flat columns of all attributes beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from data_pipeline.attributes.kinds.embedding import vectors_of
from data_pipeline.attributes.rows import ROWS, load_rows
from data_pipeline.attributes.store import load_attribute
from data_pipeline.view.config import ViewConfig
from utils.data.records import read_parquet
from utils.data.streaming import iter_records
from utils.errors import UserError
from utils.runs.commit import read_json

Turns = Sequence[tuple[str, str]]
"""Role and text."""

AFTER = "after"
_PROMPT_SHARE = 0.6  # of a preview, when there is an answer too
_FLAT = ("int", "uint", "float", "double", "halffloat", "bool", "string", "large_string")


def gather(config: ViewConfig) -> tuple[pl.DataFrame, np.ndarray, dict[str, Any]]:
    """Return the map's rows in the order of the input, their vectors float32 [rows, d], and the counts of all rows.

    Columns: `id, source, lang, text` (a preview), `attribute.column` for every flat column of every attribute, `tier`
    and `after` when they were asked for.

    Raises:
        UserError: no rows, no such attribute, or `after` shares no row with the input.

    """
    rows = _rows(config)
    vectors, known = _vectors(config.attributes, config.embedding)
    joined = rows.unique("id", keep="first", maintain_order=True).join(
        known, on="id", how="left", maintain_order="left"
    )
    measured = joined.filter(pl.col("has_vector").is_not_null())
    there = measured.filter(pl.col("has_vector"))
    if there.is_empty():
        mend = "name the attributes run over these rows"
        raise UserError(
            f"no row of the input has a vector in {config.embedding!r}", where=str(config.attributes), mend=mend
        )
    drawn = _drawn(there, config.points, config.seed)
    reasons = {
        "duplicate_id": rows.height - joined.height,
        "no_vector": measured.height - there.height,
        "not_drawn": there.height - drawn.height,
    }
    by_reason = {reason: count for reason, count in reasons.items() if count}
    counts = {
        "in": rows.height,
        "kept": drawn.height,
        "dropped": sum(by_reason.values()),
        "quarantined": joined.height - measured.height,
        "by_reason": by_reason,
    }
    frame = _described(drawn.drop("vector", "has_vector"), config)
    return frame, vectors[drawn["vector"].to_numpy()], counts


def _rows(config: ViewConfig) -> pl.DataFrame:
    columns: dict[str, list[str]] = {"id": [], "source": [], "lang": [], "text": []}
    for identity, source, lang, turns in _read(config):
        for column, value in zip(
            columns.values(), (identity, source, lang, preview(turns, config.preview)), strict=True
        ):
            column.append(value)
    if not columns["id"]:
        where = str(config.attributes if config.input is None else config.input)
        raise UserError("no rows to draw", where=where, mend="name an input that has rows")
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _read(config: ViewConfig) -> Iterator[tuple[str, str, str, Turns]]:
    """Yield id, source, language and turns of the wanted rows: those that were measured, or those of the input."""
    if config.input is not None:
        for record in iter_records(config.input, format=config.format, text_field=config.text_field):
            yield record.id, record.source, record.lang, [(m.role, m.content) for m in record.messages]
        return
    parts = sorted((config.attributes / ROWS).parent.glob(Path(ROWS).name.format("*")))
    if not parts:
        raise UserError("no attributes run", where=str(config.attributes), mend="run posttrain attributes first")
    for number in range(len(parts)):
        for row in load_rows(config.attributes, [number]).iter_rows(named=True):
            yield row["id"], row["source"], row["lang"], [(m["role"], m["content"]) for m in row["messages"]]


def preview(turns: Turns, characters: int) -> str:
    """Return the beginning of a row on one line: of its prompt, and of its answer after `→`."""
    prompt, answer = (
        " ".join(" ".join(text[: 4 * characters] for role, text in turns if (role == "assistant") == own).split())
        for own in (False, True)
    )
    if not answer:
        return _cut(prompt, characters)
    if not prompt:
        return _cut(answer, characters)
    head = _cut(prompt, max(int(characters * _PROMPT_SHARE), characters - len(answer) - 3))
    return f"{head} → {_cut(answer, characters - len(head) - 3)}"


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _vectors(run: Path, name: str) -> tuple[np.ndarray, pl.DataFrame]:
    """Return float32 [valid rows, d], and of every measured row `id, has_vector, vector` (its place there)."""
    load_attribute(run, name, [])  # says what is missing
    folder = run / "attributes" / name
    parts = read_json(folder / "manifest.json")["parts"]
    if not parts:
        raise UserError(f"no rows: {name} was measured on none", where=str(folder))
    table = pa.concat_tables([read_parquet(folder / part) for part in parts])
    vectors, valid = vectors_of(table)
    places = np.cumsum(valid) - 1
    known = pl.DataFrame({"id": table["id"].to_pylist(), "has_vector": valid, "vector": places})
    return vectors, known.unique("id", keep="first", maintain_order=True)


def _drawn(frame: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """Return at most `most` rows, by lot, in their order."""
    if frame.height <= most:
        return frame
    chosen = np.sort(np.random.default_rng(seed).permutation(frame.height)[:most])
    return frame[chosen]


def _described(frame: pl.DataFrame, config: ViewConfig) -> pl.DataFrame:
    for path in sorted((config.attributes / "attributes").glob("*/manifest.json")):
        name, flat = path.parent.name, _flat_columns(read_json(path)["columns"])
        if flat:
            table = load_attribute(config.attributes, name, flat).unique("id", keep="first", maintain_order=True)
            table = table.rename({column: f"{name}.{column}" for column in flat})
            frame = frame.join(table, on="id", how="left", maintain_order="left")
    if config.tier is not None:
        frame = frame.join(_decisions(config.tier), on="id", how="left", maintain_order="left")
    if config.after is not None:
        frame = frame.with_columns(_left_over(frame["id"], config))
    return frame


def _flat_columns(columns: dict[str, str]) -> list[str]:
    """Return the columns that are numbers, texts or lists of texts, by the types of a manifest."""

    def flat(kind: str) -> bool:
        return kind.rstrip("0123456789") in _FLAT or (kind.startswith("list<") and kind.endswith(": string>"))

    return [name for name, kind in columns.items() if name not in {"id", "lang"} and flat(kind)]


def _decisions(run: Path) -> pl.DataFrame:
    """Return `id, tier` of a tier run: the file that a row went into, else what became of it."""
    path = run / "ledger" / "decisions.parquet"
    if not path.exists():
        raise UserError("no tier run", where=str(run), mend="name a finished run of posttrain tier")
    table = pl.DataFrame(pl.from_arrow(read_parquet(path, ["id", "status", "into"])))
    named = table.select("id", tier=pl.coalesce(pl.col("into").str.strip_prefix("tiers/"), "status"))
    return named.unique("id", keep="first", maintain_order=True)


def _left_over(ids: pl.Series, config: ViewConfig) -> pl.Series:
    records = iter_records(config.after) if config.after is not None else ()
    left = pl.Series([record.id for record in records], dtype=pl.String).unique()
    found = ids.is_in(left.implode()).alias(AFTER)
    if not found.any():
        mend = "`after` takes rows that went through a stage of ours: they keep their ids"
        raise UserError("no row of `after` is in the input", where=str(config.after), mend=mend)
    return found
