"""Instruction-following difficulty (Cherry LLM, arXiv 2308.12032), by any causal language model's own chat template.

IFD = mean token loss of an answer given its prompt ÷ mean token loss of the answer alone. High: the prompt helps the
model little. Above 1 it harms, which usually means that prompt and answer do not belong together.
Superfiltering (arXiv 2402.00530) takes the ratio of the two perplexities instead: another number, in another column.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field

from data_pipeline.attributes.base import AttributeKeys, as_table
from data_pipeline.attributes.scoring_models import device, held, token_batches
from utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from utils.data.records import Message
    from utils.models.templates import ChatTemplate

_TURN = {
    "turn": pl.Int64,
    "ifd": pl.Float64,
    "perplexity_ratio": pl.Float64,
    "loss_given": pl.Float64,
    "loss_alone": pl.Float64,
    "tokens": pl.Int64,
    "tokens_cut": pl.Int64,
    "error": pl.String,
}
_SCHEMA = pl.Schema({"row": pl.Int64, **_TURN})
_ARROW = {pl.Int64: pa.int64(), pl.Float64: pa.float64(), pl.String: pa.string()}
_TURNS = pa.list_(pa.struct([(name, _ARROW[kind]) for name, kind in _TURN.items()]))


class Ifd(AttributeKeys):
    """How much a prompt helps a model to say the answer, per assistant turn and per row.

    | column | meaning |
    |---|---|
    | `ifd` | mean of the turns' IFD, each weighing as many as its answer has tokens; null when no turn is measured |
    | `above_one` | `ifd` > 1 |
    | `perplexity_ratio` | exp(`loss_given` − `loss_alone`), Superfiltering's number |
    | `loss_given`, `loss_alone` | mean loss in nats of all measured answer tokens, after their prompts and alone |
    | `tokens`, `tokens_cut` | answer tokens that were measured; those cut because the model's context was full |
    | `turns` | the same per assistant turn, with its place among the messages and its error |
    | `error` | why there is no number, or why a turn is missing from it; null when all were measured |

    The answer is its content without the end token. Alone, it follows the model's begin token (its end token where
    there is none), so that both losses are over the same tokens. An answer that is too long loses its end, for both.
    Numbers agree to 1e-5 whatever else is in the batch, on a GPU (bfloat16) to about 1e-2.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    needs: ClassVar[tuple[str, ...]] = ()
    summarised: ClassVar[tuple[str, ...]] = ("ifd", "above_one", "tokens_cut", "error")

    kind: Literal["ifd"] = "ifd"
    model: Path
    """A Hugging Face directory of a causal language model with a chat template, or a finished sft or dpo run."""
    max_tokens: int | None = Field(default=None, ge=8)
    """Tokens of prompt and answer together; by default what the model's positions allow."""
    batch_tokens: int = Field(default=4096, ge=1)
    """Tokens per forward pass, padding included; bounds memory (their logits are held), changes nothing."""

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
        model, template = held(open_causal, self.model)
        limit = min(self.max_tokens or 1 << 62, getattr(model.config, "max_position_embeddings", None) or 1 << 62)
        turns = list(turns_of(template, rows["messages"], limit))
        begin = template.tokenizer.bos_token_id
        measured = losses(model, turns, template.tokenizer.eos_token_id if begin is None else begin, self.batch_tokens)
        table = as_table(by_row(rows["id"], pl.DataFrame(measured, _SCHEMA, orient="row")))
        place = table.column_names.index("turns")
        return table.set_column(place, "turns", table["turns"].cast(_TURNS))

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return how many rows are measured, above 1, and cut; and the errors."""
        errors = table["error"].drop_nulls().value_counts(sort=True).sort("count", "error", descending=[True, False])
        return {
            "measured": table.height - table["ifd"].null_count(),
            "above_one": int(table["above_one"].sum()),
            "rows_cut": int((table["tokens_cut"] > 0).sum()),
            "errors": dict(errors.iter_rows()),
        }


@dataclass(frozen=True, slots=True)
class Turn:
    """One assistant turn: token ids of all before it and of the answer, or why it cannot be measured.

    Args:
        row: number of its row.
        turn: its place among the row's messages, from 0.
        prompt: token ids up to the answer's content.
        answer: token ids of the content that fits.
        cut: tokens of the content that do not fit.
        error: None when it can be measured.

    """

    row: int
    turn: int
    prompt: Sequence[int] = ()
    answer: Sequence[int] = ()
    cut: int = 0
    error: str | None = None


def open_causal(path: Path) -> tuple[PreTrainedModel, ChatTemplate]:
    """Load a causal language model for scoring: float32 on a processor, bfloat16 on a GPU."""
    from utils.models.locate import load_model, load_tokenizer, resolve_model
    from utils.models.templates import ChatTemplate

    directory = resolve_model(path)
    template = ChatTemplate(load_tokenizer(directory), where=str(path))
    model: Any = load_model(directory, dtype="bfloat16" if device() == "cuda" else "float32")
    return model.to(device()).eval(), template


def turns_of(template: ChatTemplate, rows: pl.Series, limit: int) -> Iterator[Turn]:
    """Yield every assistant turn of every row, at most `limit` tokens long with what stands before it."""
    from utils.data.records import from_dicts

    for row, dicts in enumerate(rows):
        messages = from_dicts(dicts)
        for place, message in enumerate(messages):
            if message.role == "assistant":
                yield _turn(template, row, messages[:place], message, limit)


def _turn(template: ChatTemplate, row: int, prompt: Sequence[Message], answer: Message, limit: int) -> Turn:
    from jinja2 import TemplateError

    place = len(prompt)
    if not prompt:
        return Turn(row, place, error="no prompt")
    if not template.neutral(answer.content).strip():
        return Turn(row, place, error="empty answer")
    try:
        before, ids = template.content(prompt, answer.content)
    except (UserError, TemplateError) as error:
        return Turn(row, place, error=f"the chat template refuses the turn: {error}")
    if not before:
        return Turn(row, place, error="nothing stands before the answer")
    room = max(0, limit - len(before))
    if not room:
        return Turn(row, place, cut=len(ids), error="the prompt fills the model's context")
    return Turn(row, place, before, ids[:room], max(0, len(ids) - room))


def losses(model: PreTrainedModel, turns: Sequence[Turn], begin: int, batch_tokens: int) -> list[tuple[Any, ...]]:
    """Return a line of `_SCHEMA` per turn."""
    from utils.models.logprobs import answer_logprobs

    right = [turn for turn in turns if turn.error is None]
    pairs = [pair for turn in right for pair in ((turn.prompt, turn.answer), ([begin], turn.answer))]
    found: dict[int, float] = {}
    for batch in token_batches([len(prompt) + len(answer) for prompt, answer in pairs], batch_tokens):
        scores = answer_logprobs(model, [pairs[number] for number in batch], batch_size=len(batch))
        found.update((number, -score.logprob / score.tokens) for number, score in zip(batch, scores, strict=True))
    both = iter([(found[number], found[number + 1]) for number in range(0, len(pairs), 2)])
    return [_line(turn, *(next(both) if turn.error is None else (None, None))) for turn in turns]


def _line(turn: Turn, given: float | None, alone: float | None) -> tuple[Any, ...]:
    start, sizes = (turn.row, turn.turn), (len(turn.answer), turn.cut)
    if given is None or alone is None:
        return (*start, None, None, None, None, *sizes, turn.error)
    if not (math.isfinite(given) and math.isfinite(alone) and alone > 0):
        return (*start, None, None, given, alone, 0, turn.cut, f"no ratio of the losses {given} and {alone}")
    return (*start, given / alone, math.exp(min(given - alone, 700.0)), given, alone, *sizes, None)


def by_row(ids: pl.Series, turns: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of `Ifd`, one row per id, from a line per turn."""
    weight = pl.col("tokens") / pl.col("tokens").sum()
    measured = turns.filter(pl.col("ifd").is_not_null()).group_by("row", maintain_order=True)
    means = measured.agg((pl.col("ifd", "loss_given", "loss_alone") * weight).sum())
    rest = turns.group_by("row", maintain_order=True).agg(
        pl.col("tokens", "tokens_cut").sum(), pl.struct(*_TURN).alias("turns"), pl.col("error").drop_nulls().first()
    )
    rows = pl.DataFrame({"id": ids, "row": pl.arange(0, len(ids), dtype=pl.Int64, eager=True)})
    joined = rows.join(means, on="row", how="left").join(rest, on="row", how="left", maintain_order="left")
    return joined.sort("row").select(
        "id",
        "ifd",
        above_one=pl.col("ifd") > 1,
        perplexity_ratio=(pl.col("loss_given") - pl.col("loss_alone")).exp(),
        loss_given="loss_given",
        loss_alone="loss_alone",
        tokens=pl.col("tokens").fill_null(0),
        tokens_cut=pl.col("tokens_cut").fill_null(0),
        turns=pl.col("turns").fill_null([]),
        error=pl.when(pl.col("turns").is_null()).then(pl.lit("no assistant turn")).otherwise(pl.col("error")),
    )
