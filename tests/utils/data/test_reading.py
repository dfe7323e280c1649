"""Faults at the border: F5 to F12, unsafe archives, and memory that stays bounded."""

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from utils.data.inputs import find_files
from utils.data.partitions import plan_partitions
from utils.data.reading import read_batches, read_partition
from utils.errors import UserError

ROOT = Path(__file__).parents[3]
LINES = [b'{"text":"%d %s"}' % (i, bytes(97 + (i * i * 7 + j * j) % 26 for j in range(60))) for i in range(400)]
TEXT = b"\n".join(LINES) + b"\n"


def read(path, content=None, **options):
    if content is not None:
        path.write_bytes(content)
    return [row for part in plan_partitions(find_files(path)[0], 64) for row in read_partition(part, **options)]


def good(rows):
    assert [row.source_row for row in rows] == list(range(len(rows)))
    assert all((row.row is None) != (row.error is None) for row in rows)
    return [row for row in rows if row.row is not None]


def bad(rows):
    return [(row.source_row, row.error) for row in rows if row.error]


def pack(kind, content):
    return gzip.compress(content) if kind == "gz" else zstandard.compress(content)


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_truncated_stream_keeps_the_rows_before_it(tmp_path, kind):
    packed = pack(kind, TEXT * 30)
    whole = read(tmp_path / f"w.jsonl.{kind}", packed)
    assert [row.raw for row in whole] == LINES * 30 and not bad(whole)
    rows = read(tmp_path / f"x.jsonl.{kind}", packed[: len(packed) * 9 // 10])
    assert len(good(rows)) == len(rows) - 1 and rows[:-1] == whole[: len(rows) - 1]
    assert "cut off" in rows[-1].error and rows[-1].source_row == len(rows) - 1
    if kind == "gz":
        assert len(rows) > 100
    rows = read(tmp_path / f"y.jsonl.{kind}", packed[:-1])
    lost = 1 if kind == "gz" else 2000  # zstd gives whole blocks of 128 KiB
    assert len(good(rows)) >= len(whole) - lost and len(bad(rows)) == 1


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_members_and_garbage(tmp_path, kind):
    two = pack(kind, LINES[0] + b"\n" + LINES[1][:9]) + pack(kind, LINES[1][9:])
    assert [row.raw for row in read(tmp_path / f"a.jsonl.{kind}", two)] == LINES[:2]
    rows = read(tmp_path / f"b.jsonl.{kind}", two + b"garbage")
    assert [row.raw for row in good(rows)] == LINES[:2]
    assert len(bad(rows)) == 1 and "garbage after" in bad(rows)[0][1]
    assert bad(read(tmp_path / f"c.jsonl.{kind}", two + b"\0" * 5000)) == []
    rows = read(tmp_path / f"d.jsonl.{kind}", b"plain text")
    assert len(rows) == 1 and "not" in rows[0].error


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("after", [b"", b"\0" * 600, b"garbage"])
def test_members_of_more_than_one_chunk_come_to_an_end(tmp_path, kind, after):
    rows = read(tmp_path / f"a.jsonl.{kind}", pack(kind, TEXT * 60) * 2 + after)
    assert [row.raw for row in good(rows)] == LINES * 120
    assert len(bad(rows)) == (after == b"garbage")


def test_long_rows_make_small_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.data.reading._BATCH_BYTES", 5000)
    (tmp_path / "a.jsonl").write_bytes(TEXT)
    part = plan_partitions(find_files(tmp_path / "a.jsonl")[0])[0]
    monkeypatch.setattr("utils.data.streams.CHUNK", 1000)
    batches = list(read_batches(part, 8192))
    assert [row.raw for batch in batches for row in batch] == LINES and max(map(len, batches)) < 100


def test_damage_in_the_middle(tmp_path):
    packed = bytearray(gzip.compress(TEXT * 3, 1))
    packed[len(packed) // 2] ^= 0xFF
    rows = read(tmp_path / "a.jsonl.gz", bytes(packed))
    assert rows[-1].error and "damaged" in rows[-1].error


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_compressed_arrays(tmp_path, kind):
    array = b"[" + b",\n".join(LINES) + b"]"
    assert [row.raw for row in read(tmp_path / f"a.json.{kind}", pack(kind, array))] == LINES
    packed = gzip.compress(array) if kind == "gz" else pack(kind, array)
    rows = read(tmp_path / f"b.json.{kind}", packed[:-20])
    assert len(bad(rows)) == 1 and "cut off" in bad(rows)[0][1]
    rows = read(tmp_path / f"c.json.{kind}", packed + b"xxxx")
    assert len(good(rows)) == 400 and "garbage" in bad(rows)[0][1]
    assert [row.raw for row in read(tmp_path / f"d.json.{kind}", pack(kind, TEXT))] == LINES


def test_malformed_lines_have_their_offset(tmp_path):
    content = b'{"a":1}\r\n\n{"a":\n  \n[1]\n{"a":2}\x0b\n{"a":"\xe2\x80\xa8\x0c"}\n{"a":3}'
    rows = read(tmp_path / "a.jsonl", content)
    assert [row.row for row in good(rows)] == [{"a": 1}, {"a": 3}]
    assert [number for number, _ in bad(rows)] == [1, 2, 3, 4]
    assert rows[1].raw == b'{"a":' and content[rows[1].byte_offset :].startswith(b'{"a":\n')
    assert rows[0].raw == b'{"a":1}\r'


def test_text_faults_have_one_answer_each(tmp_path):
    content = (
        b'\xef\xbb\xbf{"a":1}\n{"a":"\xff"}\n{"a":"\\ud83d"}\n{"a":NaN}\n{"a":1,"a":2}\n{"a":123456789012345678901}\n'
        + '{"a":"x\u2028y\x85z"}\n'.encode()
    )
    rows = read(tmp_path / "a.jsonl", content)
    assert [row.row for row in good(rows)] == [
        {"a": 1},
        {"a": "\ufffd"},
        {"a": 123456789012345678901},
        {"a": "x\u2028y\x85z"},
    ]
    assert bad(rows) == [(1, "invalid UTF-8 at byte 6"), (3, "NaN is not JSON"), (4, "duplicate key 'a'")]
    assert rows[0].raw == b'{"a":1}' and rows[0].repairs == ("byte order mark skipped",)
    assert rows[2].repairs == ("lone surrogate replaced",)
    replaced = read(tmp_path / "a.jsonl", invalid_utf8="replace")
    assert replaced[1].row == {"a": "\ufffd"} and replaced[1].repairs == ("invalid UTF-8 replaced",)


def test_too_long_rows(tmp_path):
    content = b'{"a":1}\n{"a":"' + b"x" * 5000 + b'"}\n' + b" " * 3000 + b'\n{"a":2}\n{"a":"' + b"y" * 2000 + b'"}'
    rows = read(tmp_path / "a.jsonl", content, max_row_bytes=1000)
    assert [row.row for row in good(rows)] == [{"a": 1}, {"a": 2}]
    assert bad(rows) == [(1, "5008 bytes, over max_row_bytes 1000"), (3, "2008 bytes, over max_row_bytes 1000")]
    assert all(len(row.raw) <= 1000 for row in rows)
    array = b'[{"a":1},{"a":"' + b"x" * 5000 + b'"},{"a":2}]'
    assert bad(read(tmp_path / "a.json", array, max_row_bytes=1000)) == [(1, "5008 bytes, over max_row_bytes 1000")]


def test_memory_stays_bounded(tmp_path):
    path = tmp_path / "big.jsonl"
    with path.open("wb") as file:
        file.write(b'{"a":"' + b"m" * (3 << 20) + b'"}\n{"a":"')
        for _ in range(200):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n{"a":2}\n')
    script = f"""
import resource
from utils.data.inputs import find_files
from utils.data.partitions import plan_partitions
from utils.data.reading import read_partition
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = [(len(r.raw), bool(r.error)) for p in plan_partitions(find_files({str(path)!r})[0]) for r in read_partition(p)]
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    rows, grown = done.stdout.rsplit(" ", 1)
    assert rows == f"[({(3 << 20) + 8}, False), (65536, True), (7, False)]"
    assert int(grown) < 150 * 1024, f"{grown} KiB more"


ARRAYS = {
    b"[]": [],
    b'[{"a":1},]': [None, "an element is missing"],
    b'[{"a":1} {"a":2}]': ["invalid JSON"],
    b'[{"a":1}': [None, "not closed"],
    b'[{"a":1},{"a":"cut': [None, "not closed"],
    b'[{"a":1}] x': [None, "follows the array"],
    b'[{"a":1},2,[3],{"b":NaN}]': [None, "a number", "an array", "NaN"],
    b"[,]": ["missing", "missing"],
}


@pytest.mark.parametrize("content", ARRAYS)
def test_faulty_arrays(tmp_path, content):
    rows = read(tmp_path / "a.json", content)
    good(rows)
    assert len(rows) == len(ARRAYS[content])
    for row, expected in zip(rows, ARRAYS[content], strict=True):
        assert (row.error is None) if expected is None else (expected in row.error)


def test_json_file_of_lines(tmp_path):
    assert [row.raw for row in read(tmp_path / "a.json", b"\n " + TEXT)][1:] == LINES[1:]


def zipped(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_zip_members_in_order(tmp_path):
    path = zipped(
        tmp_path / "a.zip", ("b.jsonl", TEXT), ("README.md", b"no"), ("a.json", b'[{"z":1}]'), ("e.jsonl", b"")
    )
    rows = read(path)
    assert [row.raw for row in good(rows)] == [*LINES, b'{"z":1}']
    assert rows[-1].byte_offset == len(TEXT) + 1


def test_what_a_mac_adds_to_a_zip_is_not_read(tmp_path):
    members = [(name, b"\0\1") for name in ("__MACOSX/._b.jsonl", "._b.jsonl", ".x/c.jsonl")]
    rows = read(zipped(tmp_path / "m.zip", ("b.jsonl", TEXT), *members))
    assert [row.raw for row in good(rows)] == LINES


def test_unsafe_zips_are_refused(tmp_path):
    link = zipfile.ZipInfo("l.jsonl")
    link.external_attr = 0o120777 << 16
    cases = {
        "absolute": ("/etc/x.jsonl", b"{}"),
        "leads out": ("../x.jsonl", b"{}"),
        "symlink": (link, b"/etc/passwd"),
        "200 times": ("bomb.jsonl", b"\n" * (20 << 20)),
    }
    for message, member in cases.items():
        path = zipped(tmp_path / "a.zip", ("ok.jsonl", b"{}"), member)
        with pytest.raises(UserError, match=message):
            plan_partitions(find_files(path)[0])
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(UserError, match="not a readable zip"):
        plan_partitions(find_files(tmp_path / "a.zip")[0])


def test_total_of_a_zip_is_capped(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.data.streams.MAX_ZIP_BYTES", 1000)
    path = zipped(tmp_path / "a.zip", ("a.jsonl", TEXT))
    with pytest.raises(UserError, match="limit is 1000"):
        plan_partitions(find_files(path)[0])


def test_damaged_zip_member(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.jsonl", TEXT)
    content = path.read_bytes()
    rows = read(path, content.replace(LINES[200], LINES[200].replace(b"2", b"3")))
    assert "damaged zip member" in rows[-1].error


def test_damaged_row_group_counts_its_rows(tmp_path):
    path = tmp_path / "t.parquet"
    texts = [f"text {i} " * 20 for i in range(300)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=100, write_page_checksum=True, compression=None)
    content = bytearray(path.read_bytes())
    content[content.find(b"text 150")] ^= 1
    rows = read(path, bytes(content))
    assert len(rows) == 300 and [row.source_row for row in rows if row.error] == list(range(100, 200))
    assert all(rows[i].row == {"text": texts[i]} for i in [*range(100), *range(200, 300)])


def test_parquet_values_that_json_lacks(tmp_path):
    path = tmp_path / "t.parquet"
    texts = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff\xfe"], pa.binary()).buffers())
    pq.write_table(pa.table({"s": texts, "b": pa.array([b"\x01", None])}), path)
    rows = read(path)
    assert json.loads(rows[0].raw) == {"s": "ok", "b": "01"} and rows[0].row == {"s": "ok", "b": b"\x01"}
    assert "cannot be read" in rows[1].error


def test_a_file_that_went_away(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(TEXT)
    part = plan_partitions(find_files(tmp_path / "a.jsonl")[0])[0]
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(UserError, match="gone"):
        list(read_partition(part))


def test_a_reader_left_half_way(tmp_path):
    (tmp_path / "a.json").write_bytes(b'[{"a":1},{"a":2}]')
    part = plan_partitions(find_files(tmp_path / "a.json")[0])[0]
    rows = read_partition(part)
    assert next(rows).row == {"a": 1}
    rows.close()
