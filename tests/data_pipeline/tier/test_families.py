"""Families and lots: by content, the same for ever."""

from __future__ import annotations

import hashlib

import polars as pl
import pytest

from data_pipeline.tier.families import folded_texts, hashed, lots, near_families, prompt_families

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


def joined(*texts: str, similarity: float = 0.7) -> list[int]:
    """Return the group of each text, numbered as they come."""
    frame = pl.DataFrame({"family": hashed(folded_texts(pl.Series(texts))), "text": folded_texts(pl.Series(texts))})
    found = near_families(frame.unique("family"), similarity)
    groups = frame.join(found, on="family", how="left", maintain_order="left")["joined"].to_list()
    return [list(dict.fromkeys(groups)).index(group) for group in groups]


ROW = "请用通俗的语言向一位中学生解释什么是光合作用以及它为什么重要"
LINE = "Explain to a student of twelve what photosynthesis is and why it matters to us"


def test_near_copies_are_one_family_in_both_languages() -> None:
    copies = [ROW, ROW.replace("一位", "一个"), ROW + "。", LINE, LINE.replace("matters", "is vital"), f"please {LINE}"]
    assert joined(*copies, "请写一首关于春天的诗", "Write a poem about spring") == [0, 0, 0, 1, 1, 1, 2, 3]


def test_another_number_is_another_family() -> None:
    asked = "How many apples are left of {} when you give three of them to your sister?"
    assert joined(asked.format(12), asked.format(13), asked.format(12).lower()) == [0, 1, 0]


def test_near_families_do_not_depend_on_order_and_are_named_by_a_member() -> None:
    frame = pl.DataFrame({"family": ["c", "a", "b"], "text": [LINE, f"{LINE} now", "something else altogether"]})
    found = near_families(frame, 0.7)
    assert found.rows() == [("a", "a"), ("b", "b"), ("c", "a")]
    assert near_families(frame.reverse(), 0.7).equals(found)
