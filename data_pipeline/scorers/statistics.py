"""Numbers that say how a prompt and its answer are written: lengths, marks, lists, code, and what the two share."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from data_pipeline.scorers.asked import asked
from data_pipeline.scorers.relations import related

# A Chinese character is a word of its own, for no blank says where words end.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
WORD = rf"[{_CJK}]|[^\W{_CJK}]+"
_FUNCTION_WORDS = """
    the a an of to in and is are was were be for with on that it as by or at from this you your can their they its i we
    he she his her not have has had will would should which who what when where how
    的 了 是 在 和 有 我 你 他 她 它 这 那 就 也 都 与 及 为 以 对 中 地 得 着 不
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())

_WORD = re.compile(WORD)
_SENTENCE = re.compile(r"[.!?。！？]+")
_PIECE = re.compile(r"[.!?。！？\n]+")
_ITEM = re.compile(r"(?m)^\s*(?:\d+[.)、]|[-*•·])")
_NUMBER = re.compile(r"\d+")
_MARK = re.compile(r"[^\w\s]|_")
_CAPITAL = re.compile(r"[A-Z]")
_NAME = re.compile(r"(?<![.!?:\"“]\s)(?<=\s)[A-Z][a-z]+")
_YEAR = re.compile(r"(?<!\d)(?:1\d{3}|20[0-2]\d)(?!\d)")
_CODE = re.compile(r"```|\bdef \w+\(|\bclass \w+|[{};]\s*$|</?\w+>|\bSELECT\b|\breturn\b", re.MULTILINE)
_FORMULA = re.compile(r"\d\s*[-+*/=^×÷]\s*\(?\d|\\frac|\$[^$]+\$")
_REFUSAL = re.compile(
    r"\b(?:as an ai|i cannot|i can't|i'm sorry|i am sorry|unable to|not able to|no input|not possible)\b"
    r"|抱歉|对不起|无法|作为.{0,8}(?:AI|人工智能|语言模型)",
    re.IGNORECASE,
)
_HOLLOW = re.compile(r"<no ?input>|n/?a\b|\[.*?\]|\(.*?(?:url|link|image|attach).*?\)|_{3,}|无输入", re.IGNORECASE)
_VERDICT = re.compile(r"\s*(?:(?:yes|no|true|false)\b|是|否|对|错|不)", re.IGNORECASE)
_PERSONS = (
    frozenset({"he", "she", "his", "her", "him", "他", "她"}),
    frozenset({"you", "your", "你", "您"}),
    frozenset({"i", "my", "we", "our", "我"}),
)


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
    words = _words(task), _words(rest), _words(answer)
    return [
        *_of_text(task, words[0]),
        *_of_text(answer, words[2]),
        *_of_text(rest, words[1]),
        *_of_answer(answer, words[2]),
        *related(prompt, rest, answer, words, FUNCTION_WORDS),
        *asked(task),
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
        _share(words, FUNCTION_WORDS),
        sum(len(word) > 8 for word in words) / (len(words) + 1),
        math.log1p(sentences),
        math.log1p(len(words) / (sentences + 1)),
        sum(map(len, _NUMBER.findall(text))) / characters,
        math.log1p(len(_NUMBER.findall(text))),
        len(_NAME.findall(text)) / (len(words) + 1),
        len(_MARK.findall(text)) / characters,
        math.log1p(text.count("\n")),
        math.log1p(len(_ITEM.findall(text))),
        math.log1p(text.count("?") + text.count("？")),
        math.log1p(sum(text.count(mark) for mark in '"“”「」')),
        math.log1p(text.count(",") + text.count("，") + text.count("、")),
        math.log1p(text.count(":") + text.count("：")),
        math.log1p(text.count("(") + text.count("（")),
        float(text.rstrip().endswith((".", "!", "?", "。", "！", "？"))),
        float(bool(_CODE.search(text))),
        float(len(_FORMULA.findall(text)) > 0),
    ]


def _of_answer(answer: str, words: Sequence[str]) -> list[float]:
    lengths = [len(_WORD.findall(piece)) for piece in _PIECE.split(answer) if piece.strip()] or [0]
    return [
        math.log1p(max(lengths)),
        float(np.std(lengths)),
        math.log1p(lengths[0]),
        math.log1p(lengths[-1]),
        len(set(words)) / (math.sqrt(len(words)) + 1),
        len(_CAPITAL.findall(answer)) / (len(answer) + 1),
        float(answer[:1].isupper()),
        float(answer[:1].isdigit()),
        float("http" in answer),
        float(bool(_VERDICT.match(answer))),
        math.log1p(len(_YEAR.findall(answer))),
        float(bool(_YEAR.search(answer[:60]))),
        *(_share(words, persons) for persons in _PERSONS),
    ]


def _share(words: Sequence[str], of: frozenset[str]) -> float:
    return sum(word in of for word in words) / (len(words) + 1)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
