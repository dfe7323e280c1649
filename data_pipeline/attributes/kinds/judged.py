"""Quality, difficulty and the like, rated by a chat model with a rubric: one call a row and target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator

from data_pipeline.attributes.base import AttributeKeys, as_table
from data_pipeline.attributes.judging.reading import Reading
from data_pipeline.attributes.judging.rubric import SHIPPED, Rubric, load_rubric
from data_pipeline.attributes.judging.scoring import Judging
from utils.errors import StageFailedError, UserError
from utils.models.chat.config import ChatModelConfig
from utils.runs.config import Name

_SCHEMA = pl.Schema(
    {
        "score": pl.Float64,
        "written": pl.Float64,
        "mass": pl.Float64,
        "calls": pl.Int64,
        "error": pl.String,
        "reply": pl.String,
    }
)


class Judged(AttributeKeys):
    """A score per row on the rubric's scale, or the reason why there is none.

    | column | meaning |
    |---|---|
    | `score` | `written`; with `expected`, Σ p(k)·k over the first token's alternatives where they come back |
    | `written` | the number in the reply |
    | `mass` | probability of all scores as first token; low: the model would rather have said other things |
    | `calls` | replies asked for: 0 (nothing to rate), 1, or 2 (the first was invalid) |
    | `error` | why the row is unscored |
    | `reply` | the beginning of the invalid reply |
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    needs: ClassVar[tuple[str, ...]] = ()
    summarised: ClassVar[tuple[str, ...]] = ("score", "calls", "error")

    kind: Literal["judged"] = "judged"
    target: Name
    """What is rated, and the attribute's name: `quality`, `difficulty`, or whatever your rubrics rate."""
    model: ChatModelConfig
    """Who rates."""
    rubrics: dict[Literal["zh", "en"], Path] | None = None
    """By language of the row (`en` for all but Chinese; a single one serves all); by default the shipped ones."""
    reading: Reading = "json"
    """The form of the reply: `{"score": n}`, or a bare number."""
    expected: bool = False
    """Score by the probabilities of the first answered token (DEITA); needs `reading: number`."""
    max_characters: int = Field(default=32_000, ge=1)
    """A longer row is not shown, and unscored."""

    @model_validator(mode="after")
    def _agrees(self) -> Judged:
        if self.expected and self.reading != "number":
            raise ValueError("expected needs reading: number, or the first token is a brace")
        if self.rubrics is not None and not self.rubrics:
            raise ValueError("rubrics names none")
        if self.rubrics is None and self.target not in {"quality", "difficulty"}:
            raise ValueError(f"no rubric for {self.target!r} is shipped; name one under `rubrics`")
        return self

    @property
    def key(self) -> str:
        """The attribute's name: its target's."""
        return self.name or self.target

    @property
    def reads(self) -> list[Path]:
        """The rubrics, and a local model."""
        return [*self._paths.values(), *self.model.inputs]

    @property
    def leaves_host(self) -> str | None:
        """What the chat model sends to another host."""
        return self.model.leaves_host

    @property
    def _paths(self) -> dict[str, Path]:
        if self.rubrics is not None:
            return {str(lang): path for lang, path in self.rubrics.items()}
        return {lang: SHIPPED / f"{self.target}_{lang}.md" for lang in ("zh", "en")}

    def _loaded(self) -> dict[str, Rubric]:
        rubrics = {lang: load_rubric(path) for lang, path in self._paths.items()}
        for lang, rubric in rubrics.items():
            if rubric.target != self.target:
                raise UserError(f"this rubric rates {rubric.target}, not {self.target}", where=str(self._paths[lang]))
        if len({rubric.scale for rubric in rubrics.values()}) > 1:
            raise UserError("the rubrics have different scales", where=", ".join(map(str, self._paths.values())))
        return rubrics

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id` and the columns above, one row per row.

        Raises:
            RetryLaterError: budget, rate limit or breaker; what was answered is kept in the run and not paid again.

        """
        judging = Judging(self._loaded(), self.reading, self.expected, self.max_characters, seed)
        if self._run is None:
            raise StageFailedError("a judge keeps its answers in a run", where=self.key, mend="posttrain attributes")
        with self.model.open(self._run) as chat:
            scores = judging.score(chat, rows.select("lang", "messages").to_dicts())
        lines = [(s.score, s.written, s.mass, s.calls, s.error, s.reply) for s in scores]
        return as_table(pl.DataFrame(lines, _SCHEMA, orient="row").insert_column(0, rows["id"]))

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return how many rows are scored, how many are not for which reason, and the replies asked for."""
        errors = table["error"].drop_nulls().value_counts(sort=True).sort("count", "error", descending=[True, False])
        scored = table.height - table["score"].null_count()
        return {"scored": scored, "unscored": dict(errors.iter_rows()), "calls": int(table["calls"].sum())}
