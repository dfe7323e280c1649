"""Out to another trainer and back: equal messages, equal ids, nothing without a licence, nothing half carried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from stages import jsonl, run

import data_pipeline.exports.kinds
from data_pipeline.exports.config import Target
from data_pipeline.exports.licences import SPDX, hugging_face_name, licence_of, models_in
from data_pipeline.exports.run import Ledger
from utils.data.ledger import DECISIONS_SCHEMA
from utils.data.records import (
    Preference,
    Record,
    content_id,
    from_dicts,
    preferences_to_table,
    read_parquet,
    records_to_table,
    write_parquet,
)
from utils.data.streaming import iter_preferences, iter_records
from utils.errors import StageFailedError
from utils.runs.commit import read_json

MIT = {"zh": "MIT", "en": "CC-BY-4.0"}
TARGETS = [
    {"kind": "llama-factory", "formatting": "sharegpt"},
    {"kind": "llama-factory", "formatting": "alpaca"},
    {"kind": "ms-swift"},
    {"kind": "trl"},
]


def said(*turns: str, system: str | None = None) -> list[dict[str, str]]:
    """Messages by turns: user, assistant, user …, after a system text."""
    spoken = [{"role": "assistant" if at % 2 else "user", "content": turn} for at, turn in enumerate(turns)]
    return ([{"role": "system", "content": system}] if system is not None else []) + spoken


CONVERSATIONS = [
    ("zh", said("把“天行健”译成白话。\n", "天道刚健，\n永不止息。")),
    ("en", said("Name a prime.", "7", "Another?", " 11 ", "And?", "13", system="You are terse.")),
    ("zh", said("你好 👋", "你好！有什么可以帮你？", "讲个笑话", "从前……", system="你是小助手。\n只说中文。")),
    ("en", said("line one\nline two", '{"a": "\\u4e2d", "b": [1]}')),
    ("en", said("", "An answer to nothing.")),
]


def records(rows: list[tuple[str, list[dict[str, str]]]]) -> list[Record]:
    made = [(source, from_dicts(messages)) for source, messages in rows]
    return [Record(content_id(messages), source, source, messages) for source, messages in made]


def stored(path: Path, rows: list[tuple[str, list[dict[str, str]]]]) -> Path:
    write_parquet(records_to_table(records(rows)), path)
    return path


def pairs(path: Path) -> list[Preference]:
    asked = [from_dicts(messages[:-1]) for _, messages in CONVERSATIONS]
    made = [
        Preference(f"{n:032x}", "zh", prompt, from_dicts(said("", "好")[1:]), from_dicts(said("", "坏\n")[1:]))
        for n, prompt in enumerate(asked)
    ]
    write_parquet(preferences_to_table(made), path)
    return made


def export(tmp_path: Path, source: Path, to: dict[str, Any], **keys: Any) -> tuple[int, Path]:
    output = tmp_path / f"export-{len(list(tmp_path.glob('export-*')))}"
    config = {"input": str(source), "output": str(output), "to": to, "licences": MIT, **keys}
    return run("export", config, tmp_path), output


def imported(tmp_path: Path, folder: Path, kind: str, name: str) -> Path:
    """Bring an export back, and return where the rows lie."""
    if kind == "trl":
        return folder / f"{name}.jsonl"
    source = folder / ("dataset_info.json" if kind == "llama-factory" else f"{name}.jsonl")
    output = tmp_path / "imported"
    assert run("import", {"input": str(source), "output": str(output), "kind": kind}, tmp_path) == 0
    return output


@pytest.mark.parametrize("to", TARGETS, ids=lambda to: "-".join(to.values()))
def test_conversations_come_back_as_they_went(to: dict[str, str], tmp_path: Path) -> None:
    code, folder = export(tmp_path, stored(tmp_path / "rows.parquet", CONVERSATIONS), to)
    assert code == 0
    back = list(iter_records(imported(tmp_path, folder, to["kind"], "rows")))
    assert [(r.id, r.messages) for r in back] == [(r.id, r.messages) for r in records(CONVERSATIONS)]


@pytest.mark.parametrize("to", TARGETS, ids=lambda to: "-".join(to.values()))
def test_pairs_come_back_as_they_went(to: dict[str, str], tmp_path: Path) -> None:
    went = pairs(tmp_path / "pairs.parquet")
    code, folder = export(tmp_path, tmp_path / "pairs.parquet", to)
    assert code == 0
    back = list(iter_preferences(imported(tmp_path, folder, to["kind"], "pairs")))
    assert [(p.id, p.prompt, p.chosen, p.rejected) for p in back] == [
        (p.id, p.prompt, p.chosen, p.rejected) for p in went
    ]


@pytest.mark.parametrize(
    "to", [{"kind": "llama-factory", "formatting": "documents"}, {"kind": "ms-swift"}, {"kind": "trl"}]
)
def test_documents_come_back_as_they_went(to: dict[str, str], tmp_path: Path) -> None:
    rows = [("zh", [{"role": "document", "content": "第一章\n\n道可道。"}])]
    code, folder = export(tmp_path, stored(tmp_path / "rows.parquet", rows), to)
    assert code == 0
    back = list(iter_records(imported(tmp_path, folder, to["kind"], "rows")))
    assert [(r.id, r.messages) for r in back] == [(r.id, r.messages) for r in records(rows)]


def test_the_files_are_what_llama_factory_reads(tmp_path: Path) -> None:
    """By its data/README.md: names, columns and tags, written out by hand."""
    source = stored(tmp_path / "rows.parquet", CONVERSATIONS[1:2])
    _, folder = export(tmp_path, source, TARGETS[1])
    assert json.loads((folder / "dataset_info.json").read_text()) == {
        "rows": {
            "file_name": "rows.jsonl",
            "columns": {
                "prompt": "instruction",
                "query": "input",
                "response": "output",
                "system": "system",
                "history": "history",
            },
        }
    }
    row = json.loads((folder / "rows.jsonl").read_text())
    assert (row.pop("clean_id"), row.pop("source")) == (records(CONVERSATIONS[1:2])[0].id, "en")
    assert row == {
        "instruction": "And?",
        "input": "",
        "output": "13",
        "system": "You are terse.",
        "history": [["Name a prime.", "7"], ["Another?", " 11 "]],
    }
    pairs(tmp_path / "pairs.parquet")
    _, folder = export(tmp_path, tmp_path / "pairs.parquet", TARGETS[0])
    entry = json.loads((folder / "dataset_info.json").read_text())["pairs"]
    assert entry["ranking"] is True
    assert entry["columns"] == {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    first = json.loads((folder / "pairs.jsonl").read_text().splitlines()[0])
    assert first["conversations"] == [{"from": "human", "value": "把“天行健”译成白话。\n"}]
    assert (first["chosen"], first["rejected"]) == ({"from": "gpt", "value": "好"}, {"from": "gpt", "value": "坏\n"})


def test_rows_of_unknown_licence_stay_and_are_counted(tmp_path: Path) -> None:
    rows = [*CONVERSATIONS, ("web/a", said("q", "a")), ("web/b", said("q", "b")), ("new", said("q", "c"))]
    licences = {**MIT, "web/*": "LicenseRef-ours", "web/b": "unknown"}
    code, folder = export(tmp_path, stored(tmp_path / "rows.parquet", rows), {"kind": "trl"}, licences=licences)
    assert code == 0
    assert read_json(folder / "manifest.json")["counts"] == {
        "in": 8,
        "kept": 6,
        "dropped": 2,
        "quarantined": 0,
        "by_reason": {"unknown_licence": 2},
    }
    about = json.loads((folder / "licences.json").read_text())["sources"]
    assert about["web/a"] == {"licence": "LicenseRef-ours", "exported": 1, "left_out": {}}
    assert about["web/b"] == {"licence": "unknown", "exported": 0, "left_out": {"unknown_licence": 1}}
    assert about["new"] == {"licence": "unknown", "exported": 0, "left_out": {"unknown_licence": 1}}
    written = (folder / "rows.jsonl").read_text()
    assert '"web/a"' in written and '"web/b"' not in written and '"new"' not in written
    ledger = read_parquet(folder / "ledger/decisions.parquet")
    assert ledger.schema.equals(DECISIONS_SCHEMA)
    assert [row["reasons"] for row in ledger.to_pylist()][-2:] == [["unknown_licence"]] * 2


def test_rows_that_name_a_model_need_its_licence_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """S13: what a source is under does not cover what another's model wrote."""
    rows = [
        {"instruction": f"q{n}", "input": "", "output": "a", **about}
        for n, about in enumerate([{}, {"model": "gpt-9"}, {"model": "own/x"}, {"generator": "gpt-9"}, {"model": ""}])
    ]
    source = jsonl(tmp_path / "zh.jsonl", rows)
    code, folder = export(tmp_path, source, {"kind": "trl"}, model_licences={"own/*": "MIT", "gpt-8": "MIT"})
    assert code == 0
    counts = read_json(folder / "manifest.json")["counts"]
    assert (counts["in"], counts["kept"], counts["by_reason"]) == (5, 3, {"unknown_model_licence": 2})
    assert json.loads((folder / "licences.json").read_text())["models"] == {
        "gpt-9": {"licence": "unknown", "exported": 0, "left_out": {"unknown_model_licence": 2}},
        "own/x": {"licence": "MIT", "exported": 1, "left_out": {}},
    }
    told = capsys.readouterr().err
    assert "model_licences: nothing is called gpt-8" in told and "licences: nothing is called en" in told
    (tmp_path / "only").mkdir()
    assert export(tmp_path, jsonl(tmp_path / "only" / "zh.jsonl", rows[1:2]), {"kind": "trl"})[0] == 2
    assert "the licence of gpt-9 is unknown → say under `model_licences:`" in capsys.readouterr().err


