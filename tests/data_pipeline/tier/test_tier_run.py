"""From rows and attributes to files: every row decided once, whole records in tiers, the same bytes again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cli
from utils.data.ledger import DECISIONS_SCHEMA
from utils.data.records import RECORD_SCHEMA, read_parquet
from utils.data.streaming import iter_records
from utils.runs.commit import read_json

BANDS = "bands=[{name: short, quantiles: [0, 0.5]}, {name: long, quantiles: [0.5, 1]}]"
SEEDS = "seeds=[{name: round-1, from: short, share: 0.5}, {name: round-2, from: long, rows: 5}]"
KEYS = ["difficulty=text_statistics.tokens_estimate", "held_out=0.2", BANDS, SEEDS]


def row(number: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"请数到{number}"}, {"role": "assistant", "content": "数" * (number + 1)}]
    return {"messages": messages, "clean_id": f"{number:032x}", "topic": "count"}


def write(path: Path, numbers: range) -> Path:
    path.write_text("".join(json.dumps(row(n), ensure_ascii=False) + "\n" for n in numbers), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An attributes run over rows 0 to 59."""
    folder = tmp_path_factory.mktemp("measured")
    source = write(folder / "rows.jsonl", range(60))
    command = ["attributes", "--set", f"input={source}", "--set", f"output={folder / 'run'}", "--set", "executor=local"]
    assert cli.main([*command, "--set", "only=[text_statistics]", "--quiet"]) == 0
    return folder / "run"


def tiered(source: Path, measured: Path, output: Path, *more: str) -> tuple[int, Path]:
    keys = [f"input={source}", f"attributes={measured}", f"output={output}", *KEYS, *more]
    return cli.main(["tier", "--quiet", *(word for key in keys for word in ("--set", key))]), output


def decisions(run: Path) -> list[dict[str, Any]]:
    table = read_parquet(run / "ledger/decisions.parquet")
    assert table.schema.equals(DECISIONS_SCHEMA)
    return table.to_pylist()


def test_every_row_is_in_the_file_that_its_decision_names(measured: Path, tmp_path: Path) -> None:
    code, run = tiered(write(tmp_path / "rows.jsonl", range(60)), measured, tmp_path / "run")
    assert code == 0
    ledger = decisions(run)
    assert [d["id"] for d in ledger] == [f"{n:032x}" for n in range(60)]
    found = {}
    for target in ("held_out", "tiers/short", "tiers/long", "seeds/round-1", "seeds/round-2"):
        table = read_parquet(run / f"{target}.parquet")
        assert table.schema.names == RECORD_SCHEMA.names
        found |= {record["id"]: (target, record) for record in table.to_pylist()}
    assert {d["id"]: d["into"] for d in ledger} == {identity: target for identity, (target, _) in found.items()}
    assert found[f"{7:032x}"][1]["messages"] == row(7)["messages"]
    assert json.loads(found[f"{7:032x}"][1]["meta"]) == {"topic": "count"}
    assert len(read_parquet(run / "seeds/round-2.parquet")) == 5


def test_the_tier_is_chat_rows_that_are_read_again_with_their_ids(measured: Path, tmp_path: Path) -> None:
    _, run = tiered(write(tmp_path / "rows.jsonl", range(60)), measured, tmp_path / "run")
    lines = [json.loads(line) for line in (run / "tiers/short.jsonl").read_text(encoding="utf-8").splitlines()]
    assert set(lines[0]) == {"messages", "clean_id"}
    by_table, by_lines = (list(iter_records(run / f"tiers/short.{suffix}")) for suffix in ("parquet", "jsonl"))
    assert [r.id for r in by_lines] == [r.id for r in by_table] == [line["clean_id"] for line in lines]
    assert [r.messages for r in by_lines] == [r.messages for r in by_table]


def test_a_row_that_was_not_measured_is_quarantined_and_counted(measured: Path, tmp_path: Path) -> None:
    code, run = tiered(write(tmp_path / "rows.jsonl", range(70)), measured, tmp_path / "run", "held_out=0")
    assert code == 3  # 10 of 70 are over the limit
    counts = read_json(run / "manifest.json")["counts"]
    assert counts == {"in": 70, "kept": 60, "dropped": 0, "quarantined": 10, "by_reason": {}}
    assert {tuple(d["reasons"]) for d in decisions(run)[60:]} == {("no_attribute:text_statistics.tokens_estimate",)}


