"""The same language for one text and for a column."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.data.language import language_column, language_of


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("", "und"),
        ("123 ，。!?", "und"),
        ("Hello world", "en"),
        ("你好，世界", "zh"),
        ("使用Python的pandas库处理数据", "zh"),
        ("Please translate 你好 into English for me", "en"),
        ("こんにちは、世界の皆さん", "other"),
        ("Привет, мир", "other"),
        ("안녕하세요", "other"),
        ("求α+β的值，其中α=1，请写出完整的解题过程", "zh"),
        ("𠀀𠀁", "zh"),
    ],
)
def test_examples(text, lang):
    assert language_of(text) == lang


letters = st.text(alphabet=st.sampled_from("aZ你好か한яαé １Ａ·・ー×÷\u1d00\u1e00\u2000\U00020000,9"), max_size=20)


@given(st.lists(letters | st.text(st.characters(exclude_categories=["Cs"])), max_size=8))
def test_column_equals_function(texts):
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    assert frame.select(language_column(pl.col("text"))).to_series().to_list() == [language_of(t) for t in texts]
