"""The column kernel against expressions over one text."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cleaning.tidy import tidied

BLANKS = " \t\u3000\u00a0"
PIECES = st.sampled_from(
    ["a", "中", "。", "é", "\u0080", "\u3001", "〱", "\n", "\n", "\r", "\r\n", *BLANKS, "😀", "\u2000"]
)


def plain(text: str, opens: bool, closes: bool, keep: int) -> tuple[str, int]:
    """Do the same, slowly."""
    text, count = re.subn(r"\r\n?", "\n", text)
    *lines, last = text.split("\n")
    stripped = [line.rstrip(BLANKS) for line in lines]
    count += sum(one != other for one, other in zip(lines, stripped, strict=True))
    text, runs = re.subn("\n" * (keep + 2) + "\n*", "\n" * (keep + 1), "\n".join([*stripped, last]))
    count += runs
    if opens and (head := re.match(rf"(?:[{BLANKS}]*\n)+", text)):
        text, count = text[head.end() :], count + 1
    if closes and (trimmed := text.rstrip(BLANKS + "\n")) != text:
        text, count = trimmed, count + 1
    return text, count


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.lists(PIECES, max_size=14).map("".join), st.booleans(), st.booleans()), max_size=5))
@example([(" \n \n\n\na \n", True, True), ("", True, True), ("\r\r\n\r", False, False)])
@pytest.mark.parametrize("keep", [0, 1, 2])
def test_a_column_is_tidied_as_its_texts_are(keep: int, rows: list[tuple[str, bool, bool]]) -> None:
    texts, opens, closes = ([row[at] for row in rows] for at in range(3))
    found = tidied(texts, opens, closes, keep)  # type: ignore[arg-type]
    assert list(zip(*found, strict=True)) == [plain(*row, keep) for row in rows]


def test_what_is_tidy_is_the_same_object() -> None:
    text = "a\n\nb 中"
    assert tidied([text, "x "], [True, True], [True, True], 1)[0][0] is text
