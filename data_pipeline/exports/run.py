"""`posttrain export`: every row is written, or left out with its reason; rows of unknown licence never leave (S13)."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from data_pipeline.exports.config import ExportConfig
from data_pipeline.exports.conversation import REASONS, LossyError
from data_pipeline.exports.licences import UNKNOWN, licence_of
from data_pipeline.exports.sets import chosen_sets, file_stem, holds_pairs
from utils.data.inputs import find_files
from utils.data.ledger import decisions_table, write_decisions
from utils.data.parsing import dump_row
from utils.data.records import Preference, Record
from utils.data.streaming import iter_preferences, iter_records
from utils.errors import UserError
from utils.runs.directory import Run

UNKNOWN_LICENCE = "unknown_licence"


@dataclass(slots=True)
class Ledger:
    """What became of every row."""

    decisions: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    exported: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def keep(self, item: Record | Preference, into: str) -> None:
        """Note a row that was written."""
        self.exported[item.source] += 1
        self.decisions.append({"id": item.id, "status": "kept", "reasons": [], "into": into})

    def drop(self, item: Record | Preference, reason: str) -> None:
        """Note a row that was left out."""
        self.reasons[reason] += 1
        self.left_out[item.source][reason] += 1
        self.decisions.append({"id": item.id, "status": "dropped", "reasons": [reason], "into": None})

    def counts(self) -> dict[str, Any]:
        """Return the balance."""
        kept, dropped = self.exported.total(), self.reasons.total()
        by_reason = dict(sorted(self.reasons.items()))
        return {"in": kept + dropped, "kept": kept, "dropped": dropped, "quarantined": 0, "by_reason": by_reason}


def inputs(config: ExportConfig) -> list[Path]:
    """Return what is read; a glob counts by its files."""
    return [config.input] if config.input.exists() else [file.path for file in find_files(config.input)]


def dry_run(config: ExportConfig) -> dict[str, Any]:
    """Return rows by set and licence."""
    sets = chosen_sets(config.input, config.sets)
    rows = {
        name: Counter(licence_of(item.source, config.licences) for item in _items(path, config)[1])
        for name, path in sets.items()
    }
    return {"sets": {name: dict(sorted(licences.items())) for name, licences in rows.items()}}


def work(run: Run, config: ExportConfig) -> dict[str, Any]:
    """Write the sets, their description and what was left out, as one unit.

    Raises:
        UserError: a row that the form cannot carry, or no row of known licence.

    """
    if (report := run.committed("export")) is not None:
        return dict(report["counts"])
    ledger, ranking = Ledger(), {}
    with run.unit("export") as unit:
        with ExitStack() as unpublished:  # a row that is refused leaves no file of the sets before it
            for name, path in chosen_sets(config.input, config.sets).items():
                stem = file_stem(name)
                temporary = unpublished.enter_context(unit.file(f"{stem}.jsonl"))
                with temporary.open("wb") as file:
                    ranking[stem] = _write(path, stem, config, ledger, file)
                run.stop.check()
            _refuse_nothing(ledger, config)
        for about, value in {**config.to.described(ranking), "licences.json": _licences(ledger, config)}.items():
            with unit.file(about) as temporary:
                temporary.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        with unit.file("ledger/decisions.parquet") as temporary:
            write_decisions(decisions_table(ledger.decisions), temporary)
        unit.commit({"counts": ledger.counts()})
    if unknown := ledger.reasons[UNKNOWN_LICENCE]:
        run.log.warning("%d rows of unknown licence were left out; licences.json names their sources", unknown)
    return ledger.counts()


def _items(path: Path, config: ExportConfig) -> tuple[bool, Iterator[Record] | Iterator[Preference]]:
    """Return whether a set holds pairs, and its rows."""
    if holds_pairs(path, config.format):
        return True, iter_preferences(path, format=config.format)
    return False, iter_records(path, format=config.format)


def _write(path: Path, into: str, config: ExportConfig, ledger: Ledger, file: BinaryIO) -> bool:
    """Write a set's rows; tell whether they are pairs."""
    pairs, items = _items(path, config)
    for item in items:
        if licence_of(item.source, config.licences) == UNKNOWN:
            ledger.drop(item, UNKNOWN_LICENCE)
            continue
        try:
            row = config.to.pair(item) if isinstance(item, Preference) else config.to.row(item)
        except LossyError as error:
            if config.lossy == "refuse":
                mend = "clean such rows away, choose another `to:`, or leave them out with lossy=drop"
                raise UserError(f"row {item.id}: {REASONS[str(error)]}", where=str(path), mend=mend) from None
            ledger.drop(item, str(error))
            continue
        file.write(dump_row({**row, "clean_id": item.id, "source": item.source}) + b"\n")
        ledger.keep(item, into)
    return pairs


def _refuse_nothing(ledger: Ledger, config: ExportConfig) -> None:
    """Refuse to write a dataset without rows, naming what would have let them out."""
    if ledger.exported:
        return
    unknown = sorted(source for source, why in ledger.left_out.items() if why[UNKNOWN_LICENCE])
    if unknown:
        shown = ", ".join(unknown[:10]) + (" …" if len(unknown) > 10 else "")
        mend = "say under `licences:` which SPDX licence each is under"
        raise UserError(f"nothing to export: the licence of {shown} is unknown", where=str(config.input), mend=mend)
    left = f"{ledger.reasons.total()} rows, none of which the form carries" if ledger.reasons else "no rows"
    raise UserError(f"nothing to export: {left}", where=str(config.input), mend="name an input that has rows")


def _licences(ledger: Ledger, config: ExportConfig) -> dict[str, Any]:
    """Return licence and rows of every source, for attribution and for the record of what stayed."""
    sources = sorted({*ledger.exported, *ledger.left_out})
    return {
        source: {
            "licence": licence_of(source, config.licences),
            "exported": ledger.exported[source],
            "left_out": dict(sorted(ledger.left_out.get(source, Counter()).items())),
        }
        for source in sources
    }
