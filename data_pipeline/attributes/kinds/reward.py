"""A reward model's score of a conversation: any sequence-classification model that lies on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_pipeline.attributes.base import AttributeKeys, as_table
from data_pipeline.attributes.scoring_models import device, held, token_batches
from utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from utils.data.records import Message

_UNLIMITED = 1 << 62
_SCHEMA = pl.Schema({"reward": pl.Float64, "tokens": pl.Int64, "tokens_cut": pl.Int64, "error": pl.String})


class Reward(AttributeKeys):
    """How good a reward model finds a row.

    | column | meaning |
    |---|---|
    | `reward` | the model's one output; of a model with classes, the probability of `label`; null with an `error` |
    | `tokens`, `tokens_cut` | tokens that the model read; those cut from the end because its maximum is reached |
    | `lang` | as the record says |
    | `error` | why there is no number |

    The model sees the row through its own chat template; without one, the turns before the last answer and that answer
    as a pair. Rewards follow length and language: the manifest's `summary` gives their means by language and quintile
    of length, to be looked at before any comparison.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    needs: ClassVar[tuple[str, ...]] = ()
    summarised: ClassVar[tuple[str, ...]] = ("reward", "tokens", "tokens_cut", "lang", "error")

    kind: Literal["reward"] = "reward"
    model: Path
    """A Hugging Face directory of a sequence-classification model, or a finished run."""
    label: str | None = None
    """The class whose probability is the reward, for models with several."""
    max_tokens: int | None = Field(default=None, ge=8)
    """Tokens of a row; by default what the model allows."""
    batch_tokens: int = Field(default=8192, ge=1)
    """Tokens per forward pass, padding included; bounds memory."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def reads(self) -> list[Path]:
        """The model."""
        return [self.model]

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id` and the columns above, one row per row."""
        from utils.data.records import from_dicts

        rewarder = held(open_rewarder, self.model)
        label = rewarder.label(self.label, where=str(self.model))
        encoded = [rewarder.encoded(from_dicts(messages), self.max_tokens) for messages in rows["messages"]]
        right = [number for number, one in enumerate(encoded) if one.error is None]
        rewards = dict(zip(right, rewarder.rewards([encoded[n] for n in right], label, self.batch_tokens), strict=True))
        lines = [(rewards.get(number), len(one.ids), one.cut, one.error) for number, one in enumerate(encoded)]
        table = pl.DataFrame(lines, _SCHEMA, orient="row").insert_column(0, rows["id"])
        return as_table(table.with_columns(lang=rows["lang"]))

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return the mean reward by language and quintile of length, and what was cut or left out."""
        scored = table.filter(pl.col("reward").is_not_null())
        by_lang = {lang: _by_length(part) for (lang,), part in sorted(scored.group_by("lang"))}
        errors = table["error"].drop_nulls().value_counts(sort=True).sort("count", "error", descending=[True, False])
        return {
            "by_length": by_lang,
            "rows_cut": int((table["tokens_cut"] > 0).sum()),
            "errors": dict(errors.iter_rows()),
        }


def _by_length(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Return, per fifth of the rows by rising length: the longest one's tokens, rows, and mean reward."""
    ordered = rows.sort("tokens", "reward")
    borders = [round(ordered.height * fifth / 5) for fifth in range(6)]
    parts = [ordered[start:end] for start, end in pairwise(borders) if end > start]
    means = [round(float(part["reward"].sum()) / part.height, 6) for part in parts]
    return [
        {"tokens_up_to": part["tokens"][-1], "rows": part.height, "mean": mean}
        for part, mean in zip(parts, means, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row as the model reads it.

    Args:
        ids: token ids that fit.
        types: segment of each token; empty where the tokenizer knows none.
        cut: tokens that do not fit.
        error: why the row cannot be read.

    """

    ids: Sequence[int] = ()
    types: Sequence[int] = ()
    cut: int = 0
    error: str | None = None


class Rewarder:
    """An opened reward model."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._pad = model.config.pad_token_id if model.config.pad_token_id is not None else tokenizer.pad_token_id
        model.config.pad_token_id = self._pad
        positions = getattr(model.config, "max_position_embeddings", None)
        self._limit = min(positions or _UNLIMITED, tokenizer.model_max_length or _UNLIMITED)

    def label(self, name: str | None, *, where: str) -> int | None:
        """Return the number of a class; None for a model with one output.

        Raises:
            UserError: the class is missing, or unknown.

        """
        known: dict[str, int] = dict(self._model.config.label2id or {})  # type: ignore[arg-type]
        if self._model.config.num_labels == 1 and name is None:
            return None
        if name not in known or self._model.config.num_labels == 1:
            outputs = "one output" if self._model.config.num_labels == 1 else f"the classes {', '.join(known)}"
            raise UserError(f"label {name!r}: the model has {outputs}", where=where, mend="set label, or leave it out")
        return known[name]

    def encoded(self, messages: Sequence[Message], max_tokens: int | None) -> Encoded:
        """Return a row's tokens, by the model's chat template or as a pair of texts."""
        from jinja2 import TemplateError

        if not any(message.content.strip() for message in messages):
            return Encoded(error="no text")
        try:
            ids, types = self._templated(messages) if self._tokenizer.chat_template else self._pair(messages)
        except (TemplateError, UserError) as error:
            return Encoded(error=f"the chat template refuses the row: {error}")
        limit = min(self._limit, max_tokens or _UNLIMITED)
        return Encoded(ids[:limit], types[:limit], max(0, len(ids) - limit))

    def _templated(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        from utils.models.templates import ChatTemplate

        neutral = ChatTemplate(self._tokenizer, where="reward").neutral
        chat = [{"role": message.role, "content": neutral(message.content)} for message in messages]
        return list(self._tokenizer.apply_chat_template(chat, tokenize=True, return_dict=False)), []

    def _pair(self, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
        answered = len(messages) > 1 and messages[-1].role == "assistant"
        before, last = (messages[:-1], messages[-1].content) if answered else (messages, None)
        encoded = self._tokenizer("\n".join(message.content for message in before), last, verbose=False)
        return list(encoded["input_ids"]), list(encoded.get("token_type_ids", []))

    def rewards(self, rows: Sequence[Encoded], label: int | None, batch_tokens: int) -> list[float]:
        """Return a number per row."""
        if self._pad is None:  # the model finds a row's end by its padding token
            batches = [[number] for number in range(len(rows))]
        else:
            batches = list(token_batches([len(row.ids) for row in rows], batch_tokens))
        found: dict[int, float] = {}
        for batch in batches:
            found.update(zip(batch, self._forward([rows[number] for number in batch], label), strict=True))
        return [found[number] for number in range(len(rows))]

    def _forward(self, rows: Sequence[Encoded], label: int | None) -> list[float]:
        import torch

        width = max(len(row.ids) for row in rows)
        pad = self._pad or 0
        given = {
            "input_ids": [[*row.ids, *[pad] * (width - len(row.ids))] for row in rows],
            "attention_mask": [[1] * len(row.ids) + [0] * (width - len(row.ids)) for row in rows],
        }
        if any(row.types for row in rows):
            given["token_type_ids"] = [[*row.types, *[0] * (width - len(row.ids))] for row in rows]
        with torch.inference_mode():
            logits = self._model(**{k: torch.tensor(v, device=self._model.device) for k, v in given.items()}).logits
        values = logits.float()[:, 0] if label is None else logits.float().softmax(-1)[:, label]
        numbers: list[float] = values.tolist()
        return numbers


def open_rewarder(path: Path) -> Rewarder:
    """Load a sequence-classification model: float32 on a processor, bfloat16 on a GPU.

    Raises:
        UserError: it is none, or its weights lack the head that gives the score.

    """
    from utils.models.locate import resolve_model, work_offline

    directory = resolve_model(path)
    work_offline()
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    safely: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, **safely)
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            directory,
            use_safetensors=True,
            dtype="bfloat16" if device() == "cuda" else "float32",
            output_loading_info=True,
            **safely,
        )
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"this model cannot be loaded: {error}", where=str(path)) from error
    if loading["missing_keys"]:
        missing = ", ".join(sorted(loading["missing_keys"])[:3])
        raise UserError(f"no reward model: the weights lack {missing}", where=str(path), mend="name a reward model")
    return Rewarder(model.to(device()).eval(), tokenizer)
