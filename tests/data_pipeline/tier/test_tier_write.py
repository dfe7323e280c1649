"""Every format that a tier is written in is read again as the same conversation, under the same id."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from data_pipeline.tier.config import WrittenFormat
from data_pipeline.tier.write import WRITERS
from utils.data.formats import detect, format_named
from utils.data.records import from_dicts
from utils.data.rows import row_id

ASKED, ANSWERED = {"role": "user", "content": "问\n题"}, {"role": "assistant", "content": "答"}
SYSTEM, DOCUMENT = {"role": "system", "content": "s"}, {"role": "document", "content": "d"}
ID = "0123456789abcdef" * 2


def test_there_is_a_writer_for_each_name() -> None:
    assert list(WRITERS) == list(get_args(WrittenFormat))


@pytest.mark.parametrize("name", list(WRITERS))
@pytest.mark.parametrize(
    "turns", [[ASKED, ANSWERED], [ASKED, ANSWERED] * 3, [SYSTEM, ASKED, ANSWERED], [DOCUMENT], [ASKED], []]
)
def test_what_is_written_is_read_again(name: str, turns: list[dict[str, str]]) -> None:
    shaped: dict[str, Any] | None = WRITERS[name](turns)
    if shaped is None:
        assert name == "document" or turns != [ASKED, ANSWERED], "one question and its answer fit every other format"
        return
    row = {**shaped, "clean_id": ID}
    if not turns:
        assert shaped == {"messages": []} or shaped == {"conversations": []}
        return
    assert detect(row).name == name
    assert format_named(name).messages(row) == from_dicts(turns)
    assert row_id(row, format_named(name)) == ID


def test_which_formats_hold_what() -> None:
    def holding(turns: list[dict[str, str]]) -> set[str]:
        return {name for name, shaped in WRITERS.items() if shaped(turns) is not None}

    assert holding([ASKED, ANSWERED] * 2) == {"chat", "sharegpt", "data_list"}
    assert holding([SYSTEM, ASKED, ANSWERED]) == {"chat", "sharegpt"}
    assert holding([DOCUMENT]) == {"chat", "document"}
