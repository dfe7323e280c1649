"""From records to token rows: what is trained on, what is left out, and why.

Records are read as a stream and go, tokenised, into shards on disk; what is held is one batch. With a run the shards
are a unit of it, built once and taken on resume; without one (a dry run) they lie in a temporary folder.
"""

from __future__ import annotations

import hashlib
import logging
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postraining_sft.batching import IGNORED, Batches, make_plan
from postraining_sft.config import DataSource, SftConfig
from postraining_sft.ledger import Decisions, LedgerWriter, RecordIds, publish_ledger
from postraining_sft.tokenising import decided, workers_for
from utils.data.ledger import assert_balanced
from utils.errors import UserError
from utils.models.templates import ChatTemplate, Rendered
from utils.training.decisions import Decision
from utils.training.launch import world_size
from utils.training.shards import ShardWriter, TokenShards, built_once

if TYPE_CHECKING:
    from datasets import Dataset

    from utils.data.records import Record
    from utils.runs.directory import Run

__all__ = ["IGNORED", "SftRows", "decide", "drawn", "read_rows", "times", "tokens_of"]

FORMAT = 1
"""Of the shards: another number makes them anew."""

KINDS = ("sft", "document")
COUNTED = ("rows", "tokens", "trained")
_EXPANSION = 6  # of a compressed file


@dataclass(frozen=True, slots=True)
class Decided:
    """What becomes of one record.

    Args:
        rows: none: it is dropped; several: it was split.
        reasons: why it is dropped, or what was done to it.

    """

    rows: list[Rendered] = field(default_factory=list)
    reasons: tuple[str, ...] = ()


class SftRows:
    """Token rows of one training, on disk, and the decision about every input record."""

    def __init__(self, config: SftConfig, folder: Path, report: dict[str, Any]) -> None:
        self.config = config
        self.folder = folder
        self.rows = TokenShards(folder)
        self.counts: dict[str, Any] = report["counts"]
        self.sources: list[str] = report["sources"]
        """Names, by the number in `rows.source`."""
        self.per_source: dict[str, dict[str, dict[str, int]]] = report["per_source"]
        """Source → `sft` or `document` → `rows`, `tokens`, `trained` → count."""
        self.ids: Sequence[str] = RecordIds(folder, self.rows.record)
        self.decisions: Sequence[Decision] = Decisions(folder, self.counts["in"])
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def totals(self) -> dict[str, dict[str, int]]:
        """Count rows, tokens and trained tokens of conversations and of documents."""
        by_source = self.per_source.values()
        return {
            kind: {what: sum(source.get(kind, {}).get(what, 0) for source in by_source) for what in COUNTED}
            for kind in KINDS
        }

    def log(self, log: logging.Logger) -> None:
        """Say what there is per source and in all, before the first step."""
        for source, kinds in self.per_source.items():
            for kind, counts in kinds.items():
                log.info("%s, %s: %s", source, kind, _said(counts))
            if not kinds:
                log.warning("%s: no row of it is left to train on", source)
        for kind, counts in self.totals().items():
            if counts["rows"]:
                log.info("all %s: %s", kind, _said(counts))

    def publish(self, run: Run) -> dict[str, Any]:
        """Commit `ledger/decisions.parquet` and return the counts; ranks other than the leader only count."""
        publish_ledger(run, [self.folder], self.counts)
        return self.counts

    def batches(self, pad: int, *, flat: bool = False) -> Batches:
        """Return the rows as the config's `batching` puts them together.

        Args:
            pad: id of the padding token.
            flat: for flash attention: packed sequences of a batch one behind another.

        """
        config = self.config
        plan = make_plan(config.batching, self.rows.lengths(), config.max_length)
        ranks = world_size()
        return Batches(self.rows, plan, config.batching, config.seed, config.batch_size * ranks, pad, flat, ranks)

    def dataset(self) -> Dataset:
        """Return each row as an item, not packed: `input_ids`, `labels`, `row`, `document`."""
        plan = make_plan("random", self.rows.lengths(), self.config.max_length)
        return Batches(self.rows, plan, "random", self.config.seed, 1, 0).dataset()


