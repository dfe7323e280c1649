"""The OpenAI wire format: the body of a request, and the answer in a response. Pure functions.

https://platform.openai.com/docs/api-reference/chat/create and …/completions/create, as vLLM, llama.cpp, SGLang and
`transformers serve` speak it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from utils.data.parsing import repair_text
from utils.models.chat.protocol import Answer, Request
from utils.models.chat.transport import MalformedResponseError

if TYPE_CHECKING:
    from utils.models.chat.config import EndpointConfig

Json = dict[str, Any]
_LARGEST = 1 << 53  # of numbers that are taken for real
_ROUNDING = 1e-3  # a log-probability over 0 by more is none


def path_of(config: EndpointConfig) -> str:
    """Return the path below the base URL."""
    return "/chat/completions" if config.api == "chat" else "/completions"


def body_of(config: EndpointConfig, request: Request, *, structured: bool) -> Json:
    """Return the request's body.

    Args:
        config: names the model; its `extra_body` wins, and null in it takes a key out.
        request: of a completion API, its texts are asked as they are, joined by empty lines.
        structured: whether to ask for the request's schema.

    """
    sampling = request.sampling
    body: Json = {"model": config.model, "temperature": sampling.temperature, "top_p": sampling.top_p}
    body |= {config.max_tokens_key: sampling.max_tokens, "seed": sampling.seed, "stop": list(sampling.stop) or None}
    texts = [repair_text(message.content) for message in request.messages]
    if config.api == "completion":
        body |= {"prompt": "\n\n".join(texts), "logprobs": sampling.top_logprobs or None}
    else:
        roles = [message.role for message in request.messages]
        body["messages"] = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
        if sampling.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
        if structured and request.schema is not None:
            schema = {"name": "answer", "strict": True, "schema": dict(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {key: value for key, value in (body | config.extra_body).items() if value is not None}


def answer_in(response: Any) -> Answer:
    """Return the answer that a parsed response holds; an error where the model gave no text (a refusal).

    Raises:
        MalformedResponseError: it holds none.

    """
    choice = _first(response.get("choices") if isinstance(response, dict) else None)
    if not isinstance(choice, dict):
        raise MalformedResponseError("the response holds no choice")
    message = choice.get("message")
    if not isinstance(message, dict) and not isinstance(choice.get("text"), str):
        raise MalformedResponseError("the choice holds no message")
    text = _text_in(message.get("content")) if isinstance(message, dict) else choice["text"]
    refusal = message.get("refusal") if isinstance(message, dict) else None
    reason = choice.get("finish_reason")
    usage = response.get("usage") if isinstance(response.get("usage"), dict) else {}
    return Answer(
        text=repair_text(text) if text is not None else None,
        error=None if text is not None else f"the model gave no text: {repair_text(str(refusal or reason)[:200])}",
        finish_reason=_word(reason),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        first_token=_first_token(choice.get("logprobs")),
        model=_word(response.get("model")),
    )


def _text_in(content: Any) -> str | None:
    """Text of a message: a string, or a list of parts as some servers send it."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str)) if parts else None
    if content is not None and not isinstance(content, str):
        raise MalformedResponseError(f"the content is no text but {type(content).__name__}")
    return content


def _first_token(logprobs: Any) -> dict[str, float] | None:
    """Alternatives of the first token, in the chat form (a list of objects) or the completion form (a mapping)."""
    if not isinstance(logprobs, dict):
        return None
    first = _first(logprobs.get("content"))
    listed = first.get("top_logprobs") if isinstance(first, dict) else None
    if isinstance(listed, list):
        pairs = [(one.get("token"), one.get("logprob")) for one in listed if isinstance(one, dict)]
    else:
        mapping = _first(logprobs.get("top_logprobs"))
        pairs = list(mapping.items()) if isinstance(mapping, dict) else []
    found: dict[str, float] = {}
    for token, value in pairs:
        if isinstance(token, str) and isinstance(value, int | float) and -_LARGEST <= value <= _ROUNDING:
            found.setdefault(repair_text(token), min(float(value), 0.0))
    return found or None


def _first(items: Any) -> Any:
    return items[0] if isinstance(items, list) and items else None


def _word(value: Any) -> str | None:
    return repair_text(value) if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST else None
