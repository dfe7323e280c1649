"""Rows of a finished run cleaned once more: equal to what was written, refused when the input is another."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleaning.replay import ledger, replay
from cleaning.truth import outcomes
from tests.cleaning.conftest import ROWS, TALKS, made_run
from tests.support.cleaning import lines, write_rows
from utils.errors import UserError


def places(run: Path) -> list[tuple[str, int]]:
    return sorted(ledger(run).select("source_file", "source_row").collect().rows())


def test_what_comes_out_is_what_good_holds(finished: Path) -> None:
    known = outcomes(finished)
    found = {(r.row["source_file"], r.row["source_row"]): r for r in replay(finished, list(known.values()))}
    assert sorted(found) == places(finished)
    kept = {place for place, row in known.items() if row["status"] == "kept"}
    assert len(kept) == 8
    for place in kept - {("talks.jsonl", 0)}:
        assert found[place].after == known[place]["texts"]
    emptied = found["talks.jsonl", 0]
    assert emptied.after == ["", "", "And now?", "a & b"], "an exchange that rules emptied is not written"
    assert known["talks.jsonl", 0]["texts"] == emptied.after[2:]


def test_the_steps_lead_from_what_came_in_to_what_came_out(finished: Path) -> None:
    rows = ledger(finished).collect().to_dicts()
    came_in = {("a.jsonl", n): [str(row["instruction"]), row["output"]] for n, row in enumerate(ROWS[:-1])}
    came_in |= {("talks.jsonl", n): row["data"] for n, row in enumerate(TALKS)}
    for one in replay(finished, rows):
        row, texts = one.row, list(one.before)
        assert texts == came_in.get((row["source_file"], row["source_row"]), texts)
        for step in one.steps:
            assert step.before == texts[step.place] != step.after
            texts[step.place] = step.after
        assert texts == one.after
        assert [edit["rule"] for edit in row["edits"]] == list(dict.fromkeys(step.rule for step in one.steps))
    by_row = {
        one.row["source_row"]: one for one in replay(finished, [r for r in rows if r["source_file"] == "a.jsonl"])
    }
    assert list(by_row) == list(range(10)), "in the order of the input"
    assert [(s.rule, s.role) for s in by_row[1].steps] == [
        ("valid_characters", "assistant"),
        ("personal_data", "assistant"),
    ]
    assert by_row[4].hits == [("blacklist", f"{word}=>gambling") for word in ("casino", "casino", "poker")]
    assert (by_row[9].row["status"], by_row[9].before, by_row[9].steps) == ("quarantined", [], [])


def test_another_input_is_one_clear_error(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    rows = ledger(run).collect().to_dicts()
    talks = [row for row in rows if row["source_file"] == "talks.jsonl"]
    path = tmp_path / "in" / "a.jsonl"
    for change in ("a row more", "gone"):
        write_rows(path, [*ROWS, ROWS[0]]) if change == "a row more" else path.unlink()
        with pytest.raises(UserError, match=r"a\.jsonl: the input changed since the run.*put the input"):
            list(replay(run, rows))
        assert len(list(replay(run, talks))) == 2, "the other files' rows can still be told of"
    for file in (tmp_path / "in").iterdir():
        file.unlink()
    with pytest.raises(UserError, match="no rows"):
        list(replay(run, rows))


def test_a_changed_list_of_words_is_told(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    (tmp_path / "bad.txt").write_text("casino=>gambling\n")
    with pytest.raises(UserError, match="lists of blacklist changed"):
        list(replay(run, ledger(run).collect().to_dicts()))


def test_relative_paths_begin_where_the_run_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w[1]").mkdir()
    monkeypatch.chdir(tmp_path / "w[1]")
    run = made_run(tmp_path / "w[1]", Path("in"))
    monkeypatch.chdir(tmp_path)
    assert len(list(replay(run, ledger(run).collect().to_dicts()))) == 14
    assert len(lines(run / "small-sample100.jsonl")) == 13


def test_only_finished_cleaning_runs(finished: Path, tmp_path: Path) -> None:
    for place in (tmp_path, finished / "run"):
        with pytest.raises(UserError, match="no finished cleaning run there"):
            list(replay(place, []))
