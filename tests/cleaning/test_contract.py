"""What a run promises to machines, recomputed from its input, `good/`, `bad/` and `quarantine/` alone.

None of the code under test is used; duplicates come from comparing all rows with all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cleaning.duplicates.here import CERTAIN
from tests.cleaning.duplicates.test_dedup_run import expected
from tests.support.cleaning import clean_here, lines, write_rows

Place = tuple[str, int]
LINES, TABLE = "a.jsonl", "deep/b.parquet"
KEYS = ("clean_id", "clean_status", "clean_policy", "clean_reasons")
drawn = random.Random(7)


def fresh(length: int) -> str:
    return "".join(map(chr, drawn.sample(range(0x4E00, 0x9000), length)))


def texts() -> dict[Place, str]:
    """Return texts with a chain of near duplicates, copies of all kinds, short ones, and one of a reference."""
    first = fresh(60)
    second = first[:-3] + fresh(3)
    third = fresh(6) + second[6:] + fresh(5)  # near the second, not the first; the longest, so it survives
    other = fresh(50)
    reference = fresh(40)
    of_lines = [first, other, second, f"<b>{other}</b>", "短", "", reference, fresh(45), fresh(30) + "<br>" + fresh(30)]
    of_table = [third, first, f"{third[:30]}<i>{third[30:]}</i>", "短", fresh(20), reference, other[:-2] + fresh(2)]
    return {**{(LINES, n): text for n, text in enumerate(of_lines)}, **{(TABLE, n): t for n, t in enumerate(of_table)}}


TEXTS = texts()
REFERENCE = TEXTS[LINES, 6]
BROKEN = [b'{"text": "oops', b'{"text": 5}']


def cleaned(text: str) -> str:
    for tag in ("<b>", "</b>", "<i>", "</i>"):
        text = text.replace(tag, "")
    return text.replace("<br>", "\n")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contract")
    source = folder / "in"
    (source / "deep").mkdir(parents=True)
    rows = [
        json.dumps({"n": 1.50, "text": text}, ensure_ascii=False).encode()
        for (f, _), text in TEXTS.items()
        if f == LINES
    ]
    (source / LINES).write_bytes(b"\n".join([*rows[:3], b"", b" \t", *rows[3:], *BROKEN]) + b"\n\n")
    own = [text for (file, _), text in TEXTS.items() if file == TABLE]
    table = pa.table({"text": own, "n": pa.array(range(len(own)), pa.int16())})
    pq.write_table(table, source / TABLE, row_group_size=3)
    write_rows(folder / "asked.jsonl", [{"text": REFERENCE}])
    near = json.dumps({"unit": "character", **CERTAIN})
    given = ("policy=[{rule: html}, {rule: minimum_length, characters: 3}]", f"duplicates.near={near}", "name=all")
    given += (f"duplicates.reference.files=['{folder / 'asked.jsonl'}']", "quarantine_limit=0.5")
    clean_here(source, folder / "out", *given, "partition_bytes=1024")
    return folder / "out"


@pytest.fixture(scope="module")
def ledger(run: Path) -> dict[Place, dict[str, Any]]:
    frame = pl.concat([pl.read_parquet(path) for path in (run / "ledger").iterdir()])
    assert frame.columns == [
        *("id", "source", "source_file", "source_row", "status", "reasons"),
        *("duplicate_of", "similarity", "cluster", "edits"),
    ]
    found = {(row["source_file"], row["source_row"]): row for row in frame.iter_rows(named=True)}
    assert len(found) == len(frame)
    return dict(sorted(found.items()))


def in_file(ledger: dict[Place, dict[str, Any]], file: str, status: str) -> list[dict[str, Any]]:
    return [row for (name, _), row in ledger.items() if name == file and row["status"] == status]


def written(run: Path, folder: str, file: str) -> list[dict[str, Any]]:
    path = run / folder / file
    return pq.read_table(path).to_pylist() if path.suffix == ".parquet" else lines(path)


def test_every_row_of_the_input_is_in_the_ledger_and_in_one_file(run: Path, ledger: dict[Place, Any]) -> None:
    """Blank lines are no rows; dropped rows are as they were, kept ones differ in their text alone."""
    refused = [(LINES, len(TEXTS) - 7 + n) for n in range(len(BROKEN))]
    assert list(ledger) == sorted([*TEXTS, *refused])
    assert {row["source"] for row in ledger.values()} == {"all"}
    for file in (LINES, TABLE):
        for folder, status in (("good", "kept"), ("bad", "dropped")):
            rows = written(run, folder, file)
            for row, told in zip(rows, in_file(ledger, file, status), strict=True):
                place = (file, told["source_row"])
                text = cleaned(TEXTS[place]) if folder == "good" else TEXTS[place]
                number = 1.5 if file == LINES else told["source_row"]
                marks = (told["id"], int(not told["reasons"]), (told["reasons"] or [""])[0], told["reasons"])
                assert row == {"text": text, "n": number, **dict(zip(KEYS, marks, strict=True))}
    found = lines(run / "quarantine" / LINES)
    assert [(row["source_file"], row["source_row"]) for row in found] == refused
    data = (run.parent / "in" / LINES).read_bytes()
    for row, raw in zip(found, BROKEN, strict=True):
        assert base64.b64decode(row["raw_base64"]) == raw and data[row["byte_offset"] :].startswith(raw)
        assert row["error"]
    assert not (run / "quarantine" / "deep").exists()


def test_ids_are_of_the_content_as_it_came_in(ledger: dict[Place, Any]) -> None:
    for place, text in TEXTS.items():
        canonical = json.dumps([{"content": text, "role": "document"}], ensure_ascii=False, separators=(",", ":"))
        assert ledger[place]["id"] == hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()
    assert len({row["id"] for row in ledger.values()}) == len({*TEXTS.values()}) + len(BROKEN)


def test_reasons_and_duplicates_are_those_of_comparing_all_with_all(ledger: dict[Place, Any]) -> None:
    places, given = list(TEXTS), [cleaned(text) for text in TEXTS.values()]
    assert places == sorted(places)
    by_hand = expected([text.replace(REFERENCE, "") if text == REFERENCE else text for text in given])
    of_reference = [places[n] for n, text in enumerate(given) if text == REFERENCE]
    kinds = Counter()
    for number, place in enumerate(places):
        row, (reason, neighbour, similarity, survivor) = ledger[place], by_hand[number]
        if place in of_reference:
            copy = [] if place == of_reference[0] else ["exact_duplicate"]
            assert row["reasons"] == [*copy, "reference_duplicate"] and row["similarity"] == 1
            continue
        short = ["minimum_length"] if len(given[number]) < 3 else []
        copy = [reason] if reason and given[number] else []
        assert row["reasons"] == short + copy, place
        assert row["status"] == ("dropped" if short + copy else "kept")
        kinds.update(copy)
        told = (row["duplicate_of"], row["cluster"])
        if not copy:
            assert (*told, row["similarity"]) == (None, None, None)
            continue
        assert told == (ledger[places[neighbour]]["id"], ledger[places[survivor]]["id"]), place
        assert row["similarity"] == pytest.approx(similarity, abs=1e-6)
        assert TEXTS[place] != TEXTS[places[neighbour]] or row["duplicate_of"] == row["id"], "a copy's is its own"
    assert kinds == {"exact_duplicate": 4, "near_duplicate": 3}
    chain = ledger[LINES, 0]
    assert chain["duplicate_of"] == ledger[LINES, 2]["id"] != chain["cluster"] == ledger[TABLE, 0]["id"]
    assert ledger[TABLE, 2]["duplicate_of"] == ledger[TABLE, 0]["id"] != ledger[TABLE, 2]["id"], "equal once cleaned"


def test_edits_are_where_the_texts_changed(run: Path, ledger: dict[Place, Any]) -> None:
    tags = {place: text.count("<") for place, text in TEXTS.items() if "<" in text}
    told = {place: row["edits"] for place, row in ledger.items() if row["edits"]}
    assert told == {place: [{"rule": "html", "count": number}] for place, number in tags.items()}
    spans = pl.concat([pl.read_parquet(path) for path in (run / "edits").iterdir()])
    for row in spans.iter_rows(named=True):
        before = TEXTS[row["source_file"], row["source_row"]]
        start, end = row["start"], row["end"]
        kept = len(before) - end
        assert before[start] == "<" and before[end - 1] == ">"
        assert cleaned(before).startswith(before[:start]) and cleaned(before)[-kept or len(before) :] == before[end:]
    assert {(row["source_file"], row["source_row"]) for row in spans.iter_rows(named=True)} == tags.keys()


def test_the_counts_of_the_manifest_are_those_of_the_files(run: Path, ledger: dict[Place, Any]) -> None:
    counts = json.loads((run / "manifest.json").read_text())["counts"]
    rows = {folder: {f: written(run, folder, f) for f in (LINES, TABLE)} for folder in ("good", "bad")}
    bad = [row for found in rows["bad"].values() for row in found]
    kept = {file: len(found) for file, found in rows["good"].items()}
    dropped = {file: len(found) for file, found in rows["bad"].items()}
    refused = {LINES: len(lines(run / "quarantine" / LINES)), TABLE: 0}
    came_in = {LINES: 9 + len(BROKEN), TABLE: 7}
    by_file = {
        file: {"in": came_in[file], "kept": kept[file], "dropped": dropped[file], "quarantined": refused[file]}
        for file in came_in
    }
    assert counts == {
        "in": sum(came_in.values()),
        "kept": sum(kept.values()),
        "dropped": sum(dropped.values()),
        "quarantined": sum(refused.values()),
        "by_reason": dict(Counter(row["clean_policy"] for row in bad)),
        "by_any_reason": dict(Counter(reason for row in bad for reason in row["clean_reasons"])),
        "by_file": by_file,
    }
    assert sum(counts["by_reason"].values()) == counts["dropped"] == len(bad)
    assert counts["by_any_reason"].keys() >= {
        "minimum_length",
        "exact_duplicate",
        "near_duplicate",
        "reference_duplicate",
    }
    assert counts["by_any_reason"] != counts["by_reason"]


def test_meta_info_and_sample_are_of_the_same_rows(run: Path, ledger: dict[Place, Any]) -> None:
    meta = json.loads((run / "all-meta-info.json").read_text())
    for status in ("kept", "dropped"):
        for told, files in ((meta["total"], (LINES, TABLE)), (meta["files"][LINES], (LINES,))):
            sizes = [
                cleaned(text)
                for place, text in TEXTS.items()
                if place[0] in files and ledger[place]["status"] == status
            ]
            size = told[f"{status}_rows"]
            assert size["characters"] == sum(map(len, sizes))
            estimate = sum((65 * (len(text) - text.count("\n")) + 25 * text.count("\n")) // 100 for text in sizes)
            assert size["tokens"] == estimate
            assert size["tokens_per_row"] == round(estimate / len(sizes), 2) and told[status] == len(sizes)
    sample = lines(run / "all-sample100.jsonl")
    assert sorted((row["source_file"], row["source_row"]) for row in sample) == list(TEXTS)
