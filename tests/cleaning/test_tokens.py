"""Tokens by the estimate and by tokenizers on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaning.prose import scanner
from cleaning.tokens import ESTIMATE, describe, token_counts
from utils.errors import UserError

TEXTS = ["中文字符", "English text", "", "a b c d", "かな 한국"]


def counted(texts: list[str], tokenizer: Path | None = None) -> list[int]:
    found: list[int] = token_counts(texts, scanner().scan(texts).counts, tokenizer).tolist()
    return found


def save_words(path: Path) -> Path:
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.enable_truncation(2)
    words.save(str(path))
    return path


def test_the_estimate_is_named_and_computed_by_script() -> None:
    assert describe(None) == f"estimate, no tokenizer: {ESTIMATE}"
    assert counted(TEXTS) == [2, 3, 0, 1, 2]


@given(st.text("中字ab .\n", max_size=200))
def test_the_estimate_is_its_formula(text: str) -> None:
    wide = sum(c in "中字" for c in text)
    assert counted([text]) == [(65 * wide + 25 * (len(text) - wide)) // 100]


def test_a_tokenizers_file_counts_whole_texts(tmp_path: Path) -> None:
    path = save_words(tmp_path / "tokenizer.json")
    assert counted(TEXTS, path) == [1, 2, 0, 4, 2]
    assert counted(["a " * 5000], path) == [5000]  # a truncation in the file does not hold
    assert describe(path) == "tokenizer tokenizer.json"
    assert counted(["a b"] * 2500, path) == [2] * 2500


def test_a_models_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    words = transformers.PreTrainedTokenizerFast(tokenizer_file=str(save_words(tmp_path / "t.json")))
    words.save_pretrained(tmp_path / "model")
    assert counted(["a b c", ""], tmp_path / "model") == [3, 0]


def test_what_is_no_tokenizer_is_said(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "folder").mkdir()
    for path, message in (
        (tmp_path / "none.json", "no tokenizer at"),
        (tmp_path / "tokenizer.json", "not a tokenizer"),
        (tmp_path / "folder", "no tokenizer in"),
    ):
        with pytest.raises(UserError, match=message):
            counted(["a"], path)
