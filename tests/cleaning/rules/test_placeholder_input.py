"""An input that says that there is none is emptied; nothing else is."""

from __future__ import annotations

import pytest

from tests.support.cleaning import batch_of

RULE = "placeholder_input"


def after(row: dict[str, str]) -> list[str]:
    texts: list[str] = batch_of([row], "alpaca", RULE).texts["text"].to_list()
    return texts


@pytest.mark.parametrize(
    "value",
    [
        "无输入", "‹无输入>", "<无输入>", "没有输入。", "无需输入", "不需要输入", "No input", "<noinput>",
        "\\<noinput\\>", "no input required.",
        "No Input Needed", "(No input)", "  <noinput> \n",
    ],
)  # fmt: skip
def test_it_is_emptied(value: str) -> None:
    assert after({"instruction": "Name three rivers.", "input": value, "output": "Elbe"})[1:] == ["", "Elbe"]


@pytest.mark.parametrize(
    "value", ["N/A", "不适用", "no input field has focus", "输入", "没有输入设备", "x", "无输入信号时灯灭", "0"]
)
def test_other_inputs_stay(value: str) -> None:
    assert after({"instruction": "Explain.", "input": value, "output": "It is so."})[1] == value


def test_an_instruction_or_an_answer_may_say_it() -> None:
    row = {"instruction": "No input", "input": "", "output": "<noinput>"}
    assert [text for text in after(row) if text] == ["No input", "<noinput>"]
    row = {"instruction": "What does the form say?", "input": "No input", "output": "No input"}
    assert after(row)[-1] == "No input"


def test_the_last_line_of_a_joined_prompt_goes() -> None:
    for prompt in (
        "Name three rivers.\nNo Input",
        "Name three rivers.\n\\<noinput\\>",
        "Name three rivers.\n\n无输入。",
    ):
        row = {"data": [prompt, "Elbe\nNo input"]}
        cleaned = batch_of([row], "data_list", RULE).texts["text"].to_list()
        assert [cleaned[0].rstrip(), cleaned[1]] == ["Name three rivers.", "Elbe\nNo input"]
    kept = {"data": ["No input is given.\nWhat does the form show: no input field?", "a"]}
    assert batch_of([kept], "data_list", RULE).texts["text"][0] == kept["data"][0]
