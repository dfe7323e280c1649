"""Numbers that say how a prompt and its answer are written: lengths, marks, lists, code, and what the two share."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

# A Chinese character is a word of its own, for no blank says where words end.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
WORD = rf"[{_CJK}]|[^\W{_CJK}]+"

_WORD = re.compile(WORD)
_SENTENCE = re.compile(r"[.!?。！？]+")
_ITEM = re.compile(r"(?m)^\s*(?:\d+[.)、]|[-*•·])")
_NUMBER = re.compile(r"\d+")
_NAME = re.compile(r"(?<![.!?:\"“]\s)(?<=\s)[A-Z][a-z]+")
_ASKS = re.compile(
    r"\W*(?:what|who|whom|whose|when|where|which|why|how|is|are|was|were|can|could|do|does|did|should|would|will)\b"
    r"|.*(?:什么|谁|何时|哪|为什么|怎么|如何|多少|几|吗|呢)",
    re.IGNORECASE,
)
_WHY_OR_HOW = re.compile(r"\W*(?:why|how|explain|describe)\b|.*(?:为什么|如何|怎么|怎样|解释|描述)", re.IGNORECASE)
_MAKES = re.compile(
    r"\W*(?:write|create|generate|compose|design|construct|come up|develop|imagine|tell|draft|produce|make)\b"
    r"|.*(?:写|创作|生成|设计|编写|创建|想象|撰写)",
    re.IGNORECASE,
)
_CODE = re.compile(r"```|\bdef \w+\(|\bclass \w+|[{};]\s*$|</?\w+>|\bSELECT\b|\breturn\b", re.MULTILINE)
_FORMULA = re.compile(r"\d\s*[-+*/=^×÷]\s*\(?\d|\\frac|\$[^$]+\$")
_REFUSAL = re.compile(
    r"\b(?:as an ai|i cannot|i can't|i'm sorry|i am sorry|unable to|not able to|no input|not possible)\b"
    r"|抱歉|对不起|无法|作为.{0,8}(?:AI|人工智能|语言模型)",
    re.IGNORECASE,
)
_HOLLOW = re.compile(r"<no ?input>|n/?a\b|\[.*?\]|\(.*?(?:url|link|image|attach).*?\)|_{3,}|无输入", re.IGNORECASE)


def statistics(tasks: Sequence[str], prompts: Sequence[str], answers: Sequence[str]) -> np.ndarray:
    """Return numbers about rows, float64 [rows, n], all finite; what does not occur is 0.

    Args:
        tasks: the first lines of the prompts.
        prompts: all turns that are not the assistant's.
        answers: the assistant's turns.

    """
    rows = [_of_row(*row) for row in zip(tasks, prompts, answers, strict=True)]
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), -1)


def _of_row(task: str, prompt: str, answer: str) -> list[float]:
    rest = prompt[len(task) :].strip()
    asked, said, beside = _words(task), _words(answer), _words(rest)
    of_prompt, of_answer = set(asked) | set(beside), set(said)
    triples, source = (
        set(zip(said, said[1:], said[2:], strict=False)),
        set(zip(beside, beside[1:], beside[2:], strict=False)),
    )
    return [
        *_of_text(task, asked),
        *_of_text(answer, said),
        *_of_text(rest, beside),
        float(bool(rest)),
        math.log((len(answer) + 1) / (len(prompt) + 1)),
        math.log((len(answer) + 1) / (len(rest) + 1)),
        len(of_prompt & of_answer) / (len(of_answer) + 1),
        len(of_prompt & of_answer) / (len(of_prompt) + 1),
        len(triples & source) / (len(triples) + 1),
        float(bool(answer) and answer.strip() in prompt),
        *(float(bool(kind.match(task))) for kind in (_ASKS, _WHY_OR_HOW, _MAKES)),
        float(len(_HOLLOW.findall(prompt))),
        float(bool(_REFUSAL.search(answer))),
    ]


def _of_text(text: str, words: Sequence[str]) -> list[float]:
    characters = len(text) + 1
    sentences = len(_SENTENCE.findall(text))
    return [
        math.log1p(len(text)),
        math.log1p(len(words)),
        len(set(words)) / (len(words) + 1),
        sum(map(len, words)) / (len(words) + 1),
        math.log1p(sentences),
        math.log1p(len(words) / (sentences + 1)),
        sum(map(len, _NUMBER.findall(text))) / characters,
        math.log1p(len(_NUMBER.findall(text))),
        len(_NAME.findall(text)) / (len(words) + 1),
        sum(not (letter.isalnum() or letter.isspace()) for letter in text) / characters,
        math.log1p(text.count("\n")),
        math.log1p(len(_ITEM.findall(text))),
        math.log1p(text.count("?") + text.count("？")),
        math.log1p(sum(text.count(mark) for mark in '"“”「」')),
        math.log1p(text.count(",") + text.count("，") + text.count("、")),
        math.log1p(text.count(":") + text.count("：")),
        float(text.rstrip().endswith((".", "!", "?", "。", "！", "？"))),
        float(bool(_CODE.search(text))),
        float(len(_FORMULA.findall(text)) > 0),
    ]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