def _said(counts: dict[str, int]) -> str:
    return f"{counts['rows']:,} rows, {counts['tokens']:,} tokens, {counts['trained']:,} of them trained on"


def read_rows(
    config: SftConfig, sources: list[DataSource], template: ChatTemplate, *, run: Run | None = None, name: str = "train"
) -> SftRows:
    """Read, tokenise, decide and shuffle.

    Args:
        config: `max_length`, `over_length`, `train_on_inputs`, `seed`, and what batches need.
        sources: what to read.
        template: of the model.
        run: whose directory holds the shards; by default they are temporary.
        name: of the shards in the run, such as `train`, `eval` or a stage's.

    """
    if run is not None:
        unit = f"tokens-{name}-{_key(config, sources, template)[:16]}"
        check = run.stop.check
        return SftRows(config, *built_once(run, unit, lambda folder: _build(folder, config, sources, template, check)))
    from utils.runs.commit import disk_full_is_retryable

    temporary = tempfile.TemporaryDirectory(prefix="posttrain-tokens-")
    folder = Path(temporary.name)
    with disk_full_is_retryable(folder):
        rows = SftRows(config, folder, _build(folder, config, sources, template))
    rows._temporary = temporary  # lives as long as the rows
    return rows


def _key(config: SftConfig, sources: list[DataSource], template: ChatTemplate) -> str:
    """Return the hash of all that decides the shards."""
    from utils.runs.manifest import digest, fingerprint

    tokenizer: Any = template.tokenizer
    read = [
        [fingerprint(source.path)["sha256"], source.path.name, source.weight, source.format, source.text_field]
        for source in sources
    ]
    kept = ("max_length", "over_length", "train_on_inputs", "seed")
    words = [tokenizer.backend_tokenizer.to_str(), tokenizer.chat_template, tokenizer.special_tokens_map]
    return digest([FORMAT, read, [getattr(config, key) for key in kept], words])


