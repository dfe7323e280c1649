"""From records to token rows: what is trained on, what is left out, and why."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from postraining_sft.config import DataSource, SftConfig
from utils.models.templates import ChatTemplate, Rendered
from utils.training.decisions import Decision

if TYPE_CHECKING:
    from datasets import Dataset

    from utils.data.records import Record

IGNORED = -100
"""The label of a token without loss."""


@dataclass(slots=True)
class SftRows:
    """Token rows of one run, and the decision about every input row."""

    rows: list[Rendered] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    """Record ids, by row."""
    decisions: list[Decision] = field(default_factory=list)
    per_source: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(source, `rows` | `tokens` | `trained`) → count."""

    def log(self, log: logging.Logger) -> None:
        """Say what there is per source, before the first step."""
        for source in sorted({source for source, _ in self.per_source}):
            counts = [self.per_source[source, what] for what in ("rows", "tokens", "trained")]
            log.info("%s: %d rows, %d tokens, %d of them trained on", source, *counts)

    def dataset(self) -> Dataset:
        """Return the rows as a dataset in memory: `input_ids`, `labels`, `row`."""
        from datasets import Dataset

        return Dataset.from_dict(
            {
                "input_ids": [row.ids for row in self.rows],
                "labels": [
                    [token if on else IGNORED for token, on in zip(row.ids, row.mask, strict=True)] for row in self.rows
                ],
                "row": list(range(len(self.rows))),
            }
        )


def read_rows(config: SftConfig, sources: list[DataSource], template: ChatTemplate) -> SftRows:
    """Read, tokenise and decide."""
    from utils.data.streaming import iter_records

    read = SftRows()
    for source in sources:
        for record in iter_records(source.path, format=source.format):
            rendered, reasons = decide(record, config, template)
            copies = times(record.id, source.weight, config.seed) if rendered else 0
            if rendered and not copies:
                reasons = ["weight"]
            read.decisions.append(Decision(record.id, kept=copies > 0, reasons=tuple(reasons)))
            for _ in range(copies if rendered else 0):
                _add(read, record, rendered)
    return read


def _add(read: SftRows, record: Record, rendered: Rendered | None) -> None:
    if rendered is None:
        return
    read.rows.append(rendered)
    read.ids.append(record.id)
    read.per_source[record.source, "rows"] += 1
    read.per_source[record.source, "tokens"] += len(rendered.ids)
    read.per_source[record.source, "trained"] += sum(rendered.mask)


def decide(record: Record, config: SftConfig, template: ChatTemplate) -> tuple[Rendered | None, list[str]]:
    """Tokenise one record, or say why it is left out.

    Returns:
        The token row and what was done to it; or None and the reasons.

    """
    from jinja2 import TemplateError

    try:
        rendered = _render(record, template)
    except TemplateError:  # such as a template that takes no system message
        return None, ["template_refuses"]
    if not any(rendered.mask):
        return None, ["no_assistant_turn"]
    if len(rendered.ids) <= config.max_length:
        return rendered, []
    if config.over_length == "drop":
        return None, ["over_length"]
    cut = Rendered(rendered.ids[: config.max_length], rendered.mask[: config.max_length])
    return (cut, ["cut"]) if any(cut.mask) else (None, ["over_length"])


def _render(record: Record, template: ChatTemplate) -> Rendered:
    if len(record.messages) == 1 and record.messages[0].role == "document":
        return template.document(record.messages[0].content)
    return template.conversation(record.messages)


def times(record_id: str, weight: float, seed: int) -> int:
    """How often a row with this id is taken: the weight's whole part, and its fraction by a hash of id and seed."""
    whole, fraction = divmod(weight, 1.0)
    draw = int.from_bytes(hashlib.blake2b(f"{seed}:{record_id}".encode(), digest_size=8).digest(), "big") / 2**64
    return int(whole) + int(draw < fraction)
