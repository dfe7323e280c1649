"""What we wrote by hand: topics with questions and facts, and answers that must survive as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
LANGS = ("zh", "en")


@dataclass
class Topic:
    """A subject, three questions about it, six facts that stand alone in any order."""

    title: str
    questions: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)


def read_topics(lang: str) -> list[Topic]:
    """Return the topics of a language (`# title`, `? question`, `- fact`)."""
    topics: list[Topic] = []
    for line in _text(f"topics_{lang}.txt").splitlines():
        mark, text = line[:1], line[2:]
        if mark == "#":
            topics.append(Topic(text))
        else:
            (topics[-1].questions if mark == "?" else topics[-1].facts).append(text)
    return topics


def read_solid(lang: str) -> list[tuple[str, str, str]]:
    """Return (kind, question, answer) for code, formulas, tables, lists, numbers and symbols."""
    blocks = _text(f"solid_{lang}.txt").split("%% ")[1:]
    parted = (block.rstrip("\n").split("\n", 2) for block in blocks)
    return [(kind, question, answer) for kind, question, answer in parted]


def edge_lines(lang: str) -> list[bytes]:
    """Return hand-written JSON lines as they are, one of them broken."""
    return (HERE / f"edge_{lang}.jsonl").read_bytes().splitlines()


def joined(lang: str, sentences: list[str]) -> str:
    """Return sentences as running text."""
    return ("" if lang == "zh" else " ").join(sentences)


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
