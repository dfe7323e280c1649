"""A finished run in which something of every kind happened; `made_run` makes another one like it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.cleaning import clean_here, write_rows

ASKED = "请用不超过两百字介绍一下长江三峡的形成过程，并说明葛洲坝工程在当年的作用与今天的意义。"
ANSWER = "三峡由江水切穿隆起的山地而成，两岸石灰岩与砂岩软硬相间，峡谷与宽谷交替出现，险滩极多。"
QUOTED = "Name three rivers that rise in the Alps and say into which sea each of them flows."
POLICY = """[{rule: valid_characters}, {rule: html}, {rule: personal_data},
    {rule: minimum_length, characters: 1, answers: together}, LIST]"""
ROWS = [
    {"instruction": "What is tea?", "output": "<p>Tea is a drink.</p>", "n": 1.50},
    {"instruction": "怎么联系你？", "output": "请打\u200b电话 13800138000 找我。"},
    {"instruction": "What is tea?", "output": "<p>Tea is a drink.</p>"},
    {"instruction": "Say nothing.", "output": ""},
    {"instruction": "Where to play?", "output": "At the casino, the Casino or at poker night."},
    {"instruction": ASKED, "output": ANSWER},
    {"instruction": ASKED + "谢谢！", "output": ANSWER},
    {"instruction": QUOTED, "output": "Rhine, Rhône, Po."},
    {"instruction": "Sing.", "output": "La la la."},
    {"no": "instruction"},
]
TALKS = [
    {"id": "t", "data": ["<br>", "<p></p>", "And now?", "a &amp; b"]},
    {"id": "u", "data": ["若a<b且b<c，谁最大？", "c 最大。"]},
]


def made_run(folder: Path, source: Path | None = None, *settings: str) -> Path:
    """Clean the rows above, which then lie in `folder/in`; return the run, `folder/out`."""
    source = source or folder / "in"
    write_rows(folder / "in" / "a.jsonl", ROWS)
    write_rows(folder / "in" / "talks.jsonl", TALKS)
    pages = pa.table({"instruction": ["<i>x</i>", "y"], "output": ["1", "2"], "score": pa.array([1, 2], pa.int8())})
    pq.write_table(pages, folder / "in" / "deep.parquet")
    write_rows(folder / "asked.jsonl", [{"prompt": QUOTED}])
    (folder / "bad.txt").write_text("casino=>gambling\npoker=>gambling\n")
    listed = f"{{rule: blacklist, lists: ['{folder / 'bad.txt'}']}}"
    given = [f"policy={POLICY.replace('LIST', listed)}", "duplicates.near={threshold: 0.7}", "quarantine_limit=0.5"]
    given += [f"duplicates.reference={{files: ['{folder / 'asked.jsonl'}'], text_field: prompt}}", "name=small"]
    clean_here(source, folder / "out", *given, *settings)
    return folder / "out"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, not to be changed; its input is `../in`."""
    return made_run(tmp_path_factory.mktemp("finished"))