def test_twice_is_the_same_bytes_and_a_lost_file_comes_back(measured: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", range(60))
    _, one = tiered(source, measured, tmp_path / "one")
    _, two = tiered(source, measured, tmp_path / "two")
    before = {p.relative_to(one): p.read_bytes() for p in one.rglob("*.parquet")}
    assert before == {p.relative_to(two): p.read_bytes() for p in two.rglob("*.parquet")}
    (one / "manifest.json").unlink()
    (one / "tiers/long.parquet").unlink()
    assert tiered(source, measured, one)[0] == 0
    assert before == {p.relative_to(one): p.read_bytes() for p in one.rglob("*.parquet")}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("difficulty=text_statistics.token_estimate", "nearest: tokens_estimate"),
        ("difficulty=text_statistic.tokens_estimate", "nearest: text_statistics"),
        ("difficulty=text_statistics.lang", "text_statistics.lang is no number"),
        ("difficulty=text_statistics.lang", "numbers: characters, tokens_estimate, turns, "),
        ("difficulty=text_statistics.id", "no column text_statistics.id"),
        ("difficulty=text_statistics.id", "numbers: characters, tokens_estimate, turns, "),
    ],
)
def test_a_measure_that_cannot_be_used_ends_with_one_line(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, message: str
) -> None:
    code, _ = tiered(write(tmp_path / "rows.jsonl", range(5)), measured, tmp_path / "run", key)
    assert code == 2
    assert message in capsys.readouterr().err


