"""Families and lots: by content, the same for ever."""

from __future__ import annotations

import hashlib

import polars as pl
import pytest

from data_pipeline.tier.families import lots, prompt_families

TURNS = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


def family(*turns: tuple[str, str]) -> str:
    messages = [[{"role": role, "content": content} for role, content in turns]]
    return prompt_families(pl.DataFrame({"messages": messages}, schema={"messages": TURNS}))[0]


def test_a_family_is_the_hash_of_the_folded_prompt() -> None:
    expected = hashlib.blake2b("你好 world gpt".encode(), digest_size=16).hexdigest()
    assert family(("user", " 你好，World！ ＧＰＴ?"), ("assistant", "any")) == expected


def test_answer_system_and_later_turns_do_not_count() -> None:
    asked = family(("user", "q"), ("assistant", "a"))
    assert family(("system", "s"), ("user", "q"), ("assistant", "b")) == asked
    assert family(("user", "q"), ("assistant", "a"), ("user", "more"), ("assistant", "b")) == asked
    assert family(("user", "other"), ("assistant", "a")) != asked


def test_what_matters_in_a_question_stays() -> None:
    assert family(("user", "1 + 1")) != family(("user", "1 + 2"))
    assert family(("user", "1 + 1")) != family(("user", "1 = 1"))


def test_texts_without_prompt_are_their_own_family() -> None:
    assert family(("document", "一")) != family(("document", "二"))
    assert family(("user", "?!"), ("assistant", "a")) != family(("user", "..."), ("assistant", "a"))
    assert family(("assistant", "a")) != family(("assistant", "b"))


def test_a_lot_is_the_first_53_bits_of_the_hash() -> None:
    digest = hashlib.blake2b(b"7:held_out:key", digest_size=8).digest()
    expected = (int.from_bytes(digest, "big") >> 11) / 2**53
    assert lots(pl.Series(["key"]), 7, "held_out").to_list() == [expected]


def test_lots_are_even_and_differ_by_purpose_and_seed() -> None:
    keys = pl.Series([str(number) for number in range(4000)])
    drawn = lots(keys, 1, "a")
    assert drawn.min() >= 0 and drawn.max() < 1
    assert (drawn < 0.25).mean() == pytest.approx(0.25, abs=0.03)
    assert drawn.to_list() != lots(keys, 1, "b").to_list()
    assert drawn.to_list() != lots(keys, 2, "a").to_list()
