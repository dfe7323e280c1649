"""The review sample of a run: a hundred rows, by language, by kept or dropped, and by the first reason.

Pass 2 names candidates of every stratum; when all are known, the seed's first ones are read from what was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow.parquet as pq

from cleaning.review import COLUMNS
from cleaning.strata import allocate, drawn
from cleaning.tasks import part_name, unit_of
from utils.data.parquet_rows import row_as_json
from utils.data.parsing import dump_row, parse_row

SAMPLE_ROWS = 100
_STRATUM = ("lang", "status", "reason")

Stratum = tuple[str, str, str]


def candidates(decided: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return the rows of a part that may be drawn: of every stratum the first hundred.

    Args:
        decided: `id, source_row, error, lang, status, reasons`, a line per row of the part, in order.
        seed: of the draw.

    Returns:
        `lang, status, reason, drawn, source_row, nth`: the nth (from 0) of the part's kept or of its dropped rows.

    """
    nth = (pl.col("source_row").cum_count().over("status") - 1).alias("nth")
    reason = pl.col("reasons").list.first().fill_null("").alias("reason")
    rows = decided.with_columns(nth, reason, drawn(seed).alias("drawn")).filter(pl.col("error").is_null())
    ordered = rows.sort("drawn", "source_row").with_columns(pl.int_range(pl.len()).over(_STRATUM).alias("rank"))
    return ordered.filter(pl.col("rank") < SAMPLE_ROWS).select(*_STRATUM, "drawn", "source_row", "nth")


def strata(decided: pl.DataFrame) -> list[list[Any]]:
    """Return [language, status, reason, rows] of every stratum of a part."""
    reason = pl.col("reasons").list.first().fill_null("").alias("reason")
    read = decided.filter(pl.col("error").is_null()).group_by("lang", "status", reason).len()
    return [list(line) for line in read.sort(*_STRATUM).iter_rows()]


def choose(parts: Sequence[Path], sizes: Iterable[Sequence[Any]]) -> pl.DataFrame:
    """Return the rows of the sample: `part` (a number), and the columns of `candidates`, in the order of the draw.

    Args:
        parts: files of candidates.
        sizes: the strata of all parts.

    """
    totals: Counter[Stratum] = Counter()
    for lang, status, reason, rows in sizes:
        totals[lang, status, reason] += rows
    given = allocate(dict(sorted(totals.items())), SAMPLE_ROWS)
    found = pl.concat(
        [pl.read_parquet(path, glob=False).with_columns(part=number) for number, path in enumerate(parts)]
    )
    ordered = found.sort("drawn", "part", "source_row")
    numbered = ordered.with_columns(pl.int_range(pl.len()).over(_STRATUM).alias("rank"))
    schema = {**dict.fromkeys(_STRATUM, pl.String), "rows": pl.Int64}
    wanted = pl.DataFrame([(*stratum, rows) for stratum, rows in given.items()], schema, orient="row")
    return numbered.join(wanted, on=_STRATUM, how="inner", maintain_order="left").filter(
        pl.col("rank") < pl.col("rows")
    )


def write_sample(task: dict[str, Any]) -> dict[str, Any]:
    """Write `<name>-sample100.jsonl`.

    Args:
        task: `target`, `parts` (what names the files of pass 2) and their `strata`; and the unit's keys.

    """
    root, parts = Path(task["root"]), task["parts"]
    chosen = choose([root / part_name(part, "sample") for part in parts], task["strata"])
    lines: list[tuple[int, bytes]] = []
    for number, own in chosen.partition_by("part", as_dict=True, maintain_order=True).items():
        part = parts[int(number[0])]
        good, bad = (root / part_name(part, what) for what in ("good", "bad"))
        lines += written(good, bad, own, part["partition"]["relative"])
    unit = unit_of(task)
    with unit.file(task["target"]) as temporary:
        temporary.write_bytes(b"".join(line + b"\n" for _, line in sorted(lines)))
    return unit.commit({"rows": len(lines)})


def written(good: Path, bad: Path, chosen: pl.DataFrame, relative: str) -> list[tuple[int, bytes]]:
    """Return (drawn, line for review) of the chosen rows of one part: as they were written, and columns to fill in.

    A row's own keys of the names that are given here (`lang`, …) are left out: no key may come twice.

    Args:
        good: the part's kept rows.
        bad: its dropped rows.
        chosen: of this part.
        relative: its input file.

    """
    lines: list[tuple[int, bytes]] = []
    for status, path in (("kept", good), ("dropped", bad)):
        own = chosen.filter(pl.col("status") == status)
        found = _rows(path, own["nth"].to_list())
        for number, row, lang, nth in own.select("drawn", "source_row", "lang", "nth").iter_rows():
            place = {"source_file": relative, "source_row": row, "lang": lang}
            written = orjson.dumps(place)[:-1] + b"," + _without(found[nth], {*place, *COLUMNS})[1:-1]
            lines.append((number, written + b"," + orjson.dumps(COLUMNS)[1:]))
    return lines


def _without(line: bytes, names: set[str]) -> bytes:
    """Return a row without some keys; as it lies there when it has none of them."""
    row = parse_row(line.strip()).row
    if row is None or row.keys().isdisjoint(names):
        return line.strip()
    return dump_row({key: value for key, value in row.items() if key not in names})


def _rows(path: Path, wanted: Sequence[int]) -> dict[int, bytes]:
    """Return some rows of a part as JSON, by number."""
    if not wanted:
        return {}
    if path.suffix == ".parquet":
        return _parquet_rows(path, set(wanted))
    with path.open("rb") as stream:
        numbers = set(wanted)
        lines = enumerate(islice(stream, max(wanted) + 1))
        return {number: line for number, line in lines if number in numbers}


def _parquet_rows(path: Path, wanted: set[int]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        start = 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            here = sorted(number - start for number in wanted if start <= number < start + size)
            if here:
                rows = file.read_row_group(group).take(here).to_pylist()
                found |= {start + at: row_as_json(row) for at, row in zip(here, rows, strict=True)}
            start += size
    return found
