"""Answers from a local model, in batches that are fixed by content.

A batch is a function of the questions alone: same length-sorted rows, own seed. What another batch holds, or whether a
crash came between two, changes nothing in it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from utils.models.use import (
    Precision,
    around,
    check_precision,
    find,
    open_template_for_use,
    open_weights,
    stop_tokens,
    torch_dtype,
)

if TYPE_CHECKING:
    import torch
    from transformers import StoppingCriteria

    from utils.data.records import Message


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Args:
        text: without special tokens, and without what the template puts around an answer.
        tokens: generated, the end token included.
        finish_reason: `stop` when the model ended it, `length` when the limit did, `interrupted` when the reader did.

    """

    text: str
    tokens: int
    finish_reason: Literal["stop", "length", "interrupted"]


class LocalModel:
    """A chat model on this machine: safetensors, its adapter on it, its own chat template, no remote code."""

    def __init__(
        self,
        path: Path | str,
        *,
        batch_size: int = 16,
        template: str | None = None,
        dtype: Precision = "auto",
        load_in_8bit: bool = False,
    ) -> None:
        """Load it.

        Args:
            path: a Hugging Face directory, a finished training run, or a PEFT directory.
            batch_size: answers per forward pass.
            template: a shipped chat template or a `.jinja` file, in place of the model's own.
            dtype: of the weights; `auto` is 16 bit on a GPU, else fp32.
            load_in_8bit: by bitsandbytes, on a GPU.

        Raises:
            UserError: no such model, no chat template, or a precision that this machine does not have.

        """
        check_precision(dtype, load_in_8bit=load_in_8bit)
        place = find(path)
        self.template = open_template_for_use(place, template, str(path))
        self.tokenizer = self.template.tokenizer
        self.model: Any = open_weights(place, self.template, dtype=torch_dtype(dtype), load_in_8bit=load_in_8bit)
        self.device = self.model.device.type
        self.batch_size = batch_size
        self.around = around(self.template)
        configured = getattr(self.model.generation_config, "eos_token_id", None)
        self.ends = stop_tokens(self.template, configured, self.around.end)

    def answer(
        self,
        prompts: Sequence[Sequence[Message]],
        *,
        samples: int = 1,
        max_new_tokens: int = 256,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 42,
    ) -> list[Answer]:
        """Answer every prompt `samples` times.

        Args:
            prompts: conversations that end with the user's turn.
            samples: answers per prompt.
            max_new_tokens: limit per answer.
            temperature: 0 takes the likeliest token.
            top_p: nucleus.
            seed: together with a batch's content, the seed of that batch; the samples of a prompt, and equal prompts,
                are counted through, so that two batches of the same question do not give the same answers.

        Returns:
            `len(prompts) * samples` answers, those of one prompt side by side.

        """
        asked = [self.template.prompt(prompt) for prompt in prompts for _ in range(samples)]
        answers: dict[int, Answer] = {}
        draws = _occurrences(asked)
        for rows in length_sorted_batches(asked, self.batch_size):
            batch = [asked[row] for row in rows]
            drawn_with = batch_seed(seed, [[draws[row], *asked[row]] for row in rows])
            ids = self._generate(batch, max_new_tokens, temperature, top_p, drawn_with)
            answers.update(zip(rows, (self._answer(new) for new in ids), strict=True))
        return [answers[row] for row in range(len(asked))]

    def _generate(
        self, batch: list[list[int]], max_new_tokens: int, temperature: float, top_p: float, seed: int, **more: Any
    ) -> list[list[int]]:
        """Return the new token ids of every row, cut after the first end token; `more` goes to transformers."""
        import torch

        ids, attention = self._left_padded(batch)
        sampling = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
        devices = [torch.cuda.current_device()] if self.device == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(seed)
            output = self.model.generate(
                input_ids=ids,
                attention_mask=attention,
                max_new_tokens=max_new_tokens,
                eos_token_id=self.ends,
                pad_token_id=self.tokenizer.pad_token_id,
                **(sampling if temperature > 0 else {"do_sample": False}),
                **more,
            )
        return [self._until_end(row) for row in output[:, ids.shape[1] :].tolist()]

    def _left_padded(self, batch: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask, both (rows, longest prompt), with every prompt's last token in the last column."""
        import torch

        width = max(map(len, batch))
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in batch], device=self.device)
        attention = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch], device=self.device)
        return ids, attention

    def _until_end(self, new: list[int]) -> list[int]:
        length = next((place + 1 for place, token in enumerate(new) if token in self.ends), len(new))
        return new[:length]

    def _answer(self, new: list[int]) -> Answer:
        stopped = bool(new) and new[-1] in self.ends
        text = str(self.tokenizer.decode(new, skip_special_tokens=True)).removeprefix(self.around.before)
        if stopped:
            text = text.removesuffix(self.around.after)
        return Answer(text=text, tokens=len(new), finish_reason="stop" if stopped else "length")

    def stream(
        self,
        prompt: Sequence[Message],
        say: Callable[[str], None],
        *,
        enough: Callable[[], bool] = lambda: False,
        max_new_tokens: int = 256,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int = 42,
    ) -> Answer:
        """Answer one prompt, handing on the text as it comes: whole characters, their sum is the answer's text.

        Args:
            prompt: a conversation that ends with the user's turn.
            say: takes each piece of text.
            enough: asked after every token; True ends the answer.
            max_new_tokens: as in `answer`, like the rest: the answer is the one that `answer` gives.
            temperature: see `answer`.
            top_p: see `answer`.
            seed: see `answer`.

        """
        asked = self.template.prompt(prompt)
        pieces = _Pieces(self, say)
        more = {"streamer": pieces, "stopping_criteria": [_when(enough)]}
        new = self._generate([asked], max_new_tokens, temperature, top_p, batch_seed(seed, [[0, *asked]]), **more)
        answer = self._answer(new[0])
        pieces.finish(answer.text)
        if answer.finish_reason == "length" and answer.tokens < max_new_tokens:
            return replace(answer, finish_reason="interrupted")
        return answer


