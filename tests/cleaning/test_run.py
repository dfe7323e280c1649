"""Whole cleaning runs on small input: counts, bytes, quarantine, resume, workers, Ray."""

from __future__ import annotations

import base64
import gzip
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

import cli
from cleaning.assemble import output_names, quarantine_name
from cleaning.config import SAMPLES, CleanConfig
from cleaning.truth import TRUTHS, load_truth, score_run
from tests.support.cleaning import clean_here, lines
from utils.data.inputs import find_files
from utils.data.ledger import LEDGER_SCHEMA, assert_balanced
from utils.data.records import raw_id
from utils.runs.config import paths_in

USER_SEES = ("good", "bad", "quarantine", "ledger", "edits")
REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def clean(source: Path | str, output: Path, *settings: str, code: int = 0) -> dict[str, Any]:
    """Run `posttrain clean` in this process; return its manifest."""
    return clean_here(source, output, "policy=default-instruction", *settings, code=code)


def clean_in_workers(source: Path | str, output: Path, *settings: str, code: int = 0) -> dict[str, Any]:
    """Run `posttrain clean` by the local executor; return its manifest."""
    chosen = [f"input={source}", f"output={output}", "policy=default-instruction", "executor=local", *settings]
    arguments = ["clean", "--quiet", *(word for setting in chosen for word in ("--set", setting))]
    assert cli.main(arguments) == code
    return json.loads((output / "manifest.json").read_text()) if (output / "manifest.json").exists() else {}


def outputs(run: Path) -> dict[str, bytes]:
    """Return all that a user sees and that must be the same in equal runs."""
    files = [path for folder in USER_SEES for path in (run / folder).rglob("*") if path.is_file()]
    files += [*run.glob("*-meta-info.json"), *run.glob("*-sample100.jsonl")]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with most kinds of files and faults."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "deep").mkdir()
    alpaca = [
        b'{"instruction": "q1",  "output": "a1", "n": 1.10, "big": 123456789012345678901234567890}',
        b'{"instruction": "q2", "output": "broken',
        b'{"instruction": "q3", "output": "\xff\xfe"}',
        b'{"instruction": "q1", "output": "a1 "}',
        b'{"instruction": "q4", "output": "x<br>\\u200by", "id": 7, "more": {"k": [1, 2.50, null]}}',
        b"",
        b'{"instruction": "q5", "output": ""}',
        b'{"other": "keys"}',
        b'{"instruction": "q6", "output": "same", "id": 7}',
    ]
    (folder / "a.jsonl").write_bytes(b"\n".join(alpaca))
    array = [{"id": "1", "data": ["q7", "a7"]}, {"id": "1", "data": ["q6", "same"]}, {"id": "2", "data": ["q8"]}]
    (folder / "a.json").write_text(json.dumps(array, indent=2))
    (folder / "deep" / "empty.jsonl").write_bytes(b"")
    table = pa.table(
        {"text": ["doc one", "doc <b>two</b>", "doc one", ""], "score": pa.array([1, 2, 3, 4], pa.int16())}
    )
    pq.write_table(table, folder / "deep" / "t.parquet")
    return folder


