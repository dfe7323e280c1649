"""The whole search against a plain reference: exact groups, all pairs, clusters, survivors, columns."""

from __future__ import annotations

import itertools
import json
import random
import shutil
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cleaning.duplicates.here import CERTAIN, Here, documents, jaccard, search, write_rows

PLAIN = {"normalise": False, "near": {"unit": "character", **CERTAIN}}
COLUMNS = ("reasons", "duplicate_of", "similarity", "cluster")


def expected(texts: list[str], survivor: str = "longest", threshold: float = 0.7) -> list[tuple[Any, ...]]:
    """Return (reason, row of duplicate_of, similarity, row of cluster) of each text, by comparing all with all."""
    first = [texts.index(text) for text in texts]
    rows = [row for row in range(len(texts)) if first[row] == row and len(texts[row]) >= 5]
    pairs = ((one, other, jaccard(texts[one], texts[other])) for one, other in itertools.combinations(rows, 2))
    edges: dict[int, dict[int, float]] = {row: {} for row in range(len(texts))}
    for one, other, similarity in pairs:
        if similarity >= threshold:
            edges[one][other] = edges[other][one] = similarity
    found: list[tuple[Any, ...]] = [(None, None, None, None)] * len(texts)
    best = {}
    for row in rows:
        cluster = reached(edges, row)
        best[row] = min(cluster, key=lambda r: (-len(texts[r]) if survivor == "longest" else 0, r))
        if best[row] != row:
            depth = reached(edges, best[row])
            nearer = [other for other in edges[row] if depth[other] == depth[row] - 1]
            neighbour = min(nearer, key=lambda other: (-edges[row][other], other))
            found[row] = ("near_duplicate", neighbour, edges[row][neighbour], best[row])
    for row in range(len(texts)):
        if first[row] != row:
            found[row] = ("exact_duplicate", first[row], 1.0, best.get(first[row], first[row]))
    return found


def reached(edges: dict[int, dict[int, float]], start: int) -> dict[int, int]:
    """Return the rows of a cluster, each with its distance from one of them."""
    depth, queue = {start: 0}, deque([start])
    while queue:
        row = queue.popleft()
        for other in edges[row]:
            if other not in depth:
                depth[other] = depth[row] + 1
                queue.append(other)
    return depth


def assert_same(found: pl.DataFrame, texts: list[str], wanted: list[tuple[Any, ...]]) -> None:
    ids = found["id"].to_list()
    for row, (got, (reason, neighbour, similarity, cluster)) in enumerate(
        zip(found.select(COLUMNS).iter_rows(), wanted, strict=True)
    ):
        assert got[0] == ([reason] if reason else []), (row, texts[row])
        assert got[1] == (None if neighbour is None else ids[neighbour])
        assert got[2] == (None if similarity is None else pytest.approx(np.float32(similarity)))
        assert got[3] == (None if cluster is None else ids[cluster])


def corpus(seed: int, rows: int) -> list[str]:
    """Return Chinese and English texts, copies of them, and copies with some characters changed."""
    draw = random.Random(seed)
    alphabets = ("天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏", "etaoin shrdlu cmfwyp")
    made: list[str] = []
    for _ in range(rows):
        kind = draw.random()
        if made and kind < 0.2:
            made.append(draw.choice(made))
        elif made and kind < 0.65:
            text = list(draw.choice(made))
            for _ in range(draw.randrange(1, 6)):
                if text:
                    text[draw.randrange(len(text))] = draw.choice("改变一二三 xyz")
            made.append("".join(text))
        else:
            made.append("".join(draw.choices(draw.choice(alphabets), k=draw.choice([1, 3, 4, 5, 6, 20, 60, 120]))))
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6), st.integers(1, 90), st.sampled_from(["longest", "first"]))
def test_it_is_what_comparing_all_with_all_gives(seed: int, rows: int, survivor: str) -> None:
    texts = corpus(seed, rows)
    with TemporaryDirectory() as folder:
        source = documents(Path(folder) / "in.jsonl", texts)
        near = {**PLAIN["near"], "survivor": survivor}  # type: ignore[dict-item]
        found = search(source, Path(folder) / "out", {**PLAIN, "near": near}, partition_bytes=2048)
    assert_same(found, texts, expected(texts, survivor))


