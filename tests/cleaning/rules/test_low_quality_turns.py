"""Exchanges in which nothing was answered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cleaning import batch_of


def talk(*turns: str) -> dict[str, Any]:
    return {"conversations": [{"from": "gpt" if i % 2 else "human", "value": t} for i, t in enumerate(turns)]}


def after(row: dict[str, Any], **parameters: Any) -> list[str]:
    rule = {"rule": "low_quality_turns", **parameters}
    found: list[str] = batch_of([talk("问", "答"), row], "sharegpt", rule).texts["text"].to_list()
    assert found[:2] == ["问", "答"]
    return found[2:]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        " \n ",
        "Network error",
        "network error.",
        "Unable to load conversation 1234",
        "Something went wrong. If this issue persists please contact us through our help center at help.example.com.",
        "An error occurred. If this issue persists please contact us.",
        "Regenerate response",
        "网络错误，请重试。",
        "服务器繁忙，请稍后再试",
        "重新生成回答",
    ],
)
def test_both_texts_of_the_exchange_are_emptied(answer: str) -> None:
    assert after(talk("一 `code`", answer, "二", "好的回答。")) == ["", "", "二", "好的回答。"]


@pytest.mark.parametrize(
    "answer",
    [
        "A network error means that your computer cannot reach the server.",
        "网络错误通常由以下原因引起：\n1. 网线松动\n2. 路由器故障",
        "Error 404 means that the page was not found.",
        "To regenerate the response, press the button.",
        "好",
        "I'm sorry, but I can't help with that.",
        "```\nNetwork error\n```",
    ],
)
def test_answers_about_errors_stay(answer: str) -> None:
    assert after(talk("一", answer, "二", "三")) == ["一", answer, "二", "三"]


def test_what_users_write_is_never_judged() -> None:
    assert after(talk("network error", "你遇到了网络错误吗？", "try again", "好的。"))[0] == "network error"


def test_own_patterns() -> None:
    row = talk("一", "作为一个模型，我不能回答。", "二", "好的。")
    assert after(row, pattern="作为一个模型.*") == ["", "", "二", "好的。"]
    assert after(row, pattern="作为一个") == ["一", "作为一个模型，我不能回答。", "二", "好的。"]


def test_documents_stay() -> None:
    assert batch_of([{"text": "Network error"}], "document", "low_quality_turns").texts["text"][0] == "Network error"