class _Pieces:
    """A streamer of transformers: text as soon as its characters are whole.

    A token may be a part of a character's bytes, and then decodes as U+FFFD, alone or at the end. So new tokens are
    decoded together with those before them that may still be open, as vLLM and text-generation-inference do. What may
    turn out to be the template's and not the answer's is kept back until more is known.
    """

    def __init__(self, model: LocalModel, say: Callable[[str], None]) -> None:
        self._tokenizer: Any = model.tokenizer
        self._say = say
        self._around = model.around
        self._ids: list[int] = []
        self._context = self._read = 0  # tokens before `_read` are decoded; those from `_context` on help the next
        self._text = ""
        self._said = 0
        self._asked = False

    def put(self, value: torch.Tensor) -> None:
        """Take what transformers hands on: the prompt first, then token by token."""
        if not self._asked:
            self._asked = True
            return
        self._ids += value.flatten().tolist()
        known, text = self._decode(self._context, self._read), self._decode(self._context, len(self._ids))
        if len(text) > len(known) and not text.endswith("\ufffd"):
            self._text += text[len(known) :]
            self._context, self._read = self._read, len(self._ids)
            self._hand_on(self._sure(self._text))

    def end(self) -> None:
        """Do nothing: `finish` knows the whole answer."""

    def finish(self, answer: str) -> None:
        """Say what is left of the answer."""
        self._hand_on(answer)

    def _sure(self, text: str) -> str:
        """Return what is the answer's for certain."""
        before, after = self._around.before, self._around.after
        if before.startswith(text):
            return ""
        text = text.removeprefix(before)
        held = (length for length in range(len(after), 0, -1) if text.endswith(after[:length]))
        return text[: len(text) - next(held, 0)]

    def _decode(self, start: int, end: int) -> str:
        return str(self._tokenizer.decode(self._ids[start:end], skip_special_tokens=True))

    def _hand_on(self, text: str) -> None:
        if piece := text[self._said :]:
            self._said += len(piece)
            self._say(piece)


def _when(enough: Callable[[], bool]) -> StoppingCriteria:
    import torch
    from transformers import StoppingCriteria

    class Enough(StoppingCriteria):
        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
            return torch.full((input_ids.shape[0],), enough(), device=input_ids.device, dtype=torch.bool)

    return Enough()


def length_sorted_batches(rows: Sequence[Sequence[int]], batch_size: int) -> Iterator[list[int]]:
    """Row numbers in batches of near-equal length; the content breaks ties, never the order of arrival."""
    order = sorted(range(len(rows)), key=lambda row: (len(rows[row]), tuple(rows[row]), row))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def _occurrences(rows: Sequence[Sequence[int]]) -> list[int]:
    """Return of each row how often it stood there before."""
    seen: Counter[tuple[int, ...]] = Counter()
    found = []
    for row in map(tuple, rows):
        found.append(seen[row])
        seen[row] += 1
    return found


def batch_seed(seed: int, batch: Sequence[Sequence[int]]) -> int:
    """Return the seed of one batch: a hash of the run's seed and the batch's own token ids.

    Before its token ids each row has the number of its draw, from 0.
    """
    content = repr((seed, [list(row) for row in batch])).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=7).digest(), "big")
