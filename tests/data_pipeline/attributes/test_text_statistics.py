"""Every column against a count by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_pipeline.attributes.kinds.text_statistics import TextStatistics, statistics
from utils.errors import UserError

SCHEMA = {
    "id": pl.String,
    "source": pl.String,
    "lang": pl.String,
    "messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String})),
}


def rows(*conversations: list[tuple[str, str]]) -> pl.DataFrame:
    listed = [
        {"id": str(n), "source": "s", "lang": "zh", "messages": [{"role": r, "content": c} for r, c in conversation]}
        for n, conversation in enumerate(conversations)
    ]
    return pl.DataFrame(listed, schema=SCHEMA)


def measured(*conversation: tuple[str, str]) -> dict[str, Any]:
    return statistics(rows(list(conversation))).to_dicts()[0]


def test_chinese_and_english_counted_by_hand() -> None:
    # "你好 GPT4\n你好吗": 7 + 1 + 3 = 11 characters; tokens 你 好 gpt4 你 好 吗, 4 different; one digit.
    found = measured(("system", ""), ("user", "你好 GPT4"), ("assistant", "你好吗"))
    assert found["characters"] == len("\n你好 GPT4\n你好吗") == 12
    assert found["tokens_estimate"] == 6
    assert found["turns"] == 2
    assert found["prompt_characters"] == len("\n你好 GPT4")
    assert found["answer_characters"] == 3
    assert found["distinct_share"] == pytest.approx(4 / 6)
    assert found["digit_share"] == pytest.approx(1 / 12)
    assert found["code_share"] == 0
    assert found["lang"] == "zh"


def test_code_share_counts_closed_fences_only() -> None:
    # ```a``` is 7 of 10 characters; an open fence counts nothing.
    assert measured(("assistant", "x ```a``` "))["code_share"] == pytest.approx(0.7)
    assert measured(("assistant", "x ```a"))["code_share"] == 0


def test_a_document_has_no_answer_and_no_prompt() -> None:
    found = measured(("document", "一二三"))
    assert (found["characters"], found["answer_characters"], found["prompt_characters"]) == (3, None, None)


def test_an_empty_text_has_null_shares_not_zero() -> None:
    found = measured(("user", ""))
    assert (found["characters"], found["tokens_estimate"]) == (0, 0)
    assert (found["distinct_share"], found["code_share"], found["digit_share"]) == (None, None, None)


def test_kana_and_hangul_count_by_character() -> None:
    assert measured(("user", "ひらカタ 한글 ok"))["tokens_estimate"] == 7


def test_no_rows_give_a_table_with_the_same_columns() -> None:
    empty, full = (TextStatistics().measure(r, {}, 0) for r in (rows(), rows([("user", "a"), ("assistant", "b")])))
    assert empty.num_rows == 0
    assert empty.schema == full.schema


@pytest.mark.parametrize(
    ("text", "share"),
    [("因为 $a^2$ 所以", 5 / 11), ("\\[x\\] ok", 5 / 8), ("$$a\nb$$", 1.0), ("it costs $5 and $6 a day", 0.0),
     ("$ a $", 0.0)],
)  # fmt: skip
def test_maths_share_counts_delimited_formulas(text: str, share: float) -> None:
    assert measured(("assistant", text))["maths_share"] == pytest.approx(share)


def test_tokens_are_those_of_the_named_tokenizer(tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    conversations = [[("user", "什么是三原色？"), ("assistant", "Red, <|im_end|> blue.")], [("user", "")]]
    table = TextStatistics(tokenizer=tiny_model).measure(rows(*conversations), {}, 0)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    expected = [sum(len(tokenizer.tokenize(text)) for _, text in conversation) for conversation in conversations]
    assert table["tokens"].to_pylist() == expected
    assert expected[0] > 0
    assert "tokens" not in TextStatistics().measure(rows(*conversations), {}, 0).column_names
    assert TextStatistics(tokenizer=tiny_model).measure(rows(), {}, 0).schema == table.schema


def test_a_directory_without_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no usable tokenizer"):
        TextStatistics(tokenizer=tmp_path).measure(rows([("user", "a")]), {}, 0)