def test_neither_partitions_nor_the_order_of_tasks_nor_memory_matter(tmp_path: Path) -> None:
    texts = corpus(1, 700)
    source = documents(tmp_path / "in.jsonl", texts)
    wanted = search(source, tmp_path / "a", PLAIN, partition_bytes=1 << 20)
    assert_same(wanted, texts, expected(texts))
    for name, size, order in (
        ("b", 1024, reversed),
        ("c", 5000, lambda tasks: random.Random(3).sample(tasks, len(tasks))),
    ):
        found = search(source, tmp_path / name, PLAIN, here=Here(tmp_path / name, order), partition_bytes=size)
        assert found.select("id", *COLUMNS).equals(wanted.select("id", *COLUMNS))


def test_every_step_can_be_lost_and_is_done_again_alike(tmp_path: Path) -> None:
    source = documents(tmp_path / "in.jsonl", corpus(2, 300))
    whole = tmp_path / "whole"
    wanted = search(source, whole, PLAIN, partition_bytes=1024)
    reports = sorted((whole / "run/reports").iterdir())
    assert len(reports) > 20
    for lost in reports[::4]:
        broken = tmp_path / "broken"
        shutil.copytree(whole, broken)
        for name in (lost.name, "duplicates.json", "prompt-groups.json"):
            (broken / "run/reports" / name).unlink(missing_ok=True)
        again = Here(broken)
        found = search(source, broken, PLAIN, here=again, partition_bytes=1024)
        assert found.equals(wanted)
        assert set(again.done) <= {lost.stem, "duplicates", "prompt-groups"}
        for name in ("duplicates.parquet", "prompt_groups.parquet"):
            assert (broken / "run/work" / name).read_bytes() == (whole / "run/work" / name).read_bytes()
        shutil.rmtree(broken)


def test_across_inputs_the_first_file_comes_first(tmp_path: Path) -> None:
    text = "落霞与孤鹜齐飞，秋水共长天一色。渔舟唱晚，响穷彭蠡之滨；雁阵惊寒，声断衡阳之浦。"
    documents(tmp_path / "in/b.jsonl", [text, "something else entirely"])
    documents(tmp_path / "in/a.jsonl", ["another text of some length", text, text.replace("落霞", "晚霞")])
    found = search(tmp_path / "in", tmp_path / "out", PLAIN)
    told = {(file, row): reasons for file, row, reasons in found.select("source_file", "source_row", "reasons").rows()}
    assert {place for place, reasons in told.items() if reasons} == {("a.jsonl", 2), ("b.jsonl", 0)}
    assert told["b.jsonl", 0] == ["exact_duplicate"]


def test_the_largest_number_in_a_field_survives(tmp_path: Path) -> None:
    text = "春江潮水连海平，海上明月共潮生。滟滟随波千万里，何处春江无月明。江流宛转绕芳甸。"
    rows = [{"text": text + "甲", "score": 3}, {"text": text + "乙", "score": 9.5}, {"text": text + "丙" * 2}]
    source = write_rows(tmp_path / "in.jsonl", [*rows, {"text": text + "丁", "score": "no number"}])
    near = {**PLAIN["near"], "survivor": {"field": "score"}}  # type: ignore[dict-item]
    found = search(source, tmp_path / "out", {**PLAIN, "near": near})
    assert [bool(reasons) for reasons in found["reasons"].to_list()] == [True, False, True, True]


def test_a_row_that_a_rule_drops_is_compared_exactly_only_and_keeps_all_reasons(tmp_path: Path) -> None:
    text = "一二三四五六七八九十百千万亿"
    source = documents(tmp_path / "in.jsonl", [text, text + "兆", text + "兆", text * 9])
    policy = [{"rule": "minimum_length", "characters": 50}]
    found = search(source, tmp_path / "out", PLAIN, policy=policy)
    assert found["reasons"].to_list() == [
        ["minimum_length"],
        ["minimum_length"],
        ["minimum_length", "exact_duplicate"],
        [],
    ]
    assert found["duplicate_of"].to_list() == [None, None, found["id"][1], None]


