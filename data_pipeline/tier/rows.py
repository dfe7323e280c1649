"""What tiers need to know of the rows, read once: narrow columns of all, and the records in parts on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from data_pipeline.attributes.base import UNIT, as_table, text_of
from data_pipeline.tier.evaluation import MATCHES, Evaluation
from data_pipeline.tier.families import asked_in, folded_texts, hashed, near_families
from utils.data.records import Record, read_parquet, records_to_table, write_parquet
from utils.data.streaming import iter_records
from utils.errors import UserError

if TYPE_CHECKING:
    from data_pipeline.tier.config import TierConfig

FOLDER = "run/work/rows"
_COLUMNS = {
    "id": pl.String,
    "source": pl.String,
    "lang": pl.String,
    "family": pl.String,
    "size": pl.Int64,
    "part": pl.Int32,
    "evaluation": pl.String,
}
_BATCH = 8192


def gather(config: TierConfig, folder: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read the input once, a batch at a time.

    Args:
        config: the input, evaluations and families.
        folder: where `part-*.parquet` (records), `columns.parquet` and `matches.parquet` are written; None writes none.

    Returns:
        One row per row in its order: `id, source, lang, family, size` (tokens by estimate), `part`, and `evaluation`
        (how it repeats an evaluation's prompt: exact, ngram, wording or family; null when not); and the matches.

    Raises:
        UserError: no rows, or a row that is no record.

    """
    evaluation = Evaluation(config.decontaminate) if config.decontaminate else None
    found, matches, prompts = [], [pl.DataFrame(schema=MATCHES)], [pl.DataFrame(schema={"family": pl.String})]
    for number, records in enumerate(_batches(config)):
        table = records_to_table(records)
        if folder is not None:
            write_parquet(table, folder / f"part-{number:05d}.parquet")
        rows = pl.DataFrame(pl.from_arrow(table.select(["id", "source", "lang", "messages"])))
        text = folded_texts(asked_in(rows))
        rows = rows.with_columns(hashed(text), text=text, size=_size(), part=pl.lit(number, pl.Int32))
        prompts.append(rows.select("family", "text").unique("family", keep="first", maintain_order=True))
        if evaluation is not None:
            matches.append(evaluation.matches(rows))
        found.append(rows.drop("messages", "text"))
    if not found:
        raise UserError("no rows to put into tiers", where=str(config.input), mend="name an input that has rows")
    told = pl.concat(matches)
    columns = _joined(pl.concat(found), pl.concat(prompts, how="diagonal"), config.families)
    columns = _marked(columns, told).select(*_COLUMNS).cast(_COLUMNS)  # type: ignore[arg-type]
    if folder is not None:
        write_parquet(as_table(columns), folder / "columns.parquet")
        write_parquet(as_table(told), folder / "matches.parquet")
    return columns, told


def load(root: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the columns and matches that `gather` left in a run directory."""
    one, other = (read_parquet(root / FOLDER / f"{name}.parquet") for name in ("columns", "matches"))
    return pl.DataFrame(pl.from_arrow(one)), pl.DataFrame(pl.from_arrow(other))


def part_path(root: Path, number: int) -> Path:
    """Return where the records of a part lie."""
    return root / FOLDER / f"part-{number:05d}.parquet"


def _batches(config: TierConfig) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for record in iter_records(config.input, format=config.format, text_field=config.text_field):
        batch.append(record)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _size() -> pl.Expr:
    """Return the expression for a row's tokens by estimate, as `text_statistics.tokens_estimate` counts them."""
    return text_of().str.to_lowercase().str.count_matches(UNIT).cast(pl.Int64)


def _joined(columns: pl.DataFrame, prompts: pl.DataFrame, similarity: float | None) -> pl.DataFrame:
    """Give near-copies of a prompt one family."""
    if similarity is None:
        return columns
    joined = near_families(prompts.unique("family", keep="first", maintain_order=True), similarity)
    together = columns.join(joined, on="family", how="left", maintain_order="left")
    return together.with_columns(family="joined").drop("joined")


def _marked(columns: pl.DataFrame, matches: pl.DataFrame) -> pl.DataFrame:
    """Add `evaluation`: the method by which a row was found, or `family` for others of its family."""
    first = matches.select("id", evaluation="method").unique("id", keep="first", maintain_order=True)
    marked = columns.join(first, on="id", how="left", maintain_order="left")
    theirs = marked.drop_nulls("evaluation")["family"].unique()
    relative = pl.col("evaluation").is_null() & pl.col("family").is_in(theirs.implode())
    return marked.with_columns(pl.when(relative).then(pl.lit("family")).otherwise("evaluation").alias("evaluation"))
