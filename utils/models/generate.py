"""Answers from a local model, in batches that are fixed by content.

A batch is a function of the questions alone: same length-sorted rows, own seed. What another batch holds, or whether a
crash came between two, changes nothing in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from utils.models.locate import load_model, load_tokenizer, resolve_model
from utils.models.templates import ChatTemplate

if TYPE_CHECKING:
    import torch

    from utils.data.records import Message


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Args:
        text: without special tokens.
        tokens: generated, the end token included.
        finish_reason: `stop` when the model ended it, `length` when the limit did.

    """

    text: str
    tokens: int
    finish_reason: Literal["stop", "length"]


class LocalModel:
    """A chat model on this machine: safetensors, its own chat template, no remote code."""

    def __init__(self, path: Path | str, *, batch_size: int = 16) -> None:
        import torch

        directory = resolve_model(path)
        self.tokenizer = load_tokenizer(directory)
        self.template = ChatTemplate(self.tokenizer, where=str(directory))
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        model: Any = load_model(directory, dtype="bfloat16" if self.device == "cuda" else "float32")
        self.model = model.to(self.device).eval()
        self.batch_size = batch_size
        configured = self.model.generation_config.eos_token_id
        ends = configured if isinstance(configured, list) else [configured]
        self.ends = sorted({self.tokenizer.eos_token_id, *(end for end in ends if end is not None)})

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
            seed: together with a batch's content, sample numbers included, the seed of that batch.

        Returns:
            `len(prompts) * samples` answers, those of one prompt side by side.

        """
        asked = [self.template.prompt(prompt) for prompt in prompts for _ in range(samples)]
        answers: dict[int, Answer] = {}
        for rows in length_sorted_batches(asked, self.batch_size):
            batch = [asked[row] for row in rows]
            drawn_with = batch_seed(seed, [[row % samples, *asked[row]] for row in rows])
            ids = self._generate(batch, max_new_tokens, temperature, top_p, drawn_with)
            answers.update(zip(rows, (self._answer(new) for new in ids), strict=True))
        return [answers[row] for row in range(len(asked))]

    def _generate(
        self, batch: list[list[int]], max_new_tokens: int, temperature: float, top_p: float, seed: int
    ) -> list[list[int]]:
        """Return the new token ids of every row, cut after the first end token."""
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
        text = self.tokenizer.decode(new, skip_special_tokens=True)
        return Answer(text=str(text), tokens=len(new), finish_reason="stop" if stopped else "length")


def length_sorted_batches(rows: Sequence[Sequence[int]], batch_size: int) -> Iterator[list[int]]:
    """Row numbers in batches of near-equal length; the content breaks ties, never the order of arrival."""
    order = sorted(range(len(rows)), key=lambda row: (len(rows[row]), tuple(rows[row]), row))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def batch_seed(seed: int, batch: Sequence[Sequence[int]]) -> int:
    """Return the seed of one batch: a hash of the run's seed and the batch's own token ids.

    Sample numbers belong to the content: two batches of the same question must not give the same answers.
    """
    content = repr((seed, [list(row) for row in batch])).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=7).digest(), "big")
