"""Reference sets: what is hit by equality, resemblance and containment, and what only shares a phrase."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cli
from cleaning.duplicates.overlaps import index_of, overlaps
from cleaning.duplicates.reference import _in_one_place
from cleaning.duplicates.shingles import shingle_sets
from tests.cleaning.duplicates.here import documents, jaccard, search, shingles, write_rows

ZH = (
    "一家商店第一天卖出了二十四个苹果，第二天卖出的苹果比第一天多三分之一，第三天卖出的苹果是前两天总数的一半。"
    "请问这家商店三天一共卖出了多少个苹果？请写出计算的每一个步骤，并说明理由。"
)
EN = (
    "A farmer walks from the village to the market at four kilometres per hour and rides back on a cart at twelve "
    "kilometres per hour. The whole way takes him two hours. How far is the market from the village? Show every step."
)
SHORT = ("Write a poem", "写一首诗", "你好")
PAD_ZH = "你是一位耐心的数学老师。回答要准确、完整、有条理，不要编造事实。下面是学生提出的问题，请先读懂，再作答。"
PAD_EN = "You are a patient teacher of mathematics. Be brief, keep to the facts, and answer in plain language. "


def found_in(tmp_path: Path, prompts: list[str], **reference: Any) -> pl.DataFrame:
    references = write_rows(tmp_path / "refs/prompts.jsonl", [{"prompt": text} for text in (ZH, EN, *SHORT)])
    rows = [{"instruction": prompt, "output": f"answer {number}"} for number, prompt in enumerate(prompts)]
    source = write_rows(tmp_path / "in/a.jsonl", rows)
    chosen = {"files": [references], "text_field": "prompt", **reference}
    return search(source, tmp_path / "out", {"reference": chosen})


def test_hits_and_misses_in_both_languages(tmp_path: Path) -> None:
    near_zh, near_en = ZH.replace("苹果，第二", "梨，第二"), EN.replace("farmer", "miller")
    assert jaccard(near_zh, ZH) > 0.7 and jaccard(near_en.lower(), EN.lower()) > 0.7
    hits = {
        ZH: 1.0,
        "  " + EN.upper().replace(" ", "  "): 1.0,
        near_zh: jaccard(near_zh, ZH),
        near_en: jaccard(near_en.lower(), EN.lower()),
        PAD_ZH * 3 + ZH + PAD_ZH: 1.0,
        PAD_EN * 3 + EN + PAD_EN: 1.0,
        "write a  POEM": 1.0,
        "写一首诗": 1.0,
    }
    misses = [
        "Write a poem about the sea and a ship that never came home",
        "写一首诗，题目是《江南的雨》",
        "你好，请问怎样学习写作？",
        PAD_ZH + "一家商店第一天卖出了二十四个苹果，请问要怎样才能多卖一些？",
        PAD_EN + "How far is the market from the village, and is it open on Sundays?",
    ]
    found = found_in(tmp_path, [*hits, *misses])
    assert found["reasons"].to_list() == [["reference_duplicate"]] * len(hits) + [[]] * len(misses)
    for told, wanted in zip(found["similarity"].to_list(), [*hits.values(), *[None] * len(misses)], strict=True):
        assert told == (None if wanted is None else pytest.approx(wanted, abs=0.02))
    assert found["duplicate_of"].equals(found["reference_id"].rename("duplicate_of"))


def test_the_matched_texts_are_kept(tmp_path: Path) -> None:
    found_in(tmp_path, ["nothing of the kind here", PAD_ZH + ZH + PAD_ZH, "Write a poem"])
    (path,) = (tmp_path / "out/run/work/reference").iterdir()
    first, second = pl.read_parquet(path).to_dicts()
    assert (first["source_row"], first["place"], first["reference_row"]) == (1, 0, 0)
    assert (first["reference_file"], first["reference_text"]) == ("prompts.jsonl", ZH)
    assert first["excerpt"].startswith(ZH[:20])
    assert (second["source_row"], second["excerpt"], second["reference_text"]) == (2, "Write a poem", "Write a poem")


def test_what_lies_scattered_in_a_long_text_is_not_contained(tmp_path: Path) -> None:
    pieces = [EN[start : start + 24] for start in range(0, len(EN), 20)]
    random.Random(0).shuffle(pieces)
    scattered = PAD_EN.join(pieces)
    assert len(shingles(EN.lower()) & shingles(scattered.lower())) >= 0.9 * len(shingles(EN.lower()))
    assert found_in(tmp_path, [scattered])["reasons"].to_list() == [[]]
    share, excerpt = _in_one_place(f"{PAD_EN}{EN}{PAD_EN}", EN)
    assert share == 1.0 and excerpt.startswith(EN[:50])
    assert _in_one_place(scattered, EN)[0] < 0.5


def test_bounds_are_settings(tmp_path: Path) -> None:
    near = ZH.replace("苹果，第二", "梨，第二")
    assert found_in(tmp_path, [near], threshold=0.99, containment=1.0)["reasons"].to_list() == [[]]


def test_system_prompts_parts_of_a_turn_and_documents_count_and_answers_do_not(tmp_path: Path) -> None:
    references = documents(
        tmp_path / "refs.jsonl", [ZH, "a\nreference in two parts that is long enough to matter here"]
    )
    chat = [
        {"messages": [{"role": "system", "content": ZH}, *turns("q", "a")]},
        {"messages": [*turns("q", "a"), *turns(ZH, "b")]},
        {"messages": turns("q", ZH)},
    ]
    write_rows(tmp_path / "in/chat.jsonl", chat)
    part = {"instruction": "a", "input": "reference in two parts that is long enough to matter here", "output": "x"}
    write_rows(tmp_path / "in/parts.jsonl", [part])
    pq.write_table(pa.table({"text": ["unrelated", ZH]}), tmp_path / "in/texts.parquet")
    found = search(tmp_path / "in", tmp_path / "out", {"reference": {"files": [references]}})
    hit = [bool(reasons) for reasons in found["reasons"].to_list()]
    assert hit == [True, True, False, True, False, True]


def turns(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def test_any_format_and_table_is_a_reference(tmp_path: Path) -> None:
    (tmp_path / "refs").mkdir()
    pq.write_table(pa.table({"instruction": [ZH], "output": ["36 + …"]}), tmp_path / "refs/a.parquet")
    (tmp_path / "refs/b.json").write_text(json.dumps([{"data": [EN, "sixteen thirds"]}]))
    source = write_rows(tmp_path / "in.jsonl", [{"instruction": text, "output": "o"} for text in (ZH, EN, "36 + …")])
    found = search(source, tmp_path / "out", {"reference": {"files": [tmp_path / "refs"]}})
    assert found["reasons"].to_list() == [["reference_duplicate"], ["reference_duplicate"], []]


def test_what_cleaning_takes_from_rows_hides_no_reference(tmp_path: Path) -> None:
    """Markup, entities and full-width letters on either side; what is shown is the reference as it lies there."""
    marked = EN.replace("kilometres per hour", "<b>km&nbsp;&#47;&nbsp;h</b>").replace("market", "&quot;market&quot;")
    plain = EN.replace("kilometres per hour", "km / h").replace("market", '"market"')
    wide, narrow = "请把ＡＢＣ三个字母各写１２遍", "请把ABC三个字母各写12遍"
    both = [marked, wide, "Tom &amp; Jerry &lt;3"]
    references = write_rows(tmp_path / "refs.jsonl", [{"prompt": text} for text in both])
    asked = [plain, marked, narrow, wide, PAD_EN * 3 + marked + PAD_EN, PAD_EN * 3 + plain + PAD_EN, "tom & jerry <3"]
    misses = ["Tom and Jerry", "请把三个字母各写一遍"]
    source = write_rows(tmp_path / "in.jsonl", [{"instruction": text, "output": "x"} for text in [*asked, *misses]])
    policy = [{"rule": "html"}, {"rule": "width"}, {"rule": "url"}]
    chosen = {"reference": {"files": [references], "text_field": "prompt"}}
    found = search(source, tmp_path / "out", chosen, policy=policy)
    hit = ["reference_duplicate" in reasons for reasons in found["reasons"].to_list()]
    assert hit == [True] * len(asked) + [False] * len(misses)
    assert found["reference_similarity"].drop_nulls().to_list() == pytest.approx([1.0] * len(asked), abs=0.02)
    (path,) = (tmp_path / "out/run/work/reference").iterdir()
    shown = pl.read_parquet(path)["reference_text"].to_list()
    assert shown == [text[:300] for text in (marked, marked, wide, wide, marked, marked, both[2])]


def test_what_cleaning_leaves_of_a_long_reference_does_not_stand_for_it(tmp_path: Path) -> None:
    long = "Summarise https://example.com/" + "/".join(str(n**5) for n in range(7, 20))
    references = write_rows(tmp_path / "refs.jsonl", [{"prompt": long}])
    prompts = ["Summarise", "Summarise https://example.com/c", long]
    source = write_rows(tmp_path / "in.jsonl", [{"instruction": text, "output": text} for text in prompts])
    chosen = {"exact": False, "reference": {"files": [references], "text_field": "prompt"}}
    found = search(source, tmp_path / "out", chosen, policy=[{"rule": "url"}])
    assert found["reasons"].to_list() == [[], [], ["reference_duplicate"]]
    (path,) = (tmp_path / "out/run/work/reference").iterdir()
    assert pl.read_parquet(path).select("reference_text", "excerpt").row(0) == (long, long)


def test_reasons_come_in_order_and_a_hit_takes_no_part_in_near_duplicates(tmp_path: Path) -> None:
    references = documents(tmp_path / "refs.jsonl", [ZH])
    source = documents(tmp_path / "in.jsonl", [ZH, ZH, ZH + "附加的一句话：" + PAD_ZH * 2, PAD_ZH * 2])
    policy = [{"rule": "minimum_length", "characters": 100}]
    near = {"unit": "character", "threshold": 0.3}
    chosen = {"near": near, "reference": {"files": [references]}}
    found = search(source, tmp_path / "out", chosen, policy=policy)
    assert found["reasons"].to_list() == [
        ["minimum_length", "reference_duplicate"],
        ["minimum_length", "exact_duplicate", "reference_duplicate"],
        ["reference_duplicate"],
        [],
    ]
    assert found["duplicate_of"].to_list()[1] == found["id"][0], "the copy's own row, before the reference"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text("ab天地 ", max_size=30), min_size=1, max_size=8),
    st.lists(st.text("ab天地 ", max_size=60), max_size=8),
)
def test_overlaps_are_what_sets_give(references: list[str], texts: list[str]) -> None:
    index = index_of(shingle_sets(references))
    found = overlaps(index, shingle_sets(texts), 0.3, 0.6)
    wanted = []
    for number, text in enumerate(texts):
        for other, reference in enumerate(references):
            both = len(shingles(text) & shingles(reference))
            share = both / max(1, len(shingles(reference)))
            if both and (jaccard(text, reference) >= 0.3 or share >= 0.6):
                wanted.append((number, other, jaccard(text, reference), share))
    assert sorted(zip(*(side.tolist() for side in found), strict=True)) == sorted(wanted)
    assert all(isinstance(side, np.ndarray) for side in found)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("nowhere.jsonl", "no such file or folder → correct `duplicates.reference.files`"),
        ("empty.jsonl", "no reference text in there"),
        ("broken.jsonl", "broken.jsonl, row 2"),
        ("unknown.jsonl", "unknown format"),
    ],
)
def test_what_is_no_reference_is_told_in_one_line(
    files: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "broken.jsonl").write_text('{"text": "one"}\n{"text": \n')
    (tmp_path / "unknown.jsonl").write_text('{"what": 1}\n')
    documents(tmp_path / "in.jsonl", ["a row"])
    chosen = [f"input={tmp_path / 'in.jsonl'}", f"output={tmp_path / 'out'}", "policy=[]", "executor=local"]
    chosen.append(f"duplicates.reference.files=[{tmp_path / files}]")
    assert cli.main(["clean", "--quiet", *(word for setting in chosen for word in ("--set", setting))]) == 2
    said = capfd.readouterr().err
    assert message in said and said.count("\n") == 1
