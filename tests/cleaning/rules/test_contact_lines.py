"""Lines that ask to get in touch go, questions and sentences stay."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "contact_lines"

CHANGES = [
    ("微信号：abc_12345（长按复制）\n正文", "正文"),
    ("加微信 <wechat_id> 领取资料\n正文", "正文"),
    ("正文\nQQ群：123456789", "正文\n"),
    ("正文\n咨询热线：400-820-8820", "正文\n"),
    ("正文\n报名电话：<phone>（王老师）\n", "正文\n"),
    ("微信：<wechat_id>\n正文", "正文"),
]

KEEPS = [
    "我的微信号是什么？",
    "微信号：可以由6到20个字母组成",
    "联系电话：________",
    "我的微信号是<wechat_id>，有空联系",
    "WeChat: it is a popular app in China",
    "微信和QQ都是即时通讯软件。",
    "电话：<phone>",
    "我是一名工程师，微信小程序写过 20 个。",
    "`微信号：abc_12345`",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text


NAMES = "微信公众号 官方微信 微信 薇信 威信 V信 v信 WeChat wechat wx WX vx QQ交流群 QQ群号 QQ qq Q群 企鹅 扣扣 交流群"
MEANS = "热线 电话 微信 QQ 专线 手机 邮箱 联系方式"


@pytest.mark.parametrize("name", [*NAMES.split(), *(f"咨询{means}" for means in MEANS.split())])
def test_the_scan_finds_each_name_by_itself(name: str) -> None:
    assert clean(f"{name}：abc_12345\n正文", RULE) == "正文"
