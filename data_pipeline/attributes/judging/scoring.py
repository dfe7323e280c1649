"""Rows to questions, replies to scores: one call a row, a second one where the first reply is invalid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from data_pipeline.attributes.judging.reading import (
    InvalidReplyError,
    Reading,
    expectation,
    read_score,
    schema_of,
)
from data_pipeline.attributes.judging.rubric import Rubric
from utils.models.chat.guard import guarded
from utils.models.chat.protocol import Answer, ChatModel, Request, Sampling

_TOKENS = {"json": 64, "number": 8}
_ALTERNATIVES = 20
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Score:
    """What a judge gave a row: `score` or `error`, never both.

    Args:
        score: the expectation over the first token where its alternatives came back, else the number written.
        written: the number in the reply.
        mass: probability that the alternatives gave to scores at all; None without them.
        calls: replies asked for, 0–2.
        error: why there is no score.
        reply: the beginning of a reply that was invalid.

    """

    score: float | None = None
    written: float | None = None
    mass: float | None = None
    calls: int = 0
    error: str | None = None
    reply: str | None = None


@dataclass(frozen=True, slots=True)
class Judging:
    """How rows are asked about.

    Args:
        rubrics: by language of the row; the only one serves all.
        reading: the form of the reply.
        expected: whether to ask for the first token's alternatives.
        max_characters: longest row that is shown; a longer one is not scored.
        seed: of the run.

    """

    rubrics: Mapping[str, Rubric]
    reading: Reading
    expected: bool
    max_characters: int
    seed: int

    def score(self, chat: ChatModel, rows: Sequence[Mapping[str, Any]]) -> list[Score]:
        """Return a score, or the reason why there is none, for every row (`lang`, `messages`), in order.

        Raises:
            RetryLaterError: what is not answered stays pending.

        """
        scores: dict[int, Score] = {}
        waiting: dict[int, dict[str, str]] = {}
        for number, row in enumerate(rows):
            shown = self._shown(row)
            if isinstance(shown, str):
                scores[number] = Score(error=shown)
            else:
                waiting[number] = shown
        for attempt in (0, 1):
            requests = [self._request(rows[number], parts, attempt) for number, parts in waiting.items()]
            answers = chat.ask(requests) if requests else []
            for number, answer in zip(list(waiting), answers, strict=True):
                scores[number] = replace(self._read(answer, self._rubric(rows[number])), calls=attempt + 1)
                if scores[number].reply is None:  # scored, or refused for good
                    del waiting[number]
        return [scores[number] for number in range(len(rows))]

    def _rubric(self, row: Mapping[str, Any]) -> Rubric:
        lang = "zh" if row["lang"] == "zh" else "en"
        return self.rubrics[lang] if lang in self.rubrics else next(iter(self.rubrics.values()))

    def _shown(self, row: Mapping[str, Any]) -> dict[str, str] | str:
        """Return the turns that a judge is shown, by number and role, or why there is nothing to show."""
        turns = [(message["role"], message["content"]) for message in row["messages"]]
        if self._rubric(row).sees == "question":
            while turns and turns[-1][0] == "assistant":
                turns.pop()
            if not any(role == "user" and content.strip() for role, content in turns):
                return "no question"
        elif not any(role == "assistant" and content.strip() for role, content in turns):
            return "no answer"
        if sum(len(content) for _, content in turns) > self.max_characters:
            return "longer than max_characters"
        return {f"{number}_{role}": content for number, (role, content) in enumerate(turns, 1)}

    def _request(self, row: Mapping[str, Any], parts: Mapping[str, str], attempt: int) -> Request:
        """Ask; the second time with other delimiters and another seed, or a cache would give the first reply again."""
        rubric, seed = self._rubric(row), 2 * self.seed + attempt
        task = rubric.json_ if self.reading == "json" else rubric.number
        sampling = Sampling(
            max_tokens=_TOKENS[self.reading], seed=seed, top_logprobs=_ALTERNATIVES if self.expected else 0
        )
        schema = schema_of(rubric.scale) if self.reading == "json" else None
        return Request(guarded(rubric.text, task, parts, lang=rubric.lang, seed=seed), sampling, schema)

    def _read(self, answer: Answer, rubric: Rubric) -> Score:
        if answer.text is None:
            return Score(error=f"the model gave no answer: {answer.error}"[:_SHOWN])
        try:
            if answer.finish_reason == "length":
                raise InvalidReplyError("cut at the limit of tokens")
            written = read_score(answer.text, self.reading, rubric.scale)
        except InvalidReplyError as error:
            return Score(error=f"invalid reply: {error}", reply=answer.text[:_SHOWN])
        weighed = expectation(answer.first_token, rubric.scale) if answer.first_token and self.expected else None
        score, mass = weighed or (written, None)
        return Score(score, written, mass)
