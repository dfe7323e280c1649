"""`posttrain init sample`: small checkable tasks in English and Chinese, with planted dirt and the truth beside them.

Every answer is short and can be checked by comparison, so a model's progress is a number and not an opinion. The dirt
is what cleaning must find: markup, invisible characters, addresses, copies, empty answers, broken lines.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from utils.runs.config import RunConfig
from utils.runs.directory import Run

Task = tuple[str, str]


class SampleConfig(RunConfig):
    """`posttrain init sample`."""

    rows: int = Field(default=1200, ge=50, le=2500)
    """Distinct tasks, half of them Chinese; planted copies and broken lines come on top. A language has 1290."""


_OPPOSITES_EN = "hot cold,big small,fast slow,high low,open closed,early late,full empty,hard soft,light dark,near far"
_OPPOSITES_ZH = "热 冷,大 小,快 慢,高 低,开 关,早 晚,满 空,硬 软,明 暗,近 远"
_PARITY = {"en": ("even", "odd"), "zh": ("偶数", "奇数")}
_SHARE = {"markup": 0.04, "invisible": 0.04, "address": 0.01, "empty": 0.02, "copy": 0.05}
_BROKEN = (b'{"id": "broken-1", "instruction": "cut off in the mid', b"not json at all", b'{"id": 3,, "output": "x"}')
_NOT_UTF8 = b'{"id": "bytes", "instruction": "\xff\xfe bad bytes", "input": "", "output": "odd"}'


def tasks(lang: str) -> Iterator[Task]:
    """Yield every `(question, answer)` of a language, from one step to three."""
    english = lang == "en"
    pairs = (pair.split() for pair in (_OPPOSITES_EN if english else _OPPOSITES_ZH).split(","))
    for word, opposite in pairs:
        yield (f"What is the opposite of {word}?" if english else f"“{word}”的反义词是什么？"), opposite
    for n in range(300):
        yield (f"Is {n} odd or even?" if english else f"{n}是奇数还是偶数？"), _PARITY[lang][n % 2]
        yield (f"What number comes after {n}?" if english else f"{n}后面的数是多少？"), str(n + 1)
    for a in range(20):
        for b in range(20):
            if a != b:
                yield (f"Which is larger, {a} or {b}?" if english else f"{a}和{b}哪个更大？"), str(max(a, b))
    for n in range(100):
        for more in (1, 2, 3):
            question = f"Take {n}, add {more}, and say whether the result is odd or even."
            chinese = f"把{n}加上{more}，再说出结果是奇数还是偶数。"
            yield (question if english else chinese), _PARITY[lang][(n + more) % 2]


def inputs(config: SampleConfig) -> list[Path]:
    """Return nothing: the sample is made from the seed alone."""
    del config
    return []


def dry_run(config: SampleConfig) -> dict[str, Any]:
    """Return how many tasks there are to draw from."""
    return {"tasks": {lang: sum(1 for _ in tasks(lang)) for lang in ("en", "zh")}, "rows": config.rows}


def work(run: Run, config: SampleConfig) -> dict[str, Any]:
    """Write `rows/{en,zh}.jsonl` and `truth.json`."""
    truth: Counter[str] = Counter()
    with run.unit("sample") as unit:
        for lang, count in (("en", config.rows // 2), ("zh", config.rows - config.rows // 2)):
            lines, found = dirty_lines(lang, count, random.Random(f"{config.seed}-{lang}"))  # noqa: S311
            truth.update(found)
            with unit.file(f"rows/{lang}.jsonl") as temporary:
                temporary.write_bytes(b"".join(line + b"\n" for line in lines))
        with unit.file("truth.json") as temporary:
            temporary.write_text(json.dumps(dict(sorted(truth.items())), indent=1) + "\n", encoding="utf-8")
        unit.commit({"rows": truth["in"]})
    return {"in": truth["in"], "kept": truth["in"], "dropped": 0, "quarantined": 0, "by_reason": {}}


def dirty_lines(lang: str, count: int, dice: random.Random) -> tuple[list[bytes], Counter[str]]:
    """Return `count` tasks as JSON lines with dirt in them, and what a perfect cleaning would find."""
    chosen = dice.sample(sorted(set(tasks(lang))), count)
    truth: Counter[str] = Counter()
    rows = []
    for number, (question, answer) in enumerate(chosen):
        dirt = _dirt(dice)
        truth[dirt] += 1
        question, answer = _soil(question, answer, dirt)
        rows.append({"id": f"{lang}-{number}", "instruction": question, "input": "", "output": answer})
    clean = [row for row in rows if row["output"]]
    copies = [{**row, "id": f"{row['id']}-copy"} for row in dice.sample(clean, int(count * _SHARE["copy"]))]
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows + copies]
    dice.shuffle(lines)
    truth["copy"] = len(copies)
    broken = [*_BROKEN, _NOT_UTF8] if lang == "en" else [_NOT_UTF8]
    for line in broken:
        lines.insert(dice.randrange(len(lines)), line)
    truth["broken"] = len(broken)
    truth["in"] = len(lines)
    return lines, truth


def _dirt(dice: random.Random) -> str:
    roll = dice.random()
    for kind in ("markup", "invisible", "address", "empty"):
        roll -= _SHARE[kind]
        if roll < 0:
            return kind
    return "none"


def _soil(question: str, answer: str, dirt: str) -> Task:
    if dirt == "markup":
        return f"<p>{question}</p>", f"<b>{answer}</b>"
    if dirt == "invisible":
        return f"{question[:3]}\u200b{question[3:]}", f"{answer}\ufeff"
    if dirt == "address":
        return f"{question} (someone@example.com)", answer
    return question, "" if dirt == "empty" else answer
