"""Tasks for what a taxonomy lacks: which node is asked for, by whose seed tasks, and what is wanted no more."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from stages import jsonl, run

from data_pipeline.quota import QuotaFile
from data_pipeline.self_instruct.shortfall import Shortfall
from data_pipeline.self_instruct.tasks import SeedTask
from utils.errors import UserError
from utils.models.chat.config import ScriptedConfig
from utils.models.chat.protocol import Answer

TREE = {
    "nodes": [
        {
            "name": "reasoning",
            "keywords": ["riddle"],
            "children": [{"name": "maths", "keywords": ["sum"]}, {"name": "logic", "keywords": ["deduce"]}],
        },
        {"name": "poems", "keywords": ["poem"]},
    ]
}
SEEDS = [
    ("r", "Solve this riddle about a door.", None),
    ("m1", "Find the sum of 3 and 9.", None),
    ("m2", "Double the number seven.", "maths"),
    ("p", "Write a poem about rain.", None),
    ("x", "Name three rivers.", None),
]


def quota(**rows: int) -> dict[str, Any]:
    return {"quotas": [{"by": "taxonomy.nodes", "rows": {**rows, "*": 0}}], "taxonomy": TREE}


def shortfall(**rows: int) -> Shortfall:
    seeds = [SeedTask(name, text, (("", "a"),), False, node) for name, text, node in SEEDS]
    return Shortfall(QuotaFile.model_validate(quota(**rows)), seeds, Path("seeds.jsonl"))


def test_a_node_above_has_what_it_lacks_beyond_those_below() -> None:
    found = shortfall(reasoning=5, maths=3, poems=2)
    assert found.rooms == {"reasoning": 2, "maths": 3, "poems": 2}
    assert {node: [seed.id for seed in seeds] for node, seeds in found.seeds.items()} == {
        "reasoning": ["r"],
        "maths": ["m1", "m2"],
        "poems": ["p"],
    }
    assert shortfall(reasoning=3, maths=3).rooms == {"maths": 3}


def test_prompts_are_for_what_lacks_most_less_what_is_asked_already() -> None:
    found = shortfall(reasoning=9, maths=5, poems=3)
    asked = [found.asked(Counter(), number, 2) for number in range(6)]
    assert asked == ["maths", "reasoning", "maths", "poems", "reasoning", "maths"]  # 5 4 3 → 3 4 3 → 3 2 3 → 1 2 3 …
    assert found.asked(Counter(maths=4, reasoning=4), 0, 2) == "poems"
    assert not found.full(Counter(maths=5, reasoning=4)) and found.full(Counter(maths=5, reasoning=4, poems=3))


def test_tasks_count_for_the_node_of_their_words_else_for_that_they_were_asked_for() -> None:
    asked = [
        ("maths", "What is the sum here?"),
        ("maths", "Please deduce who did it."),  # logic is not short, what is above it is
        ("maths", "Write a poem on numbers."),  # wanted by nobody
        ("maths", "Halve the number ten."),
        ("maths", "Halve the number twelve."),  # one too many
    ]
    rows = [{"instruction": text, "input": "", "node": node} for node, text in asked]
    shortfall(reasoning=3, maths=2).place(rows, Counter())
    assert [(row["node"], row.get("reason")) for row in rows] == [
        ("maths", None),
        ("reasoning", None),
        ("poems", "over_quota"),
        ("maths", None),
        ("maths", "over_quota"),
    ]


def test_a_node_without_seed_tasks_is_named() -> None:
    with pytest.raises(UserError, match="no seed task belongs to logic"):
        shortfall(logic=2, poems=1)


class Poet:
    """Writes two tasks per prompt that are alike in kind to the first seed task shown, and new by their words."""

    def __init__(self) -> None:
        self.asked = 0
        self.kinds: Counter[str] = Counter()

    def ask(self, requests: Any) -> list[Answer]:
        return [self._answer(request.messages[0].content) for request in requests]

    def _answer(self, prompt: str) -> Answer:
        kind = "poem" if "poem about rain" in prompt else "sum"
        assert ("sum of 3 and 9" in prompt or "Double the number" in prompt) == (kind == "sum"), "one node per prompt"
        assert "Name three rivers" not in prompt and "riddle" not in prompt
        number = len(re.findall(r"^\d+\. Instruction: \S", prompt, re.M)) + 1
        parts = []
        for at in range(2):
            self.asked += 1
            word = "".join("abcdefghij"[int(digit)] * 3 for digit in f"{self.asked:04}")
            text = f"{word} {word}x {kind} {word}y {word}z {word}q"
            parts.append(
                f"{number + at}. Instruction: {text}\n{number + at}. Classification: no\n"
                f"{number + at}. Input:\n<noinput>\n{number + at}. Output:\nWords, {word}."
            )
        self.kinds[kind] += 1
        return Answer("\n###\n".join(parts), finish_reason="stop", model="poet")


def test_a_run_fills_the_shortfall_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poet = Poet()

    @contextmanager
    def open_it(self: Any, run_directory: Path) -> Any:
        yield poet

    monkeypatch.setattr(ScriptedConfig, "open", open_it)
    seeds = [
        {
            "id": name,
            "instruction": text,
            "instances": [{"input": "", "output": "a"}],
            **({"node": node} if node else {}),
        }
        for name, text, node in SEEDS
    ]
    file = tmp_path / "quota.yaml"
    file.write_text(yaml.safe_dump(quota(maths=5, poems=2)), encoding="utf-8")
    config = {
        "seeds": str(jsonl(tmp_path / "seeds.jsonl", seeds)),
        "output": str(tmp_path / "out"),
        "lang": "en",
        "quota": str(file),
        "target": 100,
        "max_prompts": 40,
        "prompts_per_batch": 2,
        "tasks_per_prompt": 2,
        "model": {"kind": "scripted", "replies": ["unused"]},
    }
    assert run("self-instruct", config, tmp_path) == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "tasks.jsonl").read_text().splitlines()]
    assert Counter(row["node"] for row in rows) == {"maths": 5, "poems": 2}
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text())["counts"]
    assert counts["by_reason"] == {"over_quota": 1} and counts["in"] == 8
    assert "max_prompts is used up" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert poet.kinds == {"sum": 3, "poem": 1}, "the run ends when the quota is full, not at its target"
    dropped = [row for row in pq.read_table(tmp_path / "out" / "drafts.parquet").to_pylist() if row["reason"]]
    assert [row["node"] for row in dropped] == ["maths"]
    before = (tmp_path / "out" / "tasks.jsonl").read_bytes()
    for name in ("manifest.json", "tasks.jsonl", "run/reports/tasks.json", "run/reports/batch-000001.json"):
        (tmp_path / "out" / name).unlink()
    poet.asked = 4  # what the first batch left it at
    assert run("self-instruct", config, tmp_path) == 0
    assert (tmp_path / "out" / "tasks.jsonl").read_bytes() == before, "what is still wanted is known after a kill"
