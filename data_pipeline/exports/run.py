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
from data_pipeline.exports.licences import (
    UNKNOWN,
    UNKNOWN_LICENCE,
    UNKNOWN_MODEL,
    held_back,
    licence_of,
    models_in,
    named_for_nothing,
)
from data_pipeline.exports.sets import chosen_sets, file_stem, holds_pairs
from utils.data.inputs import find_files
from utils.data.ledger import assert_balanced, decisions_table, write_decisions
from utils.data.parsing import dump_row
from utils.data.records import Preference, Record
from utils.data.streaming import iter_preferences, iter_records
from utils.errors import UserError
from utils.runs.directory import Run


@dataclass(slots=True)
class Ledger:
    """What became of every row. `read` counts what came in, apart from what was decided."""

    read: int = 0
    decisions: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    exported: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    models: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def keep(self, item: Record | Preference, into: str) -> None:
        """Note a row that was written."""
        self.exported[item.source] += 1
        self._of_models(item, "exported")
        self.decisions.append({"id": item.id, "status": "kept", "reasons": [], "into": into})

    def drop(self, item: Record | Preference, reason: str) -> None:
        """Note a row that was left out."""
        self.reasons[reason] += 1
        self.left_out[item.source][reason] += 1
        self._of_models(item, reason)
        self.decisions.append({"id": item.id, "status": "dropped", "reasons": [reason], "into": None})

    def _of_models(self, item: Record | Preference, what: str) -> None:
        for model in models_in(about(item)):
            self.models[model][what] += 1

    def counts(self) -> dict[str, Any]:
        """Return the balance; raises `StageFailedError` where a row was lost on the way."""
        by_reason = dict(sorted(self.reasons.items()))
        kept, dropped = self.exported.total(), self.reasons.total()
        counts = {"in": self.read, "kept": kept, "dropped": dropped, "quarantined": 0, "by_reason": by_reason}
        assert_balanced(counts, "export")
        return counts


def about(item: Record | Preference) -> dict[str, Any]:
    """Return what a row says of where it comes from."""
    return item.meta if isinstance(item, Record) else item.provenance


def inputs(config: ExportConfig) -> list[Path]:
    """Return what is read; a glob counts by its files."""
    return [config.input] if config.input.exists() else [file.path for file in find_files(config.input)]


def dry_run(config: ExportConfig) -> dict[str, Any]:
    """Return rows by set and licence, and the models that rows name."""
    sets = chosen_sets(config.input, config.sets)
    found: dict[str, Any] = {"sets": {}, "models": {}}
    models: Counter[str] = Counter()
    for name, path in sets.items():
        rows: Counter[str] = Counter()
        for item in _items(path, config)[1]:
            rows[licence_of(item.source, config.licences)] += 1
            models.update(models_in(about(item)))
        found["sets"][name] = dict(sorted(rows.items()))
    for model, count in sorted(models.items()):
        found["models"][model] = {"licence": licence_of(model, config.model_licences), "rows": count}
    return found


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
        for name, value in {**config.to.described(ranking), "licences.json": _licences(ledger, config)}.items():
            with unit.file(name) as temporary:
                temporary.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        with unit.file("ledger/decisions.parquet") as temporary:
            write_decisions(decisions_table(ledger.decisions), temporary)
        unit.commit({"counts": ledger.counts()})
    if unknown := ledger.reasons[UNKNOWN_LICENCE] + ledger.reasons[UNKNOWN_MODEL]:
        run.log.warning("%d rows of unknown licence were left out; licences.json names sources and models", unknown)
    for key, given, known in (
        ("licences", config.licences, [*ledger.exported, *ledger.left_out]),
        ("model_licences", config.model_licences, ledger.models),
    ):
        if idle := named_for_nothing(known, given):
            run.log.warning("%s: nothing is called %s", key, ", ".join(idle))
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
        ledger.read += 1
        why = held_back(item.source, models_in(about(item)), config.licences, config.model_licences)
        if why is not None:
            ledger.drop(item, why)
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
    sources = [name for name, why in ledger.left_out.items() if why[UNKNOWN_LICENCE]]
    models = [name for name, why in ledger.models.items() if why[UNKNOWN_MODEL] and _unknown(name, config)]
    for unknown, key in ((sorted(sources), "licences"), (sorted(models), "model_licences")):
        if unknown:
            shown = ", ".join(unknown[:10]) + (" …" if len(unknown) > 10 else "")
            mend = f"say under `{key}:` which SPDX licence each is under"
            raise UserError(f"nothing to export: the licence of {shown} is unknown", where=str(config.input), mend=mend)
    left = f"{ledger.reasons.total()} rows, none of which the form carries" if ledger.reasons else "no rows"
    raise UserError(f"nothing to export: {left}", where=str(config.input), mend="name an input that has rows")


def _unknown(model: str, config: ExportConfig) -> bool:
    return licence_of(model, config.model_licences) == UNKNOWN


def _licences(ledger: Ledger, config: ExportConfig) -> dict[str, Any]:
    """Return licence and rows of every source and model, for attribution and for the record of what stayed."""
    sources = {
        source: {
            "licence": licence_of(source, config.licences),
            "exported": ledger.exported[source],
            "left_out": dict(sorted(ledger.left_out.get(source, Counter()).items())),
        }
        for source in sorted({*ledger.exported, *ledger.left_out})
    }
    models = {
        model: {
            "licence": licence_of(model, config.model_licences),
            "exported": rows["exported"],
            "left_out": {reason: n for reason, n in sorted(rows.items()) if reason != "exported"},
        }
        for model, rows in sorted(ledger.models.items())
    }
    return {"sources": sources, "models": models}
