"""From preferences to token rows: prompt, chosen and rejected answer; what is left out, and why."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from postraining_dpo.config import DpoConfig
from utils.models.templates import ChatTemplate
from utils.training.decisions import Decision

if TYPE_CHECKING:
    from datasets import Dataset

    from utils.data.records import Preference


@dataclass(frozen=True, slots=True)
class TokenPair:
    """A preference as token ids; both answers follow the same prompt."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    def __len__(self) -> int:
        """Tokens of the longer one of the two sequences."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


@dataclass(slots=True)
class DpoRows:
    """Token pairs of one run, and the decision about every input pair."""

    pairs: list[TokenPair] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    """Preference ids, by row."""
    decisions: list[Decision] = field(default_factory=list)
    per_source: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(source, `pairs` | `tokens`) → count."""

    def log(self, log: logging.Logger) -> None:
        """Say what there is per source, before the first step."""
        for source in sorted({source for source, _ in self.per_source}):
            log.info(
                "%s: %d pairs, %d tokens", source, self.per_source[source, "pairs"], self.per_source[source, "tokens"]
            )

    def dataset(self) -> Dataset:
        """Return the pairs as a dataset in memory, under the names that TRL's collator reads."""
        from datasets import Dataset

        return Dataset.from_dict(
            {
                "prompt_ids": [pair.prompt for pair in self.pairs],
                "chosen_ids": [pair.chosen for pair in self.pairs],
                "rejected_ids": [pair.rejected for pair in self.pairs],
                "row": list(range(len(self.pairs))),
            }
        )


def read_rows(config: DpoConfig, paths: Sequence[Path], template: ChatTemplate) -> DpoRows:
    """Read, tokenise and decide."""
    from utils.data.streaming import iter_preferences

    read = DpoRows()
    for preference in iter_preferences(list(paths)):
        pair = tokenise(preference, template)
        reasons = ["template_refuses"] if pair is None else flaws(pair, config.max_length)
        read.decisions.append(Decision(preference.id, kept=not reasons, reasons=tuple(reasons)))
        if pair is None or reasons:
            continue
        read.pairs.append(pair)
        read.ids.append(preference.id)
        read.per_source[preference.source, "pairs"] += 1
        read.per_source[preference.source, "tokens"] += 2 * len(pair.prompt) + len(pair.chosen) + len(pair.rejected)
    return read


def tokenise(preference: Preference, template: ChatTemplate) -> TokenPair | None:
    """Token ids of a preference, each answer with its end token; None when the template refuses the messages."""
    from jinja2 import TemplateError

    try:
        prompt, chosen = template.pair(preference.prompt, preference.chosen)
        _, rejected = template.pair(preference.prompt, preference.rejected)
    except TemplateError:  # such as a template that takes no system message
        return None
    return TokenPair(prompt, chosen, rejected)


def flaws(pair: TokenPair, max_length: int) -> list[str]:
    """Say why a pair is left out. An over-long one is never cut: an answer without its end teaches not to stop."""
    found = []
    if len(pair) > max_length:
        found.append("over_length")
    if pair.chosen == pair.rejected:
        found.append("same_answers")
    return found
