"""A model on this machine by vLLM, where that is installed (https://docs.vllm.ai, offline inference)."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from utils.errors import UserError
from utils.models.chat.protocol import Answer, Request

if TYPE_CHECKING:
    from utils.models.chat.config import VllmConfig
    from utils.models.templates import ChatTemplate


class VllmChat:
    """An opened vLLM engine. Prompts are rendered by our own `ChatTemplate`, so data cannot forge a turn."""

    def __init__(self, engine: Any, template: ChatTemplate, *, label: str, seed: int, longest: int) -> None:
        self._engine = engine
        self._template = template
        self._label = label
        self._seed = seed
        self._longest = longest

    def ask(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer all at once; what the model cannot take is that request's error."""
        prompts = [self._prompt(request) for request in requests]
        asked = [place for place, prompt in enumerate(prompts) if not isinstance(prompt, str)]
        outputs = self._engine.generate(
            [{"prompt_token_ids": prompts[place]} for place in asked],
            [self._sampling(requests[place]) for place in asked],
            use_tqdm=False,
        )
        answers = dict(zip(asked, map(self._answer, outputs), strict=True))
        refused = [Answer(error=prompt, model=self._label) if isinstance(prompt, str) else None for prompt in prompts]
        return [flaw or answers[place] for place, flaw in enumerate(refused)]

    def _prompt(self, request: Request) -> list[int] | str:
        """Token ids, or why there are none."""
        from jinja2 import TemplateError

        try:
            ids = self._template.prompt(request.messages)
        except (UserError, TemplateError) as error:
            return f"the chat template refuses the prompt: {error}"
        new = request.sampling.max_tokens
        over = len(ids) + new > self._longest
        return f"{len(ids)} prompt tokens and {new} new ones are over the model's {self._longest}" if over else ids

    def _sampling(self, request: Request) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        sampling = request.sampling
        schema = request.schema
        return SamplingParams(
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=self._seed if sampling.seed is None else sampling.seed,
            stop=list(sampling.stop),
            logprobs=sampling.top_logprobs or None,
            structured_outputs=None if schema is None else StructuredOutputsParams(json=dict(schema)),
        )

    def _answer(self, output: Any) -> Answer:
        drawn = output.outputs[0]
        first: dict[str, float] = {}
        for one in sorted(drawn.logprobs[0].values(), key=lambda one: -one.logprob) if drawn.logprobs else ():
            first.setdefault(str(one.decoded_token), float(one.logprob))
        return Answer(
            text=drawn.text,
            finish_reason=drawn.finish_reason,
            prompt_tokens=len(output.prompt_token_ids),
            completion_tokens=len(drawn.token_ids),
            first_token=first or None,
            model=self._label,
        )


@contextmanager
def open_vllm(config: VllmConfig) -> Iterator[VllmChat]:
    """Load a model into vLLM, and give its memory back afterwards.

    Raises:
        UserError: vLLM is not installed.

    """
    from utils.models.locate import load_tokenizer, resolve_model, work_offline
    from utils.models.templates import ChatTemplate

    work_offline()
    os.environ["VLLM_NO_USAGE_STATS"] = "1"  # it would report to its makers
    try:
        from vllm import LLM
    except ImportError as error:
        mend = "install it beside posttrain (it needs a GPU), or use kind: local, or an endpoint"
        raise UserError(f"vLLM is not installed: {error}", where=f"chat model {config.label}", mend=mend) from error
    directory = resolve_model(config.path)
    engine = LLM(model=str(directory), tensor_parallel_size=config.gpus, seed=config.seed, trust_remote_code=False)
    template = ChatTemplate(load_tokenizer(directory), where=str(directory))
    longest = engine.llm_engine.model_config.max_model_len
    try:
        yield VllmChat(engine, template, label=config.label, seed=config.seed, longest=longest)
    finally:
        del engine
        gc.collect()
