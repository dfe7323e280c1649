"""What decides beside the rows and lies in files of its own: a tokenizer, lists of words, references."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cleaning import clean_here, write_rows

ROWS = [{"text": "one two three"}, {"text": "one two"}, {"text": "zzz <b>one</b>"}, {"text": "poker poker poker"}]


def word_tokenizer(path: Path, *words: str) -> Path:
    """Write a tokenizer that knows some words; all others are one unknown token each."""
    vocabulary = {word: number for number, word in enumerate(("[UNK]", *words))}
    path.write_text(
        json.dumps(
            {
                "version": "1.0",
                "added_tokens": [],
                "pre_tokenizer": {"type": "WhitespaceSplit"},
                "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
            }
        )
    )
    return path


def letter_tokenizer(path: Path) -> Path:
    """Write a tokenizer of a token for every character but blanks."""
    told = json.loads(word_tokenizer(path).read_text())
    told["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False},
        ],
    }
    path.write_text(json.dumps(told))
    return path


def test_meta_info_counts_by_the_tokenizer(tmp_path: Path) -> None:
    write_rows(tmp_path / "in" / "a.jsonl", ROWS)
    path = word_tokenizer(tmp_path / "tokenizer.json", "one", "two")
    policy = "policy=[{rule: html}, {rule: minimum_length, characters: 7}]"
    clean_here(tmp_path / "in", tmp_path / "out", policy, "name=few", f"tokenizer={path}")
    meta = json.loads((tmp_path / "out" / "few-meta-info.json").read_text())
    assert meta["tokens"] == "tokenizer tokenizer.json"
    # kept: 3 + 3 words (of `poker …`) of 13 + 17 characters; the others have 6 characters that are not blank
    kept = {"characters": 30, "tokens": 6, "characters_per_row": 15.0, "tokens_per_row": 3.0}
    dropped = {"characters": 14, "tokens": 4, "characters_per_row": 7.0, "tokens_per_row": 2.0}
    for told in (meta["total"], meta["files"]["a.jsonl"]):
        assert (told["kept_rows"], told["dropped_rows"], told["by_reason"]) == (kept, dropped, {"minimum_length": 2})
    letters = letter_tokenizer(tmp_path / "letters.json")
    clean_here(tmp_path / "in", tmp_path / "other", policy, "name=few", f"tokenizer={letters}")
    told = json.loads((tmp_path / "other" / "few-meta-info.json").read_text())["total"]
    assert (told["kept_rows"]["tokens"], told["dropped_rows"]["tokens"]) == (26, 12)


def change_tokenizer(path: Path) -> None:
    word_tokenizer(path, "other")


def add_word(path: Path) -> None:
    path.write_text(path.read_text() + "more=>words\n")


CASES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "tokenizer": ("tokenizer={}", change_tokenizer, "input"),
    "tokenizer of a rule": ("policy=[{{rule: minimum_length, tokens: 1, tokenizer: {}}}]", change_tokenizer, "input"),
    "blacklist": ("policy=[{{rule: blacklist, lists: [{}]}}]", add_word, "policy"),
    "allowed words": ("policy=[{{rule: blacklist, lists: [zh], allow: [{}]}}]", add_word, "policy"),
    "edge phrases": ("policy=[{{rule: edge_ads, phrases: [{}]}}]", add_word, "policy"),
    "references": ("duplicates.reference={{files: [{}], text_field: version}}", change_tokenizer, "input"),
}


@pytest.mark.parametrize("case", CASES)
def test_other_contents_make_another_run(case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """F23: the same command over a changed file is refused with what differs; with the old contents it is done."""
    setting, change, named = CASES[case]
    path = word_tokenizer(tmp_path / "outside.json", "one")
    if named == "policy":
        path.write_text("poker=>gambling\n")
    if case == "references":
        path = path.rename(tmp_path / "outside.jsonl")
    before = path.read_bytes()
    write_rows(tmp_path / "in" / "a.jsonl", ROWS)
    given = ("policy=[]", "name=few", setting.format(path))
    first = clean_here(tmp_path / "in", tmp_path / "out", *given)
    change(path)
    assert path.read_bytes() != before
    clean_here(tmp_path / "in", tmp_path / "out", *given, code=2)
    told = capfd.readouterr().err
    assert (path.name if named == "input" else "policy") in told.splitlines()[-1], told
    path.write_bytes(before)
    assert clean_here(tmp_path / "in", tmp_path / "out", *given)["finished"] == first["finished"]
