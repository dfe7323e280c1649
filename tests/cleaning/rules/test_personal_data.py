"""Personal data by kind: what becomes a placeholder, what only looks like it, and the check digits behind it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.personal.check_digits import is_card_of_known_issuer, is_cn_id, is_credit_code, is_old_cn_id, passes_luhn
from cleaning.rules.personal_data import PersonalData
from tests.support.cleaning import batch_of, clean

CHANGES = [
    ("write to a.b+c@mail-demo.co.uk.", "write to <email>."),
    ("邮箱zhang_3@163.com，请发", "邮箱<email>，请发"),
    ("[x@y-demo.org](mailto:x@y-demo.org)", "[<email>](mailto:<email>)"),
    ("身份证11010519491231002X。", "身份证<cn_id>。"),
    ("ID 11010519491231002x is", "ID <cn_id> is"),
    ("身份证号：110105491231002", "身份证号：<cn_id>"),
    ("电话：13800138000，谢谢", "电话：<phone>，谢谢"),
    ("+86 138-0013-8000", "<phone>"),
    ("(+86)13800138000", "<phone>"),
    ("- 13800138000\n- 13900139000", "- <phone>\n- <phone>"),
    ("13800138000/13900139000,13700137000", "<phone>/<phone>,<phone>"),
    ("<p>13800138000</p>", "<p><phone></p>"),
    ("010-12345678 或 (021)6543-2100", "<phone> 或 <phone>"),
    ("（021）65432100转801", "（021）65432100转801".replace("（021）65432100转801", "<phone>")),
    ("客服 400-820-8820", "客服 <phone>"),
    ("+1 (415) 555-0132 / 212-555-0143", "<phone> / <phone>"),
    ("Ring +44 20 7946 0958", "Ring <phone>"),
    ("卡号 4111 1111 1111 1111", "卡号 <bank_card>"),
    ("6228480402564890018", "<bank_card>"),
    ("Amex 3782 822463 10005", "Amex <bank_card>"),
    ("代码 91350100M000100Y43。", "代码 <credit_code>。"),
    ("服务器 202.96.128.86 宕机", "服务器 <ip> 宕机"),
    ("http://123.45.67.89:8080/x", "http://<ip>:8080/x"),
    ("微信号：abc_12345", "微信号：<wechat_id>"),
    ("wx: zhangsan88 或 VX：li-si2000", "wx: <wechat_id> 或 VX：<wechat_id>"),
    ("加微信li_si2000领取", "加微信<wechat_id>领取"),
    ("WeChat ID: jane_doe", "WeChat ID: <wechat_id>"),
    ("QQ：12345678，QQ群 987654321", "QQ：<qq>，QQ群 <qq>"),
    ("QQ：13800138000", "QQ：<qq>"),
    ("key AKIAIOSFODNN7EXAMPLE", "key <api_key>"),
    ("sk-proj-abcd1234EFGH5678ijkl9012mnop", "<api_key>"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "<api_key>"),
    ("| 张三 | 13800138000 |\n|---|---|\n| a | b |", "| 张三 | <phone> |\n|---|---|\n| a | b |"),
]

KEEPS = [
    "3.14159265358979",
    "0.13800138000",
    "110105194912310021",  # the check digit is X
    "11010519491331002X",  # no thirteenth month
    "110105491231002",  # fifteen digits without a word
    "91350100M000100Y44",
    "4111 1111 1111 1112",
    "订单号 1380013800012 共 2 件",
    "订单号：13800138000",
    "订单编号4111111111111111",
    "13800138000 + 1",
    "x = 13800138000",
    "计算 13800138000 × 2 的值",
    "13800138000元",
    "13,800,138,000",
    "2147483647 和 9223372036854775807",
    "数列 0333 1800 1640 0816 5960 5056",
    "2023-10-12 12:30:45",
    "978-7-111-12345-6",
    "拨打 1-800-273-8255",
    "v1.2.3.4，version 10.20.30.40",
    "127.0.0.1、0.0.0.0、192.168.1.1、10.1.2.3、203.0.113.9、255.255.255.0、8.8.8.8",
    "999.1.2.300",
    "3.2.1.4 数据库设计",
    "QQ飞车 2019 与 QQ 版本",
    "Q: 12345 + 678 = ?",
    "WeChat: available on iOS",
    "微信Android版本",
    'wx:for-index="x"',
    "[V:Chorus] la la",
    "sk-learn-contrib-package-name",
    "sk-xxxxxxxxxxxxxxxxxxxxxxxx",
    "a@example.com, b@mail.test, c@x.example.org, d@x.invalid, e@localhost",
    "git@github.com:someone/thing.git",
    "@property def a(self)",
    "`a@b.com` 与 $13800138000$",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_personal_data_becomes_its_kind(before: str, after: str) -> None:
    assert clean(before, "personal_data") == after
    assert clean(after, "personal_data") == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert clean(text, "personal_data") == text


def test_documentation_addresses_go_on_request() -> None:
    assert clean("a@example.com", {"rule": "personal_data", "documentation": True}) == "<email>"


def test_changes_are_counted_by_kind_and_unchosen_kinds_stay() -> None:
    row = {"text": "a@b-demo.cn 13800138000 13900139000 QQ：12345678"}
    batch = batch_of([row], "document", {"rule": "personal_data", "kinds": ["email", "phone"]})
    assert batch.kinds == {("personal_data", "email"): 1, ("personal_data", "phone"): 2}
    assert batch.texts["text"].to_list() == ["<email> <phone> <phone> QQ：12345678"]


def test_check_digits_of_published_examples() -> None:
    assert is_cn_id("11010519491231002X")  # GB 11643-1999, annex A
    assert is_credit_code("91350100M000100Y43")  # GB 32100-2015, annex
    for number in ("79927398713", "4111111111111111", "378282246310005", "5555555555554444", "6011111111111117"):
        assert passes_luhn(number)  # Wikipedia's example of the formula; test numbers of card issuers
    assert is_card_of_known_issuer("5555555555554444") and not is_card_of_known_issuer("79927398713")
    assert is_old_cn_id("110105491231002") and not is_old_cn_id("110105491331002")


@given(st.from_regex(r"[1-6][1-5]0105(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])[0-9]{3}", fullmatch=True))
def test_one_of_eleven_check_digits_is_right(first: str) -> None:
    """ISO 7064 MOD 11-2, straight from its definition: the sum of digits times powers of two is 1 modulo 11."""
    right = [c for c in "0123456789X" if is_cn_id(first + c)]
    powers = [pow(2, 17 - at, 11) for at in range(18)]
    by_definition = [
        c
        for c in "0123456789X"
        if sum(p * (10 if d == "X" else int(d)) for p, d in zip(powers, first + c, strict=True)) % 11 == 1
    ]
    assert right in (by_definition, [])  # [] where the first two digits are of no province


@given(st.text("0123456789", min_size=8, max_size=18))
def test_luhn_accepts_one_last_digit_of_ten_and_sees_every_single_change(number: str) -> None:
    right = [c for c in "0123456789" if passes_luhn(number + c)]
    assert len(right) == 1
    whole = number + right[0]
    assert not any(
        passes_luhn(whole[:at] + c + whole[at + 1 :])
        for at in range(len(whole))
        for c in "0123456789"
        if c != whole[at]
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([*"0123456789 .+-*/=×()，元", "1380", "0013", "8000"]), max_size=30).map("".join))
def test_decimals_and_calculations_keep_their_digits(text: str) -> None:
    sums = f"{text}=0.{text}"
    kept = PersonalData(kinds=("email", "wechat_id", "api_key", "qq"))
    assert clean(sums, kept.model_dump()) == sums


@pytest.mark.parametrize(
    "piece", ["a@b.", "1380", "1 ", "(010)", "微信号：", "qq", "eyJa.", "sk-", "1.2.3.", "+1 ", "6222 "]
)
def test_long_hostile_texts_are_quick(piece: str) -> None:
    clean(piece * 20_000, "personal_data")


@pytest.mark.parametrize(
    "text",
    [
        "Round 15912345678 to the nearest million.",
        "把15912345678四舍五入到亿位",
        "计算 13812345678 除以 3",
        "The population is 15912345678 people",
        "sort 13812345678 13912345678 in ascending order",
        "总数为13812345678",
        "质数13812345679是",
        "Is 4111111111111111 divisible by 3?",
    ],
)
def test_numbers_that_are_reckoned_with_stay(text: str) -> None:
    assert clean(text, "personal_data") == text


def test_a_number_that_is_said_to_be_a_telephone_goes_whatever_stands_beside_it() -> None:
    assert clean("排序后的手机号码：13812345678", "personal_data") == "排序后的手机号码：<phone>"
