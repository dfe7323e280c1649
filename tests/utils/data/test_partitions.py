"""Cutting never changes what is read: any bytes, any target, the same rows."""

import json
import re
import tempfile
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from utils.data.arrays import scan_array
from utils.data.inputs import InputFile, find_files
from utils.data.partitions import Partition, plan_partitions
from utils.data.reading import read_batches, read_partition
from utils.data.records import RECORD_SCHEMA
from utils.data.streaming import iter_records
from utils.errors import UserError


def rows_by(file, target):
    parts = plan_partitions(file, target)
    for before, after in pairwise(parts):
        assert before.end == after.start and before.first_row + before.rows == after.first_row
    read = []
    for part in parts:
        rows = list(read_partition(part))
        assert len(rows) == part.rows and [r.source_row for r in rows] == list(
            range(part.first_row, part.first_row + part.rows)
        )
        read += rows
    assert len({part.name for part in parts}) == len(parts)
    return parts, read


def as_file(content, kind, folder):
    path = Path(folder) / f"x.{kind}"
    path.write_bytes(content)
    return InputFile(path, path.name, kind)


pieces = st.lists(
    st.sampled_from([b'{"a":1}', b'{"b":"\xe4\xbd\xa0"}', b"\n", b"\n\n", b" ", b"\r\n", b"\xef\xbb\xbf", b"[", b"{"])
    | st.binary(max_size=6),
    max_size=25,
).map(b"".join)


@settings(max_examples=80, deadline=None)
@given(pieces, st.integers(1, 60))
def test_lines_are_the_same_for_any_target(content, target):
    with tempfile.TemporaryDirectory() as folder:
        file = as_file(content, "jsonl", folder)
        whole, rows = rows_by(file, 1 << 30)
        assert len(whole) == (1 if content else 0)
        assert rows_by(file, target)[1] == rows == rows_by(file, 1)[1]
    text = content.removeprefix(b"\xef\xbb\xbf")
    assert [row.raw for row in rows] == [line for line in text.split(b"\n") if line.strip(b" \t\r")]
    led = len(content) - len(text)
    assert all(content[row.byte_offset or led :].startswith(row.raw) for row in rows)


@settings(max_examples=80, deadline=None)
@given(pieces, st.integers(1, 40), st.integers(1, 5))
def test_batches_hold_the_rows_that_single_reading_gives(content, target, size):
    with tempfile.TemporaryDirectory() as folder:
        for part in plan_partitions(as_file(content, "jsonl", folder), target):
            rows = list(read_partition(part))
            batches = list(read_batches(part, size))
            assert [row for batch in batches for row in batch] == rows
            assert all(len(batch) == size for batch in batches[:-1])
            unread = [row for batch in read_batches(part, size, parse=False) for row in batch]
            assert [row[:3] for row in unread] == [row[:3] for row in rows]
            assert all(row.row is None and row.error is None for row in unread)


tricky = st.text(alphabet=st.sampled_from('a"\\[]{},: \n你😀\u2028\t')) | st.text(
    st.characters(exclude_categories=["Cs"])
)
elements = st.recursive(
    st.none() | st.integers(-9, 9) | tricky,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tricky, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=120, deadline=None)
@given(st.lists(elements, max_size=6), st.booleans(), st.sampled_from([None, 0, 2]), st.integers(1, 80), st.booleans())
def test_array_scanner_equals_json(values, ascii_only, indent, target, bom):
    text = json.dumps(values, ensure_ascii=ascii_only, indent=indent)
    content = (b"\xef\xbb\xbf" if bom else b"") + f" {text}\n".encode()
    spans = list(scan_array(content))
    assert not any(span.error for span in spans)
    assert [json.loads(content[span.start : span.end]) for span in spans] == values
    with tempfile.TemporaryDirectory() as folder:
        file = as_file(content, "json", folder)
        rows = rows_by(file, 1 << 30)[1]
        assert rows_by(file, target)[1] == rows == rows_by(file, 1)[1]
        assert [json.loads(row.raw) for row in rows] == values


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b",", b'"', b"\\", b" ", b"1", b'{"a":1}']), max_size=12).map(
        b"".join
    ),
    st.integers(1, 20),
)
@example(b'{"a":1}}', 1)
@example(b'{"a":1}},{"a":1}]', 3)
@example(b"}", 1)
def test_broken_arrays_are_the_same_for_any_target(tail, target):
    content = b'[{"x":1},' + tail
    with tempfile.TemporaryDirectory() as folder:
        file = as_file(content, "json", folder)
        rows = rows_by(file, 1 << 30)[1]
        assert rows_by(file, target)[1] == rows
    assert rows[0].row == {"x": 1}
    try:
        values = json.loads(content)
    except json.JSONDecodeError:
        assert any(row.error for row in rows)
    else:
        assert [json.loads(row.raw) for row in rows] == values


def test_names_are_safe_unique_and_stable(tmp_path):
    nasty = tmp_path / ("ü ;$(x)\n" + "long" * 40 + ".jsonl")
    nasty.write_bytes(b'{"a":1}\n' * 10)
    (tmp_path / "b.jsonl").write_bytes(b'{"a":1}\n' * 10)
    parts = [part for file in find_files(tmp_path) for part in plan_partitions(file, 16)]
    assert len(parts) == 10 and len({part.name for part in parts}) == 10
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,128}", part.name) and part.name[0] not in ".-" for part in parts)
    again = [Partition(**json.loads(json.dumps(asdict(part)))) for part in parts]
    assert again == parts
    nasty.write_bytes(b'{"a":2}\n' * 10)
    changed = [part for file in find_files(tmp_path) for part in plan_partitions(file, 16)]
    assert len({part.name for part in parts} & {part.name for part in changed}) == 5


def test_empty_files(tmp_path):
    for name in ("a.jsonl", "a.json", "a.jsonl.gz"):
        (tmp_path / name).touch()
        assert plan_partitions(find_files(tmp_path / name)[0]) == []
    for content in (b"\n \r\n", b"\xef\xbb\xbf"):
        (tmp_path / "a.jsonl").write_bytes(content)
        assert rows_by(find_files(tmp_path / "a.jsonl")[0], 1)[1] == []


def test_row_groups(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": [f"t{i}" for i in range(10)], "n": range(10)}), path, row_group_size=3)
    file = find_files(path)[0]
    parts, rows = rows_by(file, 1)
    assert [(p.start, p.end, p.first_row, p.rows) for p in parts] == [
        (0, 1, 0, 3),
        (1, 2, 3, 3),
        (2, 3, 6, 3),
        (3, 4, 9, 1),
    ]
    assert rows == rows_by(file, 1 << 30)[1]
    assert rows[4].row == {"text": "t4", "n": 4} and rows[4].raw == b'{"text":"t4","n":4}'


def test_unusable_files(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(UserError, match="not a readable Parquet"):
        plan_partitions(find_files(tmp_path / "t.parquet")[0])
    with pytest.raises(UserError, match="target_bytes"):
        plan_partitions(find_files(tmp_path / "t.parquet")[0], 0)


def test_two_columns_of_one_name_are_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), path)
    with pytest.raises(UserError, match=r"t\.parquet: two columns are called 'text'"):
        plan_partitions(find_files(path)[0])
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 6, names=[*RECORD_SCHEMA.names, "id"]), path)
    with pytest.raises(UserError, match="two columns are called 'id'"):
        list(iter_records(path))