def _build(
    folder: Path,
    config: SftConfig,
    sources: list[DataSource],
    template: ChatTemplate,
    check: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Fill a folder with the shards and `decisions.parquet`; return the counts."""
    vocabulary = max(template.tokenizer.get_vocab().values()) + 1
    expected = sum(_bytes(source) for source in sources)
    writer = ShardWriter(folder, vocabulary=vocabulary, seed=config.seed, expected_bytes=expected)
    names: dict[tuple[int, str], int] = {}
    counted: Counter[tuple[tuple[int, str], str, str]] = Counter()
    with LedgerWriter(folder) as ledger:
        for number, record, outcome, copies in _decided(config, sources, template, check):
            name, document = (number, record.source), _is_document(record)
            source = names.setdefault(name, len(names))
            for row in outcome.rows * copies:
                writer.add(row.ids, row.mask, record=ledger.rows, source=source, document=document)
                kind = KINDS[document]
                counted[name, kind, "rows"] += 1
                counted[name, kind, "tokens"] += len(row.ids)
                counted[name, kind, "trained"] += sum(row.mask[1:])
            ledger.add(Decision(record.id, kept=bool(outcome.rows and copies), reasons=outcome.reasons))
    writer.finish()
    assert_balanced(ledger.counts())
    shown = dict(zip(names, _apart(list(names)), strict=True))
    per_source: dict[str, Any] = {name: {} for name in shown.values()}
    for (name, kind, what), value in counted.items():
        per_source.setdefault(shown[name], {}).setdefault(kind, {})[what] = value
    return {"counts": ledger.counts(), "sources": list(shown.values()), "per_source": per_source}


def _apart(names: list[tuple[int, str]]) -> list[str]:
    """Name each (number in `data`, source), the number only where two files are called alike."""
    often = Counter(name for _, name in names)
    return [name if often[name] == 1 else f"{name} (data[{number}])" for number, name in names]


def _decided(
    config: SftConfig, sources: list[DataSource], template: ChatTemplate, check: Callable[[], None]
) -> Iterator[tuple[int, Record, Decided, int]]:
    """Give every record in order: number of its source, itself, what becomes of it, and how often it is taken."""
    from utils.data.streaming import iter_records

    for number, source in enumerate(sources):
        records = iter_records(source.path, format=source.format, text_field=source.text_field)
        how = partial(drawn, weight=source.weight, config=config, template=template)
        seen = False
        for record, outcome in decided(records, how, workers=workers_for(_bytes(source)), check=check):
            seen = True
            yield number, record, outcome, times(record.id, source.weight, config.seed)
        if not seen:
            raise UserError("no rows in it", where=str(source.path), mend="correct the path, or leave it out")


def drawn(record: Record, weight: float, config: SftConfig, template: ChatTemplate) -> Decided:
    """Decide about a record that its source's weight takes; one that it does not take is not tokenised."""
    return decide(record, config, template) if times(record.id, weight, config.seed) else Decided([], ("weight",))


def _bytes(source: DataSource) -> int:
    """Estimate the bytes of text in a source, as often as it is taken."""
    from utils.data.inputs import find_files

    sizes = (
        file.path.stat().st_size * (1 if file.kind in ("jsonl", "json") else _EXPANSION)
        for file in find_files(source.path)
    )
    return math.ceil(sum(sizes) * max(1.0, source.weight))


def decide(record: Record, config: SftConfig, template: ChatTemplate) -> Decided:
    """Tokenise one record, or say why it is left out."""
    from jinja2 import TemplateError

    said = [turn.content for turn in record.messages if turn.role in ("assistant", "document")]
    if said and not any(text.strip() for text in said):  # only the end token would be learned
        return Decided([], ("empty",))
    try:
        rendered = _render(record, config, template)
        if not any(rendered.mask[1:]):  # the first token is never predicted
            return Decided([], ("empty" if _is_document(record) else "no_assistant_turn",))
        if len(rendered.ids) <= config.max_length:
            return Decided([rendered])
        return _shorter(record, rendered, config, template)
    except TemplateError:  # such as a template that takes no system message
        return Decided([], ("template_refuses",))


def _shorter(record: Record, rendered: Rendered, config: SftConfig, template: ChatTemplate) -> Decided:
    """Apply the rule for a record that is too long."""
    limit = config.max_length
    rows: list[Rendered] = []
    reasons: tuple[str, ...] = ()
    if config.over_length == "keep":
        rows, reasons = [rendered.cut(limit)], ("cut",)
    elif config.over_length == "split" and _is_document(record):
        rows, reasons = _pieces(rendered, limit), ("split",)
    elif config.over_length == "split":
        parts = template.split(record.messages, limit, **_inputs_too(config))
        rows = [part for part in parts if len(part.ids) <= limit]
        reasons = ("split",) if len(rows) == len(parts) else ("split", "part_over_length")
    rows = [row for row in rows if any(row.mask[1:])]
    return Decided(rows, reasons) if rows else Decided([], ("over_length",))


def _pieces(rendered: Rendered, limit: int) -> list[Rendered]:
    """Cut a document into pieces of nearly the same length: no piece is a remainder of a few tokens."""
    count = math.ceil(len(rendered.ids) / limit)
    borders = [len(rendered.ids) * number // count for number in range(count + 1)]
    return [Rendered(rendered.ids[begin:end], rendered.mask[begin:end]) for begin, end in pairwise(borders)]


def tokens_of(record: Record, config: SftConfig, template: ChatTemplate) -> int:
    """Count the tokens of a whole record, before it is cut or split."""
    return len(_render(record, config, template).ids)


def _render(record: Record, config: SftConfig, template: ChatTemplate) -> Rendered:
    if _is_document(record):
        return template.document(record.messages[0].content)
    return template.conversation(record.messages, **_inputs_too(config))


def _inputs_too(config: SftConfig) -> dict[str, bool]:
    return {"train_on_inputs": True} if config.train_on_inputs else {}


def _is_document(record: Record) -> bool:
    return len(record.messages) == 1 and record.messages[0].role == "document"


def times(record_id: str, weight: float, seed: int) -> int:
    """How often a row with this id is taken: the weight's whole part, and its fraction by a hash of id and seed."""
    whole, fraction = divmod(weight, 1.0)
    draw = int.from_bytes(hashlib.blake2b(f"{seed}:{record_id}".encode(), digest_size=8).digest(), "big") / 2**64
    return int(whole) + int(draw < fraction)
