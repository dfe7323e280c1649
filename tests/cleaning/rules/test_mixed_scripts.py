"""Chinese and Latin letters one after the other."""

from __future__ import annotations

import pytest

from tests.support.cleaning import measured

NOISE = "我a是b中c国d人e你f好g世h界i"


@pytest.mark.parametrize(
    "text",
    [
        NOISE * 6,
        "正常的开头。" + NOISE * 8,
        NOISE.upper() * 6,
        NOISE * 20 + "正常的结尾。" * 3,
        "错x误y编z码q的w字e" * 8,
    ],
)
def test_noise_is_dropped(text: str) -> None:
    value, drop = measured(text, "mixed_scripts")
    assert drop
    assert value >= 0.2


@pytest.mark.parametrize(
    "text",
    [
        "选项A、B、C、D都不对，正确答案是E。" * 5,  # noise to the original: marks counted as Chinese
        "使用 Python 和 Java 编写的 Web 服务，用 HTTP 协议通信。" * 4,
        "设点A到直线l的距离为d，圆O的半径为r，则A在圆外。" * 4,
        "今天天气很好，我们去公园散步。" * 8,
        "The quick brown fox jumps over the lazy dog. " * 4,
        "型号A1B2C3、D4E5F6，2024年3月5日发货。" * 5,
        "```\n" + NOISE * 6 + "\n```",
        "见 https://example.com/" + "a1b2" * 20,
        NOISE,  # too short to be measured
        "",
    ],
)
def test_terms_options_and_code_stay(text: str) -> None:
    assert not measured(text, "mixed_scripts")[1]


def test_the_share_is_a_number_apart_from_the_threshold() -> None:
    text = NOISE * 4 + "正常的文字在这里。" * 40
    share, drop = measured(text, "mixed_scripts")
    assert share > 0
    assert drop is (share >= 0.2)
    assert measured(text, {"rule": "mixed_scripts", "share": 0.1}) == (share, share >= 0.1)
