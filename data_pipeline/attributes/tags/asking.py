"""Open tags by a chat model: what is asked, and how its reply is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import orjson
import polars as pl

from data_pipeline.attributes.base import text_of
from utils.models.chat.guard import guarded
from utils.models.chat.protocol import ChatModel, Request, Sampling

_SYSTEM: Final = {
    "en": "You tag requests to an assistant, so that a collection of them can be counted by topic and by kind of task.",
    "zh": "你为用户对助手的请求打标签，以便按主题和任务类型统计一个数据集。",
}
_TASK: Final = {
    "en": "Name the intentions of this request: topics, kind of task, skills and restrictions that it asks for. Reply "
    'with one JSON array of 1 to 8 short tags, in English, and nothing else: ["tag", "tag"]',
    "zh": "请给出该请求的意图标签：主题、任务类型、所需能力和限制条件。只回复一个 JSON 数组，"
    '含 1 到 8 个简短的中文标签，不要其他内容：["标签", "标签"]',
}
_SCHEMA: Final = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 8}
_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*)\n```\Z", re.DOTALL)
_LONGEST = 60  # characters of a tag; what is longer is a sentence


class Tagged(NamedTuple):
    """The tags of a row as the model wrote them, or why there are none."""

    tags: list[str]
    error: str | None


def ask_tags(chat: ChatModel, rows: pl.DataFrame, characters: int, seed: int) -> list[Tagged]:
    """Return the tags of rows (`lang, messages`) in their order; an unreadable reply is asked for once more.

    Args:
        chat: who is asked.
        rows: what the user wrote is shown, never the answer.
        characters: of it that are shown, from the beginning.
        seed: of the run.

    """
    shown = rows.select("lang", text=text_of(answers=False).str.head(characters)).rows()
    found = [Tagged([], "nothing to tag")] * len(shown)
    waiting = [at for at, (_, text) in enumerate(shown) if text.strip()]
    for attempt in range(2):
        requests = [
            _request(text, "zh" if lang == "zh" else "en", seed, attempt)
            for lang, text in (shown[at] for at in waiting)
        ]
        for at, answer in zip(waiting, chat.ask(requests), strict=True):
            found[at] = Tagged([], answer.error) if answer.text is None else read_tags(answer.text)
        waiting = [at for at in waiting if found[at].error is not None]
    return found


def _request(text: str, lang: Literal["zh", "en"], seed: int, attempt: int) -> Request:
    """Return the question; the second attempt is warm, or a model that decides nothing by chance says the same."""
    messages = guarded(_SYSTEM[lang], _TASK[lang], {"request": text}, lang=lang, seed=seed)
    return Request(messages, Sampling(max_tokens=200, temperature=0.7 * attempt, seed=seed + attempt), _SCHEMA)


def read_tags(reply: str) -> Tagged:
    """Return the tags of a reply: a JSON array of texts, alone or in a code fence; anything else is an error."""
    text = reply.strip()
    if fence := _FENCE.match(text):
        text = fence[1]
    try:
        tags: Sequence[object] = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Tagged([], "no JSON")
    if not isinstance(tags, list) or not tags or not all(isinstance(tag, str) and tag.strip() for tag in tags):
        return Tagged([], "no array of tags")
    if any(len(str(tag)) > _LONGEST for tag in tags):
        return Tagged([], f"a tag of more than {_LONGEST} characters")
    return Tagged(list(map(str, tags)), None)