def test_no_rows_are_said_to_be_none(measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = write(tmp_path / "empty.jsonl", range(0))
    assert tiered(empty, measured, tmp_path / "run")[0] == 2
    assert "no rows to put into tiers" in capsys.readouterr().err
    keys = [f"input={empty}", f"output={tmp_path / 'measured'}", "executor=local", "only=[text_statistics]"]
    assert cli.main(["attributes", "--quiet", *(word for key in keys for word in ("--set", key))]) == 0
    rows = write(tmp_path / "rows.jsonl", range(5))
    assert tiered(rows, tmp_path / "measured", tmp_path / "other")[0] == 2
    assert "no rows: text_statistics was measured on none" in capsys.readouterr().err


def test_a_folder_named_like_a_glob_is_read(measured: Path, tmp_path: Path) -> None:
    (tmp_path / "a[1]*").mkdir()
    assert tiered(write(tmp_path / "rows.jsonl", range(60)), measured, tmp_path / "a[1]*" / "run")[0] == 0
    assert decisions(tmp_path / "a[1]*" / "run")


def test_dry_run_shows_the_sizes(measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "rows.jsonl", range(60))
    keys = [f"input={source}", f"attributes={measured}", f"output={tmp_path / 'run'}", *KEYS, "held_out=0"]
    assert cli.main(["tier", "--dry-run", *(word for key in keys for word in ("--set", key))]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["into"] == {"seeds/round-1": 15, "seeds/round-2": 5, "tiers/long": 25, "tiers/short": 15}
    assert not (tmp_path / "run").exists()


FULL = [
    "controls=[random, tokens]",
    "jsonl=[chat, alpaca, data_list]",
    "quotas=[{by: lang, rows: {zh: 9, en: 4}}]",
    "bands=[{name: short, quantiles: [0, 0.5], rows: 14}, {name: long, quantiles: [0.5, 1]}]",
]


@pytest.fixture(scope="module")
def full(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything, over rows of which two repeat a prompt of an evaluation."""
    folder = tmp_path_factory.mktemp("full")
    (folder / "evaluation.jsonl").write_text('{"question": "请数到 7！"}\n{"question": "请数到41"}\n', encoding="utf-8")
    evaluation = f"decontaminate={{files: [{folder / 'evaluation.jsonl'}], similarity_unspaced: 1}}"
    code, run = tiered(write(folder / "rows.jsonl", range(60)), measured, folder / "run", *FULL, evaluation)
    assert code == 0
    return run


def test_rows_of_an_evaluation_are_nowhere_and_why_tells(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = read_json(full / "manifest.json")["counts"]
    assert counts["by_reason"]["evaluation_prompt:exact"] == 2
    assert counts["in"] == counts["kept"] + counts["dropped"] + counts["quarantined"] == 60
    files = [path for path in full.rglob("*.parquet") if path.parent.name in {"tiers", "seeds", "controls"}]
    held = {row["id"] for path in files for row in read_parquet(path, ["id"]).to_pylist()}
    assert len(held) > 30
    assert not {f"{7:032x}", f"{41:032x}"} & held
    assert cli.main(["why", f"{7:032x}", "--run", str(full), "--json"]) == 0
    (event,) = [event for event in json.loads(capsys.readouterr().out) if event["stage"] == "tier"]
    assert (event["what"], event["reasons"]) == ("dropped", ["evaluation_prompt:exact"])
    assert (event["repeats"], event["of"]) == ("请数到 7！", "evaluation.jsonl row 0")


def test_controls_and_formats_lie_beside_the_tiers(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account = read_json(full / "tiers.json")
    for name, target in account["into"].items():
        assert read_parquet(full / f"{name}.parquet").num_rows == target["rows"]
    assert account["into"]["controls/long-random"]["rows"] == account["into"]["tiers/long"]["rows"]
    quota = next(one for one in account["tiers"]["short"]["quotas"] if one["value"] == "en")
    assert (quota["wanted"], quota["had"], quota["taken"], quota["short"]) == (4, 0, 0, 4)
    tier = list(iter_records(full / "tiers/short.parquet"))
    for kind in ("alpaca", "data_list"):
        again = list(iter_records(full / f"formats/{kind}/tiers/short.jsonl"))
        assert [(one.id, one.messages) for one in again] == [(one.id, one.messages) for one in tier]
    everything = {record.id for record in iter_records(full)}  # a reader of the run reads its tiers, once
    assert len(everything) == sum(1 for _ in iter_records(full))
    control = read_parquet(full / "controls/members.parquet").to_pylist()[0]
    assert cli.main(["why", control["id"], "--run", str(full), "--json"]) == 0
    assert control["control"] in json.loads(capsys.readouterr().out)[0]["controls"]


def test_a_replay_tells_what_moves_and_reads_nothing_again(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = list(full.parent.glob("*.jsonl"))
    texts = {path: path.read_bytes() for path in sources}
    for path in sources:
        path.unlink()
    try:
        assert cli.main(["tier", "replay", str(full), "--json", "--set", "seed=42"]) == 0
        same = json.loads(capsys.readouterr().out)["places"]
        assert all(row["gained"] == row["lost"] == 0 for row in same)
        assert {row["place"] for row in same} >= {"tiers/short", "tiers/long", "dropped", "held_out"}
        floor = "floor=[{attribute: text_statistics.answer_characters, minimum: 50}]"
        assert cli.main(["tier", "replay", str(full), "--json", "--set", floor]) == 0
    finally:
        for path, text in texts.items():
            path.write_bytes(text)
    told = json.loads(capsys.readouterr().out)
    moved = read_parquet(told["changes"]).to_pylist()
    held_out = {row["id"] for row in read_parquet(full / "held_out.parquet", ["id"]).to_pylist()}
    # Row n answers with n + 1 characters: all below 49 that were kept and are not held out are lost.
    kept = {d["id"] for d in decisions(full) if d["status"] == "kept"} - held_out
    lost = {row["id"] for row in moved if row["after"] == "dropped"}
    assert {one for one in kept if int(one, 16) < 49} <= lost
    (dropped,) = [row for row in told["places"] if row["place"] == "dropped"]
    assert dropped["rows_now"] - dropped["rows"] == dropped["gained"] - dropped["lost"]
    assert dropped["gained"] == len(lost)


def test_a_replay_of_what_was_read_is_refused(full: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tier", "replay", str(full), "--set", "families=0.5"]) == 2
    assert "families decides what is read: it cannot be replayed" in capsys.readouterr().err
    assert cli.main(["tier", "replay", str(tmp_path)]) == 2
    assert "no finished tier run there" in capsys.readouterr().err
