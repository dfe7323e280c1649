"""Where rules changed texts: the place of a difference by property, spans and counts of batches by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cleaning import changes
from cleaning.changes import EDITS_SCHEMA, SPANS_PER_RULE, count, difference, spans
from tests.support.cleaning import batch_of

few = st.text("ab中\n", max_size=12)


@settings(deadline=None)
@given(few, few)
@example("aa", "aaa")
@example("abab", "ab")
@example("", "")
def test_all_that_differs_lies_in_the_difference(before: str, after: str) -> None:
    start, end, end_after = difference(before, after)
    assert 0 <= start <= min(end, end_after)
    assert before[:start] == after[:start] and before[end:] == after[end_after:]
    assert before[:start] + after[start:end_after] + before[end:] == after
    old, new = before[start:end], after[start:end_after]
    assert not old or not new or (old[0] != new[0] and old[-1] != new[-1]), "no smaller one does"


def test_a_span_is_where_the_rule_found_it_and_a_hit_what_it_found(tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("casino=>gambling\n")
    rows = [{"text": "same"}, {"text": "x<br>y"}, {"text": "a\u200bb casino casino casino"}]
    batch = batch_of(rows, "document", "valid_characters", "html", {"rule": "blacklist", "lists": [str(bad)]})
    table = spans(batch, "deep/a.jsonl", 7)
    assert table.schema.equals(EDITS_SCHEMA)
    found = table.to_pylist()
    assert {(line["source_file"], line["place"]) for line in found} == {("deep/a.jsonl", 0)}
    assert [(line["source_row"], line["rule"], line["start"], line["end"], line["what"]) for line in found] == [
        (9, "valid_characters", 1, 2, None),
        (8, "html", 1, 5, None),
        *((9, "blacklist", at, at + 6, "casino=>gambling") for at in (3, 10, 17)),
    ]
    assert [line["id"] for line in found] == [batch.ids[line["source_row"] - 7] for line in found]
    assert spans(batch_of(rows[:1], "document", "html"), "a", 0).num_rows == 0


def test_at_most_three_spans_for_each_rule_and_row(tmp_path: Path) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("casino=>gambling\n")
    rows = [{"data": ["<b>q</b>\u200b", "<i>a</i> casino"] * 5} for _ in range(2)]
    batch = batch_of(rows, "data_list", "valid_characters", "html", {"rule": "blacklist", "lists": [str(bad)]})
    found = spans(batch, "a", 0).to_pylist()
    numbers: dict[tuple[int, str], list[int]] = {}
    for line in found:
        numbers.setdefault((line["source_row"], line["rule"]), []).append(line["place"])
    first = {"valid_characters": [0, 2, 4], "html": [0, 1, 2], "blacklist": [1, 3, 5]}
    assert numbers == {(row, rule): places for row in (0, 1) for rule, places in first.items()}
    assert {len(places) for places in numbers.values()} == {SPANS_PER_RULE}


def counted(*batches: Any) -> dict[str, Any]:
    report: dict[str, Any] = {"rows": 0, "edits": {}, "kinds": {}, "examples": {}}
    for batch in batches:
        count(report, batch)
    return report


def test_rows_changes_and_the_first_examples_of_each_rule_are_counted() -> None:
    rows = [{"data": ["<b>q</b>", "a<br>b"]}, {"data": ["<i>r</i>", "c"]}, {"data": ["s", "d"]}]
    batch = batch_of(rows, "data_list", "html")
    report = counted(batch, batch, batch)
    changes = 3 * int(batch.edits["count"].sum())
    assert changes > 9 and report["edits"] == {"html": {"rows": 6, "changes": changes}} and report["rows"] == 9
    assert report["examples"] == {"html": [{"id": batch.ids[0], "before": "<b>q</b>", "after": "q"}] * 2}


def test_personal_data_is_counted_by_kind_and_shown_nowhere() -> None:
    """Neither by its own rule, whatever it is called, nor by one that saw the text before."""
    call = "<b>call</b> me: 13800138000 or a.b@mail-demo.cn"
    policy = ("html", {"rule": "personal_data", "name": "private"}, {"rule": "minimum_length", "characters": 1})
    rows = [{"data": ["<b>q</b>", call]}, {"data": ["r", "<i>plain</i>"]}]
    report = counted(batch_of(rows, "data_list", *policy))
    assert report["kinds"] == {"private": {"phone": 1, "email": 1}}
    shown = report["examples"]
    assert [one["before"] for one in shown["private"]] == ["…"] and "<phone>" in shown["private"][0]["after"]
    assert [one["before"] for one in shown["html"]] == ["<i>plain</i>"], "an example without any is found"
    assert "13800138000" not in str(report) and "a.b@" not in str(report)


def test_an_example_shows_what_surrounds_the_change() -> None:
    text = "left " * 100 + "<br>" + " right" * 100
    (shown,) = counted(batch_of([{"text": text}], "document", "html"))["examples"]["html"]
    assert "<br>" in shown["before"] and "<br>" not in shown["after"]
    assert len(shown["before"]) <= 210 and shown["before"] in text


def test_an_excerpt_shows_no_change_where_it_is_only_cut() -> None:
    words = " ".join(f"word{number}" for number in range(200))
    excerpt = changes._excerpt("<b>" + words.replace("word9 ", "word9<br> ") + "</b>", words)
    assert excerpt["before"].replace("<b>", "").replace("<br>", "") == excerpt["after"]
    assert len(excerpt["after"]) > 100