@pytest.fixture(scope="module")
def run(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run") / "out"
    clean_in_workers(mixed, output, "workers=1", "name=mixed", code=3)
    return output


def test_counts_add_up(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    counts = manifest["counts"]
    assert_balanced(counts)
    assert {name: counts[name] for name in ("in", "kept", "dropped", "quarantined")} == {
        "in": 15,
        "kept": 6,
        "dropped": 5,
        "quarantined": 4,
    }
    assert counts["by_reason"] == {"exact_duplicate": 3, "minimum_length": 2}
    assert counts["by_file"]["a.jsonl"] == {"in": 8, "kept": 2, "dropped": 3, "quarantined": 3}
    assert manifest["execution"]["executor"] == "local"
    meta = json.loads((run / "mixed-meta-info.json").read_text())
    assert meta["empty_files"] == ["deep/empty.jsonl"]
    assert meta["total"]["kept"] == 6
    assert meta["files"]["deep/t.parquet"]["kept_rows"] == {
        "characters": 14,
        "tokens": 2,
        "characters_per_row": 7.0,
        "tokens_per_row": 1.0,
    }


def test_unchanged_row_is_its_bytes_and_changed_row_keeps_all_else(run: Path) -> None:
    first, changed = (run / "good" / "a.jsonl.jsonl").read_bytes().split(b"\n")[:-1]
    raw = b'{"instruction": "q1",  "output": "a1", "n": 1.10, "big": 123456789012345678901234567890}'
    row = json.loads(first)
    spliced = f',"clean_id":"{row["clean_id"]}","clean_status":1,"clean_policy":"","clean_reasons":[]}}'
    assert first == raw[:-1] + spliced.encode()
    after = json.loads(changed)
    assert list(after)[:4] == ["instruction", "output", "id", "more"]
    assert after["output"] == "x\ny"
    assert after["more"] == {"k": [1, 2.5, None]}
    assert after["id"] == 7


def test_dropped_rows_stay_as_they_were(run: Path) -> None:
    copy, empty, _ = lines(run / "bad" / "a.jsonl.jsonl")
    assert (copy["output"], copy["clean_status"], copy["clean_policy"]) == ("a1 ", 0, "exact_duplicate")
    assert empty["clean_reasons"] == ["minimum_length"]
    assert copy["clean_id"] != lines(run / "good" / "a.jsonl.jsonl")[0]["clean_id"], "a copy but for blanks"


def test_ids_come_from_content_and_the_rows_own_ids_stay(run: Path) -> None:
    """F13."""
    first, second = lines(run / "good" / "a.json.jsonl")
    across = lines(run / "bad" / "a.jsonl.jsonl")[-1]
    assert (first["id"], second["id"], across["id"]) == ("1", "1", 7)
    assert first["clean_id"] != second["clean_id"] == across["clean_id"], "equal content in another format"
    assert across["clean_reasons"] == ["exact_duplicate"]


def test_unreadable_rows_are_in_quarantine_with_place_and_bytes(run: Path, mixed: Path) -> None:
    """F7, F8, and rows that do not hold what their file's format promises."""
    rows = lines(run / "quarantine" / "a.jsonl.jsonl") + lines(run / "quarantine" / "a.json.jsonl")
    assert [(row["source_file"], row["source_row"]) for row in rows] == [
        ("a.jsonl", 1),
        ("a.jsonl", 2),
        ("a.jsonl", 6),
        ("a.json", 2),
    ]
    for row, reason in zip(
        rows, ("invalid JSON", "invalid UTF-8", "not of format alpaca", "data holds 1"), strict=True
    ):
        assert reason in row["error"]
        raw = base64.b64decode(row["raw_base64"])
        data = (mixed / row["source_file"]).read_bytes()
        assert data[row["byte_offset"] :].startswith(raw)


def test_parquet_gives_parquet_with_its_schema(run: Path) -> None:
    good, bad = (pq.read_table(run / folder / "deep" / "t.parquet") for folder in ("good", "bad"))
    assert good.column("text").to_pylist() == ["doc one", "doc two"]
    assert good.schema.field("score").type == pa.int16()
    assert bad.column("score").to_pylist() == [3, 4]
    assert bad.column("clean_policy").to_pylist() == ["exact_duplicate", "minimum_length"]


def test_ledger_has_a_row_per_input_row(run: Path) -> None:
    parts = sorted((run / "ledger").iterdir())
    assert all(pq.read_schema(part).equals(LEDGER_SCHEMA) for part in parts)
    ledger = pa.concat_tables([pq.read_table(part) for part in parts]).to_pylist()
    by_key = {(row["source_file"], row["source_row"]): row for row in ledger}
    assert len(by_key) == len(ledger) == 15
    copy, first = by_key["a.jsonl", 3], by_key["a.jsonl", 0]
    assert (copy["duplicate_of"], copy["similarity"], copy["cluster"]) == (first["id"], 1.0, first["id"])
    assert first["duplicate_of"] is None
    assert by_key["a.jsonl", 4]["edits"] == [{"rule": "valid_characters", "count": 1}, {"rule": "html", "count": 1}]
    assert by_key["a.jsonl", 1]["status"] == "quarantined"
    assert by_key["a.jsonl", 1]["id"] == raw_id(b'{"instruction": "q2", "output": "broken')
    assert by_key["a.jsonl", 7]["duplicate_of"] == by_key["a.jsonl", 7]["id"] == by_key["a.json", 1]["id"]


def test_sample_has_exact_size_places_and_review_columns(run: Path) -> None:
    rows = lines(run / "mixed-sample100.jsonl")
    assert len({(row["source_file"], row["source_row"]) for row in rows}) == len(rows) == 11
    assert all(row["review_verdict"] == "" and "drawn" not in row for row in rows)


def test_report_is_there_and_shows_the_rules(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "<script" not in page
    assert "html" in page and "清洗报告" in page and "Content-Security-Policy" in page


def test_workers_do_not_matter_and_a_finished_run_says_so(run: Path, mixed: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    clean_in_workers(mixed, two, "workers=2", "name=mixed", code=3)
    assert outputs(two) == outputs(run)
    before = (two / "manifest.json").stat().st_mtime_ns
    clean_in_workers(mixed, two, "workers=2", "name=mixed", code=3)
    assert (two / "manifest.json").stat().st_mtime_ns == before


def test_lost_work_is_done_again_and_gives_the_same(run: Path, mixed: Path, tmp_path: Path) -> None:
    """What a kill leaves: some reports, some files without a report, no manifest. Here by other threads than there."""
    broken = tmp_path / "broken"
    clean(mixed, broken, "name=mixed", code=3)
    (broken / "manifest.json").unlink()
    for path in sorted((broken / "run" / "reports").iterdir())[::2]:
        path.unlink()
    next((broken / "run/work/second-pass").glob("*.good.jsonl")).unlink()
    clean(mixed, broken, "name=mixed", code=3)
    assert outputs(broken) == outputs(run)


def test_many_partitions_give_the_same_rows(mixed: Path, run: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    rows = [{"instruction": f"q{i % 700}", "output": f"a{i % 700} <b>x</b>"} for i in range(1000)]
    (source / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    few, many = tmp_path / "few", tmp_path / "many"
    one = clean(source, few)
    other = clean_in_workers(source, many, "workers=2", "partition_bytes=8192")
    assert other["execution"]["tasks"] > one["execution"]["tasks"]
    for name in ("good/rows.jsonl", "bad/rows.jsonl", "in-sample100.jsonl", "in-meta-info.json"):
        assert (few / name).read_bytes() == (many / name).read_bytes()
    assert one["counts"] == other["counts"]
    assert one["counts"]["by_reason"] == {"exact_duplicate": 300}
    assert len(lines(few / "in-sample100.jsonl")) == 100


def test_all_kinds_of_duplicates_in_one_run(tmp_path: Path) -> None:
    """Reasons in the ledger, the rows and the counts; the same for one worker and two, by large parts and small."""
    words = [f"{chr(0x4E00 + 37 * n)}{chr(0x5E00 + 11 * n)}" for n in range(240)]
    prompts = ["".join(words[n : n + 40]) for n in range(0, 240, 40)]
    asked = [*prompts[:4], prompts[0] + "。", prompts[1], prompts[5]]
    rows = [{"instruction": text, "output": text[::-1]} for text in asked] * 3 + [
        {"instruction": "q", "output": ""}
    ] * 2
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    (tmp_path / "reference.jsonl").write_text(json.dumps({"prompt": prompts[5]}) + "\n")
    given = ("duplicates.near={threshold: 0.7}", "duplicates.reference.text_field=prompt")
    given = (*given, f"duplicates.reference.files=[{tmp_path / 'reference.jsonl'}]")
    one = clean(source, tmp_path / "one", *given)
    two = clean_in_workers(source, tmp_path / "two", "workers=2", "partition_bytes=2048", *given)
    assert one["counts"] == two["counts"]
    assert one["counts"]["kept"] == 4
    assert one["counts"]["by_reason"] == {
        "exact_duplicate": 15,
        "minimum_length": 2,
        "near_duplicate": 1,
        "reference_duplicate": 1,
    }
    assert one["counts"]["by_any_reason"] == {
        "exact_duplicate": 16,
        "minimum_length": 2,
        "near_duplicate": 1,
        "reference_duplicate": 3,
    }
    for name in ("good/a.jsonl", "bad/a.jsonl", "in-sample100.jsonl", "in-meta-info.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    ledgers = [
        pl.read_parquet(sorted((tmp_path / name / "ledger").iterdir())).sort("source_row") for name in ("one", "two")
    ]
    assert ledgers[0].to_dicts() == ledgers[1].to_dicts()
    near = ledgers[0].row(0, named=True)
    assert near["reasons"] == ["near_duplicate"], "the longer one survives"
    assert near["duplicate_of"] == near["cluster"] == ledgers[0]["id"][4]
    copy = ledgers[0].row(7, named=True)
    assert (copy["duplicate_of"], copy["cluster"]) == (copy["id"], near["cluster"])


def test_cleaning_the_good_rows_again_changes_nothing(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    manifest = clean(run, again)
    assert manifest["counts"]["kept"] == manifest["counts"]["in"] == 6
    name = "good/a.jsonl.jsonl"
    assert [json.loads(line) for line in (again / name).open()] == [json.loads(line) for line in (run / name).open()]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no row"), (b"\n \n", "no row at all"), (b'{"foo": 1, "bar": "x"}\n', "foo, bar")],
    ids=["empty", "blank", "unknown keys"],
)
def test_nothing_to_clean_is_one_line_and_exit_2(
    content: bytes, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """F11, and rows of no known format."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.jsonl").write_bytes(content)
    clean(tmp_path / "in", tmp_path / "out", code=2)
    assert message in capfd.readouterr().err


def test_empty_folder_and_missing_input_exit_2(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    clean(tmp_path / "in", tmp_path / "out", code=2)
    assert "no rows" in capfd.readouterr().err
    clean(tmp_path / "nowhere", tmp_path / "out", code=2)
    assert "nowhere" in capfd.readouterr().err


def test_output_names_are_unique_and_stable() -> None:
    inputs = ["a.json", "a.jsonl", "b.json.gz", "c/d.ndjson", "e.parquet", "f.zip", "a.json.jsonl", "x.y.jsonl.zst"]
    assert (
        output_names(inputs)
        == output_names(inputs[::-1])
        == {
            "a.json": "a.json-2.jsonl",
            "a.jsonl": "a.jsonl.jsonl",
            "a.json.jsonl": "a.json.jsonl",
            "b.json.gz": "b.jsonl",
            "c/d.ndjson": "c/d.jsonl",
            "e.parquet": "e.parquet",
            "f.zip": "f.jsonl",
            "x.y.jsonl.zst": "x.y.jsonl",
        }
    )


def test_output_names_keep_apart_what_lies_in_quarantine_and_in_folders() -> None:
    names = output_names(["x.parquet", "x.parquet.jsonl", "a.json", "a.jsonl/b.json", "A.parquet", "a.parquet"])
    assert names == {
        "A.parquet": "A.parquet",
        "a.json": "a.json.jsonl",
        "a.jsonl/b.json": "a.jsonl/b.jsonl",
        "a.parquet": "a-2.parquet",
        "x.parquet": "x.parquet",
        "x.parquet.jsonl": "x.parquet.jsonl.jsonl",
    }


def test_output_names_fit_a_file_system() -> None:
    inputs = [f"中/{'长' * 83}{end}" for end in (".zst", ".json", ".xz", ".gz", ".bz")]
    inputs += [f"{'y' * 247}.parquet", f"{'Y' * 247}.parquet", f"{'y' * 246}z.parquet"]
    names = output_names(inputs)
    assert names == output_names(inputs[::-1])
    assert len({name.casefold() for name in names.values()}) == len(inputs)
    for relative, name in names.items():
        assert name.rpartition("/")[0] == relative.rpartition("/")[0]
        assert max(len(os.fsencode(part)) for part in quarantine_name(name).split("/")) <= 255
        assert name.endswith(".parquet" if "parquet" in relative else ".jsonl")
        assert name.rpartition("/")[2][:40] == relative.rpartition("/")[2][:40]


def test_rows_of_a_file_with_the_longest_name_are_cleaned(tmp_path: Path) -> None:
    name = f"{'长' * 83}.jsonl"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text('{"instruction": "q", "output": "a"}\nbroken\n')
    assert clean(tmp_path / "in", tmp_path / "out", "quarantine_limit=1")["counts"]["kept"] == 1
    (good,) = (tmp_path / "out" / "good").iterdir()
    assert lines(good)[0]["output"] == "a"
    assert [path.name for path in (tmp_path / "out" / "quarantine").iterdir()] == [good.name]


def test_a_refused_run_begins_anew_with_another_config(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text('{"body": "A page about tea."}\n' * 9)
    clean(source, tmp_path / "out", code=2)
    assert "text_field" in capfd.readouterr().err
    settings = ("text_field=body", "partition_bytes=1024", "duplicates.exact=false")
    assert clean(source, tmp_path / "out", *settings)["counts"]["kept"] == 9
    clean(source, tmp_path / "fresh", *settings)
    assert outputs(tmp_path / "out") == outputs(tmp_path / "fresh")
    clean(source, tmp_path / "out", *settings[1:], code=2)
    assert "config text_field: 'body' → None" in capfd.readouterr().err


def test_a_file_beside_a_folder_and_two_quarantines_of_one_name(tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "a.jsonl").mkdir(parents=True)
    rows = '{"instruction": "q", "output": "a"}\n{"broken\n'
    for name in ("a.json", "a.jsonl/b.jsonl", "X.PARQUET.jsonl"):
        (source / name).write_text(rows)
    pq.write_table(pa.table({"instruction": ["q", "r"], "output": ["a", None]}), source / "X.PARQUET")
    run = tmp_path / "out"
    assert clean(source, run, code=3)["counts"]["quarantined"] == 4
    assert {path.relative_to(run / "quarantine").as_posix() for path in (run / "quarantine").rglob("*.jsonl*")} >= {
        "X.PARQUET.jsonl",
        "X.PARQUET.jsonl.jsonl",
        "a.json.jsonl",
        "a.jsonl/b.jsonl",
    }


def test_input_is_a_path_and_sample_is_the_shipped_folder(tmp_path: Path) -> None:
    one = CleanConfig(input="sample", output=tmp_path, policy="default-instruction")  # type: ignore[arg-type]
    assert (one.input, one.dataset) == (SAMPLES["sample"], "sample") and SAMPLES["sample"] in paths_in(one)
    many = CleanConfig(input=["d/*.jsonl", "e"], output=tmp_path, policy=[])  # type: ignore[list-item]
    assert many.input == [Path("d/*.jsonl"), Path("e")] and {*many.input} <= {*paths_in(many)}
    with pytest.raises(ValidationError, match="3 is no path"):
        CleanConfig(input=3, output=tmp_path, policy=[])  # type: ignore[arg-type]


@pytest.mark.parametrize(("source", "output"), [("raw", "."), ("raw", "raw/out"), ("raw/*", "raw/out")])
def test_input_and_output_inside_each_other_are_refused(
    source: str, output: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.jsonl").write_text('{"instruction": "q", "output": "a"}\n')
    clean(tmp_path / source, tmp_path / output, code=2)
    assert "input and output lie inside each other" in capfd.readouterr().err


def test_an_output_path_that_looks_like_a_glob(tmp_path: Path) -> None:
    (tmp_path / "in[1]").mkdir()
    (tmp_path / "in[1]" / "a*.jsonl").write_text('{"instruction": "q", "output": "a"}\n' * 2)
    manifest = clean(tmp_path / "in[1]", tmp_path / "of" / "br[1]")
    assert manifest["counts"]["by_reason"] == {"exact_duplicate": 1}


def test_what_is_not_read_and_what_is_empty_is_told(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name, text in (("a.jsonl", '{"instruction": "q", "output": "a"}\n'), ("b.json", "[]"), ("c.jsonl", "\n \n")):
        (source / name).write_text(text)
    (source / "d.jsonl.gz").write_bytes(gzip.compress(b""))
    (source / os.fsdecode(b"e\xff.jsonl")).write_text("{}")
    assert clean(source, tmp_path / "out")["counts"]["in"] == 1
    log = (tmp_path / "out" / "run" / "log.txt").read_text()
    assert all(f"{name} has no row" in log for name in ("b.json", "c.jsonl", "d.jsonl.gz"))
    assert "e\ufffd.jsonl is not read: its name is not UTF-8" in log


def test_dry_run_says_what_would_be_done(mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["clean", "--dry-run", "--set", f"input={mixed}", "--set", f"output={tmp_path / 'out'}"]
    assert cli.main([*words, "--set", "policy=default-zh"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["files"]["a.json"] == {"format": "data_list", "tasks": 1}
    assert shown["rows"] == 15
    assert not (tmp_path / "out").exists()


@pytest.mark.ray
def test_quickstart_runs_on_ray(root: Path, tmp_path: Path) -> None:
    output = tmp_path / "quick"
    config = str(root / "configs" / "cleaning" / "quickstart.yaml")
    assert cli.main(["clean", "--quiet", "--config", config, "--set", f"output={output}"]) == 0
    manifest = json.loads((output / "manifest.json").read_text())
    execution, counts = manifest["execution"], manifest["counts"]
    assert execution["executor"] == "ray"
    assert execution["workers"] and execution["tasks"] > 0
    truth = load_truth(TRUTHS / "sample.jsonl")
    assert_balanced(counts)
    assert counts["in"] == len(truth)
    assert counts["quarantined"] == sum(row["status"] == "quarantined" for row in truth.values()) > 0
    found = score_run(output, TRUTHS / "sample.jsonl")
    assert found["status"]["share"] >= 0.99 and found["clean_kept"]["share"] >= 0.97, found
    assert found["duplicates"]["recall"]["all"]["share"] >= 0.98, found["duplicates"]
    assert found["duplicates"]["precision"]["all"]["share"] >= 0.99, found["duplicates"]
    assert found["pii"]["recall"]["all"]["share"] >= 0.95 and found["survive"]["all"]["share"] >= 0.99, found
    page = (output / "report.html").read_text()
    assert "清洗报告" in page and "near_duplicate" in page and len(lines(output / "sample-sample100.jsonl")) == 100


@pytest.mark.skipif(not REAL.is_dir(), reason="no real data beside the project (../shared/data)")
def test_real_chinese_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    manifest = clean_in_workers(REAL / "sft_zh", tmp_path / "zh")
    seconds = time.monotonic() - began
    counts = manifest["counts"]
    assert_balanced(counts)
    assert counts["in"] == sum(c["in"] for c in counts["by_file"].values()) > 10_000
    assert counts["kept"] + counts["by_reason"].get("exact_duplicate", 0) >= 0.97 * counts["in"]
    for file in find_files(REAL / "sft_zh"):
        name = file.relative.rpartition(".")[0] + ".jsonl"
        assert len(lines(tmp_path / "zh" / "good" / name)) == counts["by_file"][file.relative]["kept"]
    ledger = pl.read_parquet(sorted((tmp_path / "zh" / "ledger").glob("*.parquet")))
    assert len(ledger) == counts["in"]
    with capsys.disabled():
        sys.stdout.write(f" {counts['in']} rows in {seconds:.1f} s, {counts['in'] / seconds:.0f} rows/s ")
