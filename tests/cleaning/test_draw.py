"""Rows drawn for review: of each rule as many as asked, with all that a reviewer needs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cleaning.draw import draw
from cleaning.review import COLUMNS
from tests.cleaning.conftest import ANSWER, ASKED, QUOTED
from tests.support.cleaning import clean_here, write_rows
from utils.errors import UserError

DROPPED = {"minimum_length": 1, "blacklist": 1, "exact_duplicate": 1, "near_duplicate": 1, "reference_duplicate": 1}
CHANGED = {"valid_characters": 1, "html": 4, "personal_data": 1}


def test_every_rule_that_did_something_is_drawn(finished: Path) -> None:
    lines = list(draw(finished, 30))
    told = Counter((line["what"], line["rule"]) for line in lines)
    assert told == Counter(
        {
            **{("dropped", rule): rows for rule, rows in DROPPED.items()},
            **{("changed", rule): rows for rule, rows in CHANGED.items()},
        }
    )
    assert all(list(line.items())[-len(COLUMNS) :] == list(COLUMNS.items()) for line in lines)
    assert [line["rule"] for line in lines] == sorted(line["rule"] for line in lines)


def by_rule(finished: Path, rule: str) -> dict[str, Any]:
    (line,) = draw(finished, 1, rule=rule)
    assert line["rule"] == rule
    return line


def test_a_line_has_the_texts_as_they_came_in_and_what_the_rule_did(finished: Path) -> None:
    told = by_rule(finished, "personal_data")
    assert told["text"] == ["怎么联系你？", "请打\u200b电话 13800138000 找我。"]
    assert told["changes"] == [{"before": "请打电话 13800138000 找我。", "after": "请打电话 <phone> 找我。"}]
    assert (told["source_file"], told["source_row"], told["what"], told["clean_reasons"]) == (
        "a.jsonl",
        1,
        "changed",
        [],
    )
    told = by_rule(finished, "blacklist")
    assert told["entries"] == ["casino=>gambling", "casino=>gambling", "poker=>gambling"]
    assert by_rule(finished, "minimum_length")["entries"] == []


def test_a_duplicate_stands_beside_what_it_repeats(finished: Path) -> None:
    near = by_rule(finished, "near_duplicate")
    assert near["text"] == [ASKED, ANSWER] and near["duplicate_text"] == [ASKED + "谢谢！", ANSWER]
    assert 0.7 <= near["similarity"] < 1
    exact = by_rule(finished, "exact_duplicate")
    assert exact["duplicate_of"] == exact["clean_id"] and exact["duplicate_text"] == exact["text"]
    reference = by_rule(finished, "reference_duplicate")
    assert reference["duplicate_text"] == [QUOTED] == reference["text"][:1]


def test_an_unknown_rule_is_told_which_there_are(finished: Path) -> None:
    with pytest.raises(UserError, match=r"'url' dropped and changed nothing → one of: blacklist, .*valid_characters"):
        list(draw(finished, 3, rule="url"))


def test_the_seed_draws_and_other_partitions_do_not(tmp_path: Path) -> None:
    write_rows(tmp_path / "in" / "a.jsonl", ({"text": f"<b>row</b> {n}"} for n in range(60)))
    runs = [tmp_path / "one", tmp_path / "many"]
    for run, size in zip(runs, (1 << 20, 1024), strict=True):
        clean_here(tmp_path / "in", run, "policy=[{rule: html}]", f"partition_bytes={size}")
    drawn = [list(draw(run, 10)) for run in runs]
    assert drawn[0] == drawn[1] and len({line["clean_id"] for line in drawn[0]}) == 10
    assert list(draw(runs[0], 20))[:10] == drawn[0], "a larger one begins with the smaller"
    other = list(draw(runs[0], 10, seed=5))
    assert other != drawn[0] and other == list(draw(runs[1], 10, seed=5))
