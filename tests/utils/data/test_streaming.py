"""Records of whole inputs: our own tables, users' rows, real data, and ids that ignore order and names."""

import json
import random
from pathlib import Path

import pytest

from utils.data.inputs import find_files
from utils.data.records import (
    Message,
    Preference,
    Record,
    preference_id,
    preferences_to_table,
    record_to_row,
    records_to_table,
    write_parquet,
)
from utils.data.rows import to_trl
from utils.data.streaming import iter_preferences, iter_records
from utils.errors import StageFailedError, UserError

REAL = Path(__file__).parents[3].parent / "shared" / "data"
RECORDS = [
    Record(f"{i:032x}", "s", "en", (Message("user", f"q{i}"), Message("assistant", "a")), {"n": i}) for i in range(5)
]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_our_records_in_both_forms(tmp_path):
    write_lines(tmp_path / "r.jsonl", map(record_to_row, RECORDS))
    write_parquet(records_to_table(RECORDS), tmp_path / "r.parquet")
    for name in ("r.jsonl", "r.parquet"):
        assert list(iter_records(tmp_path / name)) == RECORDS
    (tmp_path / "manifest.json").write_text("{}")
    assert list(iter_records(tmp_path)) == RECORDS
    broken = record_to_row(RECORDS[0]) | {"messages": [{"role": "user"}]}
    write_lines(tmp_path / "b.jsonl", [broken])
    with pytest.raises(UserError, match=r"b\.jsonl, row 1.*not a message"):
        list(iter_records(tmp_path / "b.jsonl"))


def test_our_pairs_in_both_forms(tmp_path):
    sides = (Message("user", "q"),), (Message("assistant", "a"),), (Message("assistant", "b"),)
    pair = Preference(preference_id(*sides), "s", *sides)
    write_lines(tmp_path / "p.jsonl", [to_trl(pair)])
    write_parquet(preferences_to_table([pair]), tmp_path / "p.parquet")
    assert list(iter_preferences(tmp_path / "p.parquet")) == [pair]
    (back,) = iter_preferences(tmp_path / "p.jsonl")
    assert (back.id, back.source, *sides) == (pair.id, "s", back.prompt, back.chosen, back.rejected)
    write_lines(tmp_path / "r.jsonl", map(record_to_row, RECORDS))
    with pytest.raises(UserError, match="format"):
        list(iter_preferences(tmp_path / "r.jsonl"))


def test_bad_rows_stop_and_are_named(tmp_path):
    path = tmp_path / "a.jsonl"
    for second, message in (('{"data":["q"]}', "1 turns"), ("{", "invalid JSON"), ('{"data":["q",null]}', "null")):
        path.write_text('{"data":["q","a"]}\n\n' + second + "\n")
        rows = iter_records(path)
        assert next(rows).source == "a"
        with pytest.raises(UserError, match=rf"a\.jsonl, row 2: .*{message}"):
            next(rows)


def test_damaged_parquet_stops(tmp_path):
    many = [Record(str(i), "s", "en", (Message("user", f"{i * 7919} words {i}"),)) for i in range(3000)]
    path = tmp_path / "r.parquet"
    write_parquet(records_to_table(many), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(StageFailedError, match="damaged"):
        list(iter_records(path))


def test_ids_ignore_order_names_and_cuts(tmp_path):
    rows = [{"id": "same", "instruction": f"i{n % 40}", "input": "", "output": "o"} for n in range(60)]
    write_lines(tmp_path / "a.jsonl", rows)
    random.Random(1).shuffle(rows)
    other = tmp_path / "other"
    other.mkdir()
    (other / "z.json").write_text(json.dumps(rows[:30], indent=1))
    write_lines(other / "b.jsonl", rows[30:])
    first, second = (sorted(r.id for r in iter_records(source)) for source in (tmp_path / "a.jsonl", other))
    assert first == second and len(set(first)) == 40
    assert {r.meta["original_id"] for r in iter_records(other)} == {"same"}


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data set folder is not beside this project")
def test_real_data():
    counts = {
        "sft_zh": {
            "alpaca_zh_part00": 10021,
            "apat_reasoning": 999,
            "harmlessness_1k": 1000,
            "safety_prompts_1k": 1000,
        },
        "sft_en": {
            "alpaca_claude_rated_4_5plus": 2643,
            "alpaca_gpt4_difficulty_stage3": 3460,
            "alpaca_random_9k": 4653,
            "dolly_3k_with_category": 1473,
        },
        "seed_tasks": {"alpaca_seed_tasks": 175, "belle_zh_seed_tasks": 175},
    }
    for folder, expected in counts.items():
        found: dict[str, int] = {}
        languages = set()
        for record in iter_records(REAL / folder):
            found[record.source] = found.get(record.source, 0) + 1
            languages.add(record.lang)
            assert record.messages[0].role == "user" and len(record.id) == 32
        assert found == expected
        assert {"sft_zh": "zh", "sft_en": "en", "seed_tasks": "zh"}[folder] in languages
    answers = list(iter_records(REAL / "alpaca_eval" / "responses.parquet", text_field="output"))
    assert len(answers) == 29776 and answers[0].messages[0].role == "document" and "generator" in answers[0].meta
    assert len(find_files(REAL / "alpaca_eval")) == 2
