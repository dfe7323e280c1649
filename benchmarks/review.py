"""Draw rows of a finished cleaning run to be read one by one, dropped rows oversampled.

    python -m benchmarks.review RUN READING.jsonl VERDICTS.csv [--rows 300] [--dropped 60] [--seed 1]

READING.jsonl has the texts before and after and is for the reader alone: rows of users' data are never committed.
VERDICTS.csv has `clean_id, status, verdict, defect`, the last two to be filled in: `clean` for a row that should be
kept (with the text as it is in good/), `dirty` for one that should not be there or whose cleaned text is not what a
careful editor would have made; `defect` names the kind. Of dropped rows those that are no exact copies come first.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import polars as pl

from cleaning.replay import finished, ledger, replay
from cleaning.strata import drawn


def choose(run: Path, rows: int, dropped: int, seed: int) -> pl.DataFrame:
    """Return the lines of the ledger that are read, in the order of the draw."""
    finished(run)
    found = ledger(run).filter(pl.col("status") != "quarantined").with_columns(drawn=drawn(seed)).collect()
    copy = pl.col("reasons").list.first().cast(pl.String) == "exact_duplicate"
    bad = found.filter(pl.col("status") == "dropped").sort(copy, "drawn", "source_file", "source_row").head(dropped)
    good = found.filter(pl.col("status") == "kept").sort("drawn", "source_file", "source_row").head(rows - len(bad))
    return pl.concat([bad, good]).sort("drawn", "source_file", "source_row")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("reading", type=Path)
    parser.add_argument("verdicts", type=Path)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--dropped", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chosen = choose(given.run, given.rows, given.dropped, given.seed)
    by_place = {(one.row["source_file"], one.row["source_row"]): one for one in replay(given.run, chosen.to_dicts())}
    with given.reading.open("x", encoding="utf-8") as reading, given.verdicts.open("x", newline="") as verdicts:
        table = csv.writer(verdicts)
        table.writerow(["clean_id", "status", "verdict", "defect"])
        for line in chosen.iter_rows(named=True):
            one = by_place[line["source_file"], line["source_row"]]
            shown = {"clean_id": line["id"], "status": line["status"], "reasons": line["reasons"]}
            shown |= {"duplicate_of": line["duplicate_of"], "similarity": line["similarity"], "before": one.before}
            shown |= {} if one.after == one.before else {"after": one.after}
            reading.write(json.dumps(shown, ensure_ascii=False) + "\n")
            table.writerow([line["id"], line["status"], "", ""])


if __name__ == "__main__":
    main()