def test_rows_that_are_empty_are_copies_of_the_first_empty_one(tmp_path: Path) -> None:
    rows = [{"text": ""}, {"text": "a"}, {"text": ""}, {"text": " "}]
    documents(tmp_path / "in/a.jsonl", [row["text"] for row in rows])
    write_rows(tmp_path / "in/b.jsonl", [{"instruction": "", "output": ""}, {"instruction": "q", "output": ""}])
    found = search(tmp_path / "in", tmp_path / "out", PLAIN)
    assert found["reasons"].to_list() == [[], [], ["exact_duplicate"], [], ["exact_duplicate"], []]
    assert found["duplicate_of"].to_list() == [None, None, found["id"][0], None, found["id"][0], None]
    normalised = search(tmp_path / "in/a.jsonl", tmp_path / "normalised", {})
    assert normalised["reasons"].to_list() == [[], [], ["exact_duplicate"], ["exact_duplicate"]]
    policy = [{"rule": "minimum_length", "characters": 1}]
    dropped = search(tmp_path / "in/a.jsonl", tmp_path / "dropped", {}, policy=policy)
    short = ["minimum_length"]
    assert dropped["reasons"].to_list() == [short, [], [*short, "exact_duplicate"], [*short, "exact_duplicate"]]


def test_a_copy_names_the_first_row_that_says_the_same_which_mostly_is_its_own_id(tmp_path: Path) -> None:
    """Ids are hashes of rows as they were read: byte-equal texts share one, texts made equal by cleaning do not."""
    first = "Write to anna@firma.de about the caf\u00e9 at noon."
    same = [first, first.replace(" ", "  "), first.replace("\u00e9", "e\u0301"), first.replace("anna", "bernd"), first]
    source = documents(tmp_path / "in.jsonl", same)
    found = search(source, tmp_path / "out", {}, policy=[{"rule": "personal_data"}])
    ids = found["id"].to_list()
    assert ids[0] == ids[4] and len(set(ids)) == 4
    assert found["reasons"].to_list() == [[], *[["exact_duplicate"]] * 4]
    for name in ("duplicate_of", "cluster"):
        assert found[name].to_list() == [None, *[ids[0]] * 4]
    assert found["similarity"].to_list() == [None, *[1.0] * 4]


def test_equal_prompts_with_other_answers_stay_and_are_told(tmp_path: Path) -> None:
    long = "".join(chr(0x4E00 + 7 * number) for number in range(300))
    rows = [
        {"instruction": "为什么天是蓝的？", "output": "因为瑞利散射：短波长的光散射得更多。"},
        {"instruction": "为什么天是蓝的？", "output": "太阳光中蓝光容易被空气分子散射到各个方向。"},
        {"instruction": long + "甲", "output": "第一个答案，与另一个毫无相同之处，讲的是山。"},
        {"instruction": long + "乙", "output": "完全不同的另外一段话：海上生明月，天涯共此时。"},
        {"instruction": long + "丙", "output": "第一个答案，与另一个毫无相同之处，讲的是山！"},
        {"instruction": "单独的一行", "output": "单独的答案"},
        {"instruction": "为什么天是蓝的？", "output": "因为瑞利散射：短波长的光散射得更多。"},
    ]
    source = write_rows(tmp_path / "in.jsonl", rows)
    found = search(source, tmp_path / "out", PLAIN)
    assert found["reasons"].to_list() == [[], [], [], [], ["near_duplicate"], [], ["exact_duplicate"]]
    groups = pl.read_parquet(tmp_path / "out/run/work/prompt_groups.parquet")
    ids = found["id"].to_list()
    assert groups.rows() == [(ids[first], ids[row], "in.jsonl", row) for first, row in ((0, 0), (0, 1), (2, 2), (2, 3))]
    report = json.loads((tmp_path / "out/run/reports/prompt-groups.json").read_text())
    assert (report["prompt_groups"], report["rows"]) == (2, 4)


def test_nothing_is_looked_for_when_nothing_is_asked_for(tmp_path: Path) -> None:
    source = documents(tmp_path / "in.jsonl", ["same", "same"])
    assert search(source, tmp_path / "out", {"exact": False})["reasons"].to_list() == [[], []]
    assert not list((tmp_path / "out/run/work/duplicates").glob("*signatures.npy"))
