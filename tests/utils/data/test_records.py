"""Tables, ids and Parquet files of records, pairs and the ledger."""

import hashlib
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.data import ledger, records
from utils.data.records import Message, Preference, Record
from utils.errors import StageFailedError

TALK = (Message("user", "q\u2028\x00"), Message("assistant", "答"))


def test_tables_round_trip(tmp_path):
    made = [Record("1", "s", "zh", TALK, {"big": 2**70, "t": "ü", "none": None}), Record("2", "s", "en", TALK[:1])]
    records.write_parquet(records.records_to_table(made), tmp_path / "r.parquet")
    table = records.read_parquet(tmp_path / "r.parquet")
    assert table.schema.equals(records.RECORD_SCHEMA) and records.table_to_records(table) == made
    pairs = [Preference("1", "s", TALK[:1], TALK[1:], (Message("assistant", "x"),), {"judge": {"a": [1.5]}})]
    assert records.table_to_preferences(records.preferences_to_table(pairs)) == pairs
    assert records.records_to_table([]).schema.equals(records.RECORD_SCHEMA)


@given(st.lists(st.tuples(st.sampled_from(records.ROLES), st.text() | st.text('a\ud800\udfff\\"\n\x7f你')), max_size=4))
def test_content_id_is_the_hash_of_canonical_json(turns):
    plain = [{"role": role, "content": text} for role, text in turns]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    text = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    expected = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    assert records.content_id(records.from_dicts(plain)) == records.turns_id(turns) == expected


def test_damage_is_found(tmp_path):
    path = tmp_path / "r.parquet"
    talk = (Message("user", "".join(chr(0x4E00 + i * 7 % 9000) for i in range(4000))),)
    records.write_parquet(records.records_to_table([Record("1", "s", "zh", talk)]), path)
    whole = path.read_bytes()
    for place in (len(whole) // 3, len(whole) // 4):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(StageFailedError, match="damaged"):
            records.read_parquet(path)
    path.write_bytes(whole[:-9])
    with pytest.raises(StageFailedError, match="damaged"):
        records.read_parquet(path)


ROW = {
    "id": "1",
    "source": "s",
    "source_file": "f.jsonl",
    "source_row": 3,
    "status": "dropped",
    "reasons": ["short", "spam"],
    "duplicate_of": None,
    "similarity": 0.5,
    "cluster": None,
    "edits": [{"rule": "url", "count": 2}],
}


def test_ledger_round_trip(tmp_path):
    table = ledger.ledger_table([ROW, {"id": "2"}])
    ledger.write_ledger(table, tmp_path / "l.parquet")
    back = records.read_parquet(tmp_path / "l.parquet")
    assert back.schema.equals(ledger.LEDGER_SCHEMA) and back.to_pylist()[0] == ROW
    made = ledger.decisions_table([{"id": "1", "status": "kept", "reasons": [], "into": "tier1"}])
    ledger.write_decisions(made, tmp_path / "d.parquet")
    assert records.read_parquet(tmp_path / "d.parquet").to_pylist()[0]["into"] == "tier1"


def test_ledger_refuses_other_schemas(tmp_path):
    with pytest.raises(StageFailedError, match="text"):
        ledger.ledger_table([ROW | {"text": "no"}])
    with pytest.raises(StageFailedError, match="another type"):
        ledger.ledger_table([ROW | {"source_row": "three"}])
    with pytest.raises(StageFailedError, match="source_row"):
        ledger.write_ledger(pa.table({"id": ["1"]}), tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()


def test_balance():
    ledger.assert_balanced({"in": 6, "kept": 3, "dropped": 2, "quarantined": 1, "by_reason": {"a": 1, "b": 1}})
    ledger.assert_balanced({"in": 0})
    for wrong in (
        {"in": 6, "kept": 3, "dropped": 2},
        {"in": 2, "dropped": 2, "by_reason": {"a": 1}},
        {"in": 1, "kept": 2, "dropped": -1},
    ):
        with pytest.raises(StageFailedError, match="balance"):
            ledger.assert_balanced(wrong, where="clean")
