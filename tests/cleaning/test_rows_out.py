"""Rows written by columns are the rows written one by one, and both are what Python's json makes of them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaning.read_batch import read_texts
from cleaning.rows_out import (
    CLEAN_KEYS,
    JsonlWriter,
    Mark,
    dump_marked,
    is_plain,
    marked_line,
    open_writer,
    plain_rows,
    splice,
)
from cleaning.write_batch import Outputs
from utils.data.formats import FORMATS, RowError, format_named
from utils.data.inputs import find_files
from utils.data.parsing import parse_row
from utils.data.partitions import plan_partitions
from utils.data.raw_rows import RawRow, RawRows
from utils.data.reading import read_batches, read_partition
from utils.data.records import raw_id
from utils.data.rows import row_id
from utils.errors import StageFailedError

ID = "0123456789abcdef" * 2
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
rows = st.dictionaries(texts | st.sampled_from([*CLEAN_KEYS, "text"]), values, min_size=1, max_size=5)
reasons = st.lists(st.sampled_from(["html", "near_duplicate", '"quoted"', "长"]), max_size=3, unique=True)


def line_of(raw: RawRow, changed: dict[str, Any] | None, mark: Mark) -> bytes:
    """Write one row by itself: its bytes where they may stay, else what it says."""
    row = raw.row or {}
    return marked_line(raw.raw, changed or (None if is_plain(row, raw.repairs) else row), mark)


def marked(row: dict[str, Any], why: list[str]) -> dict[str, Any]:
    """Say the same as a mark, the plain way."""
    mark = {"clean_id": ID, "clean_status": int(not why), "clean_policy": (why or [""])[0], "clean_reasons": why}
    return {**{key: value for key, value in row.items() if key not in CLEAN_KEYS}, **mark}


@given(rows, reasons, st.sampled_from([None, 1]), st.sampled_from(["", " ", "\r", " \t\r\n"]))
def test_a_spliced_row_says_what_it_said_and_the_mark(
    row: dict[str, Any], why: list[str], indent: int | None, around: str
) -> None:
    raw = f"{around}{json.dumps(row, ensure_ascii=False, indent=indent)[:-1]}{around}}}{around}".encode()
    line = line_of(RawRow(0, 0, raw, row, None), None, Mark(ID, why))
    assert b"\n" not in line and b"\r" not in line
    assert list(json.loads(line).items()) == list(marked(row, why).items())
    if row.keys().isdisjoint(CLEAN_KEYS):
        assert line == splice(raw, Mark(ID, why))
        kept = raw.strip()[:-1].rstrip()
        assert indent or around.strip(" ") or line.startswith(kept), "bytes of an unchanged row stay"


@given(rows, reasons)
def test_a_changed_row_is_json_with_the_mark_at_its_end(row: dict[str, Any], why: list[str]) -> None:
    try:
        expected = orjson.dumps(marked(row, why))
    except TypeError:  # integers beyond 64 bits
        expected = json.dumps(marked(row, why), ensure_ascii=False, separators=(",", ":")).encode()
    line = dump_marked(row, Mark(ID, why))
    assert json.loads(line) == json.loads(expected) and list(json.loads(line)) == list(json.loads(expected))
    if all(not isinstance(value, (list, dict, int, float)) for value in row.values()):
        assert line == expected


FAULTS = [
    b'{"text":"a"}',
    b'{ "text" : "b" , "n": 1.10 }\r',
    b'{"text":"c","clean_id":"' + ID.encode() + b'","clean_status":0}',
    b'{"text":"d","cl\\u0065an_policy":"x"}',
    b'{"text":"lone \\ud800"}',
    b'{"text":"bytes \xff"}',
    b'{"text":"big","n":123456789012345678901234567890}',
    b'{"text":1}',
    b'{"text":"a","text":"b"}',
    b'{"broken',
    b"",
    b" \t",
    b'{"text":"' + b"x" * 300 + b'"}',
]


@pytest.mark.parametrize("policy", ["quarantine", "replace"])
@given(
    content=st.lists(st.sampled_from(FAULTS), max_size=12), bom=st.booleans(), drawn=st.randoms(use_true_random=False)
)
def test_a_batch_is_written_as_row_by_row(
    tmp_path_factory: pytest.TempPathFactory, policy: Any, content: list[bytes], bom: bool, drawn: Any
) -> None:
    path = tmp_path_factory.mktemp("in") / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" * bom + b"\n".join(content))
    fmt, limits = format_named("document"), {"max_row_bytes": 200, "invalid_utf8": policy}
    good, bad, refused = [], [], []
    outputs = [io.BytesIO() for _ in range(3)]
    writers = [JsonlWriter(stream) for stream in outputs[:2]]
    for part in plan_partitions(find_files(path)[0], 120):
        decided: dict[str, list[Any]] = {"reasons": [], "texts": []}
        rows = RawRows.of(read_partition(part, **limits))
        read = read_texts(rows, fmt)
        out = Outputs("a.jsonl", fmt, policy, *writers, outputs[2])
        for raw, given_id, error in zip(rows, read.ids, read.errors, strict=True):
            edited = ["new text"] if error is None and drawn.random() < 0.3 else None
            why = ["html"] if error is None and drawn.random() < 0.3 else []
            decided["texts"].append(edited)
            decided["reasons"].append(why)
            if error is not None:
                refused.append(raw.source_row)
                continue
            changed = {**(raw.row or {}), "text": "new text"} if edited and not why else None
            (bad if why else good).append(line_of(raw, changed, Mark(given_id, why)) + b"\n")
        frame = pl.DataFrame(
            {**decided, "id": read.ids, "error": read.errors, "plain": plain_rows(rows)},
            schema_overrides={"reasons": pl.List(pl.String), "texts": pl.List(pl.String), "error": pl.String},
        ).with_columns(source_row=pl.int_range(pl.len()) + rows.first)
        at = 0
        for unread in read_batches(part, 2, **limits, parse=False):
            out.write(unread, frame.slice(at, len(unread)))
            at += len(unread)
        assert at == len(rows)
    assert [stream.getvalue() for stream in outputs[:2]] == [b"".join(good), b"".join(bad)]
    quarantine = [json.loads(line) for line in outputs[2].getvalue().splitlines()]
    assert [row["source_row"] for row in quarantine] == refused


def test_other_rows_than_those_decided_on_are_refused(tmp_path: Path) -> None:
    rows = RawRows.of([RawRow(3, 0, b'{"text":"a"}', {"text": "a"}, None)])
    decided = pl.DataFrame(
        {"source_row": [4], "id": [ID], "error": [None], "reasons": [[]], "texts": [None], "plain": [True]},
        schema_overrides={"error": pl.String, "reasons": pl.List(pl.String), "texts": pl.List(pl.String)},
    )
    stream = JsonlWriter(io.BytesIO())
    out = Outputs("a", format_named("document"), "quarantine", stream, stream, io.BytesIO())
    with pytest.raises(StageFailedError, match="not the rows"):
        out.write(rows, decided)


def test_a_changed_parquet_row_keeps_values_that_json_lacks(tmp_path: Path) -> None:
    table = pa.table({"text": ["a"], "raw": pa.array([b"\x01"]), "at": pa.array([0], pa.timestamp("s"))})
    pq.write_table(table, tmp_path / "t.parquet")
    (part,) = plan_partitions(find_files(tmp_path / "t.parquet")[0])
    (rows,) = read_batches(part, 10, parse=False)
    decided = pl.DataFrame(
        {"source_row": [0], "id": [ID], "error": [None], "reasons": [[]], "texts": [["b"]], "plain": [True]},
        schema_overrides={"error": pl.String, "reasons": pl.List(pl.String), "texts": pl.List(pl.String)},
    )
    good, bad = (open_writer(tmp_path / name, tmp_path / "t.parquet", parquet=True) for name in ("good", "bad"))
    Outputs("t", format_named("document"), "quarantine", good, bad, io.BytesIO()).write(rows, decided)
    good.close()
    assert pq.read_table(tmp_path / "good").select(table.column_names).to_pylist() == [
        {**table.to_pylist()[0], "text": "b"}
    ]


SHAPES = [
    {"instruction": "i", "input": "x", "output": "o"},
    {"data": ["q", "a", "q2", "a2"]},
    {"data": ["q"]},
    {"messages": [{"role": "User", "content": "x"}, {"role": "assistant", "content": "\ud800"}]},
    {"messages": [{"role": [1], "content": "x"}, 4]},
    {"prompt": "p", "chosen": "c", "rejected": "r"},
    {"instruction": "i", "instances": [{"input": "a", "output": "b"}, {"input": "", "output": "c"}]},
    {"text": "t", "clean_id": ID},
    {"text": "t", "clean_id": "no"},
    {"text": None},
    {"user_input": "u", "completion_a": "a", "completion_b": "b"},
]


@pytest.mark.parametrize("name", [known.name for known in FORMATS])
def test_texts_and_ids_by_columns_are_those_of_single_rows(name: str) -> None:
    fmt = format_named(name)
    raws = [RawRow(i, 9 * i, orjson.dumps(i), row, None) for i, row in enumerate(SHAPES)]
    raws.append(RawRow(len(raws), 999, b"?", *parse_row(b"?")))
    read = read_texts(RawRows.of(raws), fmt)
    for i, raw in enumerate(raws):
        own = [read.text[j] for j in range(len(read.text)) if read.row[j] == i]
        assert [read.place[j] for j in range(len(read.text)) if read.row[j] == i] == list(range(len(own)))
        try:
            expected = row_id(raw.row or {}, fmt), [text for _, _, text in fmt.texts(raw.row or {})]
        except RowError:
            expected = raw_id(raw.raw), []
        assert (read.ids[i], own) == expected
        assert (read.errors[i] is not None) == (expected[1] == [])
    again = read_texts(raws, fmt)
    assert (again.ids, again.text, list(again.row)) == (read.ids, read.text, list(read.row))