def test_pairs_name_their_models_by_side(tmp_path: Path) -> None:
    made = [
        Preference(f"{n:032x}", "zh", from_dicts(said(f"q{n}")), *(from_dicts(said("", a)[1:]) for a in "ab"), about)
        for n, about in enumerate([{"models": {"chosen": "m1", "rejected": "m2"}}, {"models": {"chosen": "m1"}}, {}])
    ]
    write_parquet(preferences_to_table(made), tmp_path / "pairs.parquet")
    code, folder = export(tmp_path, tmp_path / "pairs.parquet", {"kind": "trl"}, model_licences={"m1": "MIT"})
    ledger = read_parquet(folder / "ledger/decisions.parquet").to_pylist()
    assert (code, [row["reasons"] for row in ledger]) == (0, [["unknown_model_licence"], [], []])


def test_a_row_lost_on_the_way_is_an_error_of_ours() -> None:
    """What came in is counted apart from what was decided, so the balance can fail."""
    ledger = Ledger(read=3)
    ledger.keep(records(CONVERSATIONS)[0], "rows")
    ledger.drop(records(CONVERSATIONS)[1], "unknown_licence")
    with pytest.raises(StageFailedError, match="in 3 != kept 1"):
        ledger.counts()


def test_an_import_keeps_the_model_that_a_row_names(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    jsonl(tmp_path / "data" / "zh.jsonl", [{"instruction": "q", "input": "", "output": "a", "model": "gpt-9"}])
    info = tmp_path / "data" / "dataset_info.json"
    info.write_text('{"zh": {"file_name": "zh.jsonl"}}', encoding="utf-8")
    assert run("import", {"input": str(info), "output": str(tmp_path / "in")}, tmp_path) == 0
    assert export(tmp_path, tmp_path / "in" / "good" / "zh.jsonl", {"kind": "trl"})[0] == 2


def test_nothing_of_known_licence_is_an_error_that_names_the_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, folder = export(tmp_path, stored(tmp_path / "rows.parquet", CONVERSATIONS), {"kind": "trl"}, licences={})
    assert code == 2
    assert "the licence of en, zh is unknown" in capsys.readouterr().err
    assert not list(folder.glob("*.jsonl*"))
    config = {"input": str(tmp_path / "rows.parquet"), "output": str(folder), "to": {"kind": "trl"}, "licences": MIT}
    assert run("export", config, tmp_path) == 0, "the same command, mended, begins anew"


def test_a_licence_by_a_slip_of_the_pen_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = stored(tmp_path / "rows.parquet", CONVERSATIONS)
    for wrong, offered in (("unknwon", "unknown"), ("CC-BY-40", "CC-BY-4.0")):
        code, _ = export(tmp_path, source, {"kind": "trl"}, licences={"zh": wrong})
        said = capsys.readouterr().err
        assert code == 2
        assert repr(wrong) in said and f"nearest: {offered}" in said


def test_licences_by_name_then_by_the_longest_glob() -> None:
    licences = {"*": "MIT", "sft/*": "CC-BY-4.0", "sft/x": "unknown"}
    assert [licence_of(source, licences) for source in ("a", "sft/y", "sft/x")] == ["MIT", "CC-BY-4.0", "unknown"]
    assert licence_of("a", {}) == "unknown"
    assert hugging_face_name("CC-BY-NC-4.0") == "cc-by-nc-4.0" and hugging_face_name("LicenseRef-a") == "other"
    assert len({name.casefold() for name in SPDX}) == len(SPDX)


ANSWERED = said("q", "a")
LOSSY = {
    "turns that do not alternate": said("q", "a") + said("q2", "a2")[1:],
    "a system message that is not the first": [*ANSWERED, {"role": "system", "content": "s"}, *ANSWERED],
    "no answer at the end": said("q", "a", "q2"),
    "an empty system message": said("q", "a", system=""),
    "a document, not a conversation": [{"role": "document", "content": "d"}],
}


@pytest.mark.parametrize("to", TARGETS[:2], ids=lambda to: "-".join(to.values()))
@pytest.mark.parametrize("why", LOSSY)
def test_what_would_be_lost_is_refused_in_one_line_or_counted(
    to: dict[str, str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = stored(tmp_path / "rows.parquet", [*CONVERSATIONS, ("zh", LOSSY[why])])
    code, _ = export(tmp_path, source, to)
    error = capsys.readouterr().err
    assert code == 2
    assert why in error and content_id(from_dicts(LOSSY[why])) in error and len(error.splitlines()) == 1
    code, folder = export(tmp_path, source, to, lossy="drop")
    assert code == 0
    counts = read_json(folder / "manifest.json")["counts"]
    assert (counts["kept"], counts["dropped"], len(counts["by_reason"])) == (5, 1, 1)


def test_a_pair_with_sides_of_several_messages_is_lossy_but_for_trl(tmp_path: Path) -> None:
    long = from_dicts(said("x", "a", "q", "b")[1:])
    pair = Preference("0" * 32, "zh", from_dicts(said("q")), long, from_dicts(said("q", "c")[1:]))
    write_parquet(preferences_to_table([pair]), tmp_path / "pairs.parquet")
    codes = [export(tmp_path, tmp_path / "pairs.parquet", to)[0] for to in TARGETS]
    assert codes == [2, 2, 2, 0]


def test_sets_of_a_tier_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tiers by default; held-out rows only when they are named."""
    tier = tmp_path / "tier"
    for name in ("tiers/one", "tiers/two", "seeds/round-1"):
        (tier / name).parent.mkdir(parents=True, exist_ok=True)
        stored(tier / f"{name}.parquet", CONVERSATIONS[:2])
    stored(tier / "held_out.parquet", CONVERSATIONS[2:])
    (tier / "manifest.json").write_text('{"verb": "tier", "outputs": {}}')
    _, folder = export(tmp_path, tier, {"kind": "llama-factory"})
    assert sorted(json.loads((folder / "dataset_info.json").read_text())) == ["one", "two"]
    _, folder = export(tmp_path, tier, {"kind": "trl"}, sets=["seeds/*"])
    assert sorted(path.name for path in folder.glob("*.jsonl")) == ["seeds-round-1.jsonl"]
    assert export(tmp_path, tier, {"kind": "trl"}, sets=["tires/*"])[0] == 2
    assert "there are tiers/one, tiers/two, seeds/round-1, held_out" in capsys.readouterr().err


def test_twice_is_the_same_bytes_and_a_lost_file_comes_back(tmp_path: Path) -> None:
    source = stored(tmp_path / "rows.parquet", CONVERSATIONS)
    _, one = export(tmp_path, source, {"kind": "trl"})
    _, two = export(tmp_path, source, {"kind": "trl"})
    before = {p.name: p.read_bytes() for p in one.glob("*.json*") if p.name != "manifest.json"}
    assert before == {p.name: p.read_bytes() for p in two.glob("*.json*") if p.name != "manifest.json"}
    (one / "manifest.json").unlink()
    (one / "rows.jsonl").unlink()
    config = {"input": str(source), "output": str(one), "to": {"kind": "trl"}, "licences": MIT}
    assert run("export", config, tmp_path) == 0
    assert before == {p.name: p.read_bytes() for p in one.glob("*.json*") if p.name != "manifest.json"}


def test_models_in_what_rows_say_of_themselves() -> None:
    assert models_in({"model": "a", "models": {"chosen": "b", "rejected": "a"}, "generator": 3}) == ["a", "b"]
    assert models_in({"models": ["x", None], "provenance": '{"model": "y"}'}) == ["x", "y"]
    assert models_in({"provenance": "{half", "model": None}) == models_in({}) == []


def test_dry_run_counts_rows_by_licence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cli

    source = stored(tmp_path / "rows.parquet", [*CONVERSATIONS, ("new", ANSWERED)])
    keys = [f"input={source}", f"output={tmp_path / 'out'}", "to.kind=trl", "licences={zh: MIT, en: CC-BY-4.0}"]
    assert cli.main(["export", "--dry-run", *(word for key in keys for word in ("--set", key))]) == 0
    assert json.loads(capsys.readouterr().out)["sets"] == {"rows": {"CC-BY-4.0": 3, "MIT": 2, "unknown": 1}}


def test_every_file_of_kinds_is_in_the_union() -> None:
    folder = Path(data_pipeline.exports.kinds.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    union = get_args(get_args(Target)[0])
    assert {kind.__module__.rpartition(".")[2] for kind in union} == files


def test_jsonl_is_written_in_utf8(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "zh.jsonl", [{"instruction": "你好", "input": "", "output": "好"}])
    _, folder = export(tmp_path, source, {"kind": "ms-swift"})
    assert "你好" in (folder / "zh.jsonl").read_text(encoding="utf-8")
