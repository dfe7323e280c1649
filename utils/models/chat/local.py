"""A model on this machine as a chat model: batched and left padded by `utils.models.generate`."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from utils.errors import UserError
from utils.models.chat.protocol import Answer, Request, Sampling

if TYPE_CHECKING:
    from utils.data.records import Message
    from utils.models.chat.config import LocalConfig
    from utils.models.generate import LocalModel


class LocalChat:
    """An opened local model. It cannot be told a schema: the text is whatever it says."""

    def __init__(self, model: LocalModel, *, label: str, seed: int) -> None:
        self._model = model
        self._label = label
        self._seed = seed

    def ask(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer in batches of equal sampling; what the model cannot take is that request's error."""
        answers: dict[int, Answer] = {}
        groups: dict[Sampling, list[int]] = {}
        for place, request in enumerate(requests):
            if (flaw := self._flaw(request)) is not None:
                answers[place] = Answer(error=flaw, model=self._label)
            else:
                groups.setdefault(request.sampling, []).append(place)
        for sampling, places in groups.items():
            prompts = [requests[place].messages for place in places]
            answers.update(zip(places, self._answer(prompts, sampling), strict=True))
        return [answers[place] for place in range(len(requests))]

    def _flaw(self, request: Request) -> str | None:
        """Say why the model cannot answer; None when it can."""
        from jinja2 import TemplateError

        try:
            length = len(self._model.template.prompt(request.messages))
        except (UserError, TemplateError) as error:
            return f"the chat template refuses the prompt: {error}"
        limit = getattr(self._model.model.config, "max_position_embeddings", None)
        new = request.sampling.max_tokens
        if isinstance(limit, int) and length + new > limit:
            return f"{length} prompt tokens and {new} new ones are over the model's {limit}"
        return None

    def _answer(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Answer]:
        drawn = self._model.answer(
            prompts,
            max_new_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=self._seed if sampling.seed is None else sampling.seed,
        )
        lengths = [len(self._model.template.prompt(prompt)) for prompt in prompts]
        answers = [
            Answer(
                text=answer.text,
                finish_reason=answer.finish_reason,
                prompt_tokens=length,
                completion_tokens=answer.tokens,
                model=self._label,
            )
            for answer, length in zip(drawn, lengths, strict=True)
        ]
        if sampling.top_logprobs:
            firsts = first_tokens(self._model, prompts, sampling.top_logprobs)
            answers = [replace(answer, first_token=first) for answer, first in zip(answers, firsts, strict=True)]
        return [_cut(answer, sampling.stop) for answer in answers]


def _cut(answer: Answer, stop: Sequence[str]) -> Answer:
    """End an answer before the first of the stop texts, as endpoints do."""
    text = answer.text or ""
    ends = [place for mark in stop if mark and (place := text.find(mark)) >= 0]
    return replace(answer, text=text[: min(ends)], finish_reason="stop") if ends else answer


def first_tokens(model: LocalModel, prompts: Sequence[Sequence[Message]], top: int) -> list[dict[str, float]]:
    """Return for each prompt the `top` likeliest first tokens of the answer and their natural log-probabilities.

    Two tokens of the same text (broken bytes) count with the likelier one.
    """
    import torch

    from utils.models.generate import length_sorted_batches

    asked = [model.template.prompt(prompt) for prompt in prompts]
    found: dict[int, dict[str, float]] = {}
    for rows in length_sorted_batches(asked, model.batch_size):
        padded = model.tokenizer.pad(
            {"input_ids": [asked[row] for row in rows]}, padding_side="left", return_tensors="pt"
        ).to(model.device)
        attention = padded["attention_mask"]
        positions = (attention.cumsum(-1) - 1).clamp(min=0)  # forward does not derive them from the mask
        with torch.inference_mode():
            output = model.model(input_ids=padded["input_ids"], attention_mask=attention, position_ids=positions)
        likely = torch.log_softmax(output.logits[:, -1].float(), dim=-1).topk(min(top, output.logits.shape[-1]))
        for row, values, ids in zip(rows, likely.values.tolist(), likely.indices.tolist(), strict=True):
            found[row] = {}
            for token, value in zip(ids, values, strict=True):
                found[row].setdefault(str(model.tokenizer.decode([token])), value)
    return [found[row] for row in range(len(asked))]


@contextmanager
def open_local(config: LocalConfig) -> Iterator[LocalChat]:
    """Load a model, and give its memory back afterwards."""
    from utils.models.generate import LocalModel

    holder = [LocalModel(config.path, batch_size=config.batch_size)]
    try:
        yield LocalChat(holder[0], label=config.label, seed=config.seed)
    finally:
        del holder[0].model
        holder.clear()
        _free()


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
