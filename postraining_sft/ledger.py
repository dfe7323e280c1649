"""The decisions about input records, written and read as a stream: a run may have more records than memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from utils.training.decisions import Decision

if TYPE_CHECKING:
    import numpy as np

    from utils.runs.directory import Run

NAME = "decisions.parquet"
_GROUP = 1 << 16


class LedgerWriter:
    """Writes `decisions.parquet` into a folder, in the schema of every decision ledger; `into` stays empty here."""

    def __init__(self, folder: Path) -> None:
        import pyarrow.parquet as pq

        from utils.data.ledger import DECISIONS_SCHEMA

        self.rows = 0
        self._kept = 0
        self._by_reason: Counter[str] = Counter()
        self._held: list[dict[str, Any]] = []
        self._file = pq.ParquetWriter(folder / NAME, DECISIONS_SCHEMA, compression="zstd", write_page_checksum=True)

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._file.close()

    def add(self, decision: Decision) -> None:
        """Add the decision about the next record."""
        self.rows += 1
        self._kept += decision.kept
        if not decision.kept:
            self._by_reason[decision.reasons[0]] += 1
        status = "kept" if decision.kept else "dropped"
        self._held.append({"id": decision.id, "status": status, "reasons": list(decision.reasons), "into": None})
        if len(self._held) == _GROUP:
            self._flush()

    def counts(self) -> dict[str, Any]:
        """Count as a stage reports: `in = kept + dropped + quarantined`."""
        return {
            "in": self.rows,
            "kept": self._kept,
            "dropped": self._by_reason.total(),
            "quarantined": 0,
            "by_reason": dict(sorted(self._by_reason.items())),
        }

    def _flush(self) -> None:
        from utils.data.ledger import decisions_table

        if self._held:
            self._file.write_table(decisions_table(self._held), row_group_size=_GROUP)
            self._held = []


class Decisions(Sequence[Decision]):
    """The decisions of a folder, read when they are asked for."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.number = number

    def __len__(self) -> int:
        return self.number

    def __iter__(self) -> Iterator[Decision]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.folder / NAME) as file:
            for batch in file.iter_batches(_GROUP, columns=["id", "status", "reasons"]):
                for row in batch.to_pylist():
                    yield Decision(row["id"], kept=row["status"] == "kept", reasons=tuple(row["reasons"]))

    @overload
    def __getitem__(self, number: int) -> Decision: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Decision]: ...
    def __getitem__(self, number: int | slice) -> Decision | Sequence[Decision]:
        return list(self)[number]


class RecordIds(Sequence[str]):
    """Record ids by row number, looked up in the decisions: they are asked for only to name rows in an error."""

    def __init__(self, folder: Path, record: np.ndarray) -> None:
        self.folder = folder
        self.record = record

    def __len__(self) -> int:
        return len(self.record)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[str]: ...
    def __getitem__(self, row: int | slice) -> str | Sequence[str]:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        import pyarrow.parquet as pq

        group, place = divmod(int(self.record[row]), _GROUP)
        with pq.ParquetFile(self.folder / NAME) as file:
            found: str = file.read_row_group(group, columns=["id"])["id"][place].as_py()
        return found


def publish_ledger(run: Run, folders: Sequence[Path], counts: dict[str, Any]) -> None:
    """Commit `ledger/decisions.parquet`, the decisions of one or more folders one after another, with the run's name.

    Ranks other than the leader do nothing.
    """
    if not run.leader or run.committed("decisions") is not None:
        return
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from utils.data.ledger import DECISIONS_SCHEMA

    with run.unit("decisions") as unit:
        with (
            unit.file("ledger/decisions.parquet") as temporary,
            pq.ParquetWriter(temporary, DECISIONS_SCHEMA, compression="zstd", write_page_checksum=True) as out,
        ):
            for folder in folders:
                with pq.ParquetFile(folder / NAME) as file:
                    for batch in file.iter_batches(_GROUP):
                        table = pa.Table.from_batches([batch])
                        into = pc.if_else(
                            pc.equal(table["status"], "kept"), run.path.name, pa.scalar(None, pa.string())
                        )
                        out.write_table(table.set_column(3, "into", into))
        unit.commit(counts)
