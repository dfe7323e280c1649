"""What is asked of a chat model and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from utils.data.records import Message


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn.

    Args:
        max_tokens: limit of one answer.
        temperature: 0 takes the likeliest token.
        top_p: nucleus.
        seed: for models that take one.
        stop: texts that end an answer.
        top_logprobs: so many alternatives for the first answered token, 0 for none.

    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One question.

    Args:
        messages: the conversation so far; of a completion API its text is asked as it is, without a template.
        sampling: how the answer is drawn.
        schema: a JSON schema that the answer must follow, for models that can be told; None for free text.

    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, or why there is none: exactly one of `text` and `error` holds.

    Args:
        text: as the model gave it.
        error: what went wrong with this request for good; never an answer.
        finish_reason: `stop`, `length` or what the endpoint says; None when unknown.
        prompt_tokens: None when unknown.
        completion_tokens: None when unknown.
        first_token: likeliest first tokens and their natural log-probabilities, where `top_logprobs` asked for them.
        model: what answered, as it names itself.
        cached: it was paid before.

    """

    text: str | None = None
    error: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token: Mapping[str, float] | None = None
    model: str | None = None
    cached: bool = False


class ChatModel(Protocol):
    """An opened chat model."""

    def ask(self, requests: Sequence[Request]) -> list[Answer]:
        """Return an answer for each request, in order.

        Raises:
            RetryLaterError: budget, rate limit or breaker: what is not answered stays pending (exit code 75).

        """
