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


SPELT_OTHERWISE = [
    ("电话：１３８００１３８０００", "电话：<phone>"),
    ("手机号 １３８－００１３－８０００。", "手机号 <phone>。"),
    ("身份证１１０１０５１９４９１２３１００２Ｘ", "身份证<cn_id>"),
    ("卡号：４１１１１１１１１１１１１１１１", "卡号：<bank_card>"),
    ("Phone: ２１２５５５０１８８", "Phone: <phone>"),
    ("邮箱 zhang３＠foo.com", "邮箱 <email>"),
    ("电话=13800138000", "电话=<phone>"),
    ("phone=13800138000&x=1", "phone=<phone>&x=1"),
    ("电话#13800138000", "电话#<phone>"),
    ("phone #212-555-0188", "phone #<phone>"),
    ("phone: 2125550188", "phone: <phone>"),
    ("Phone number: 2125550188.", "Phone number: <phone>."),
    ("phone 212.555.0188", "phone <phone>"),
    ("call 212 555 0188 now", "call <phone> now"),
    ("座机 010 12345678", "座机 <phone>"),
    ("电话01012345678", "电话<phone>"),
    ("tel 010 12345678", "tel <phone>"),
    ("Tel: 075512345678", "Tel: <phone>"),
    ("13812345678个人电话", "<phone>个人电话"),
    ("13812345678年底前有效", "<phone>年底前有效"),
    ("联系13812345678元老王", "联系<phone>元老王"),
    ("联系13812345678米其林", "联系<phone>米其林"),
    ("微信号码：abc123", "微信号码：<wechat_id>"),
    ("微信（abc123）", "微信（<wechat_id>）"),
    ("微信号「abc_123」", "微信号「<wechat_id>」"),
    ("V信 abc123", "V信 <wechat_id>"),
    ("微信(li_si88)", "微信(<wechat_id>)"),
    ("WeChat (li_si88)", "WeChat (<wechat_id>)"),
    ("QQ号码为：123456", "QQ号码为：<qq>"),
    ("QQ（123456）", "QQ（<qq>）"),
    ("QQ (1234567)", "QQ (<qq>)"),
    ("qq号是：123456789", "qq号是：<qq>"),
    ("QQ=123456", "QQ=<qq>"),
    ("110101 19900307 7715", "<cn_id>"),
    ("身份证 110101-19900307-7715。", "身份证 <cn_id>。"),
    ("ID 110101 1990 0307 7715", "ID <cn_id>"),
    ("4111-1111-1111-1111", "<bank_card>"),
    ("card 4111111111111111", "card <bank_card>"),
    ("4111111111111111（招商银行）", "<bank_card>（招商银行）"),
    ("税号 91350100m000100y43", "税号 <credit_code>"),
    ("_a@foo.com", "<email>"),
    ("x@foo.com:8080", "<email>:8080"),
    ("写信到-li@foo.com", "写信到-<email>"),
    ("root@203.1.113.5", "root@<ip>"),
    ("ssh root@36.7.100.5 -p 22", "ssh root@<ip> -p 22"),
    ("IP:36.7.100.5", "IP:<ip>"),
    ("36.7.100.5:8080", "<ip>:8080"),
    ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.abc123XYZ", "Authorization: Bearer <api_key>"),
    ("Bearer 8f7d6e5c4b3a2f1e0d9c8b7a6f5e4d3c", "Bearer <api_key>"),
    ("api_key=a8Fk39dLs02mXq71Zp4T", "api_key=<api_key>"),
    ("api-key: a8Fk39dLs02mXq71Zp4T", "api-key: <api_key>"),
    ('"token": "a8Fk39dLs02mXq71Zp4T"', '"token": "<api_key>"'),
    ("token=a8Fk39dLs02mXq71Zp4T", "token=<api_key>"),
    ("client_secret: a8Fk39dLs02mXq71Zp4T", "client_secret: <api_key>"),
    ("LTAI4GFk39dLs02mXq71Zp4T", "<api_key>"),
    (
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1c7+9z5Pad7Oejecs\n-----END RSA PRIVATE KEY-----",
        "<api_key>",
    ),
    ('{"phone": "13812345678"}', '{"phone": "<phone>"}'),
    ('{"phone": 13812345678}', '{"phone": <phone>}'),
    ('{"phones": ["13812345678", "13912345679"]}', '{"phones": ["<phone>", "<phone>"]}'),
    ("李华(13812345678)", "李华(<phone>)"),
    ("李华（13812345678）", "李华（<phone>）"),
    ("张三,13812345678,北京", "张三,<phone>,北京"),
    ("张三/13812345678/北京", "张三/<phone>/北京"),
    ("Li Hua (13812345678)", "Li Hua (<phone>)"),
    ("【13812345678】", "【<phone>】"),
    ("姓名：李四，13812345678，北京", "姓名：李四，<phone>，北京"),
    ("订购电话：13812345678", "订购电话：<phone>"),
    ("手机号13812345678次日发货", "手机号<phone>次日发货"),
    ("tel:13812345678", "tel:<phone>"),
    ("138 1234 5678", "<phone>"),
    ("mobile 138.1234.5678", "mobile <phone>"),
    ("0571-88888888 或 010 6543 2100", "<phone> 或 <phone>"),
    ("(415) 555-0132", "<phone>"),
    ("183.21.133.44 - - [10/Oct/2023:13:55:36]", "<ip> - - [10/Oct/2023:13:55:36]"),
]

LOOK_ALIKES = [
    "010 1010 1010",
    "binary 010-110-1011",
    "400 800 1600",
    "长度 200-300-4000",
    "(100) 200-3000",
    '{"n": 13812345678}',
    "[13812345678, 13912345679]",
    "f(13812345678)",
    "print(13812345678)",
    "f(x, 13812345678)",
    "OpenSSL 1.0.2.30",
    "表1.30.40.50",
    "比例 20.30.40.50",
    "lodash@4.17.21.tgz",
    "npm i left-pad@1.3.0.tgz",
    "icon@2x.png",
    "logo@3x.jpeg",
    "Sum of 4000000000000002",
    "4111111111111111",
    "x 4000000000000002 y",
    "11010119900307771X",
    "110101 19900307 7716",
    "91350100m000100y44",
    "微信（WeChat）",
    "微信（Android版）",
    "微信(WeChat8.0)",
    "QQ（2023）",
    "V信 iphone13",
    "微信 Windows11 版",
    "bearer of bad news and other stories",
    "Bearer YOUR_ACCESS_TOKEN_GOES_HERE",
    "api_key=your_api_key_goes_here_1234",
    "token: internationalization",
    "token=xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "secret: abcdefghijklmnopqrstuvwxyz",
    "13812345678年",
    "宇宙年龄 13800000000年",
    "13812345678个",
    "13812345678 元",
    "人口 13812345678 人",
    "手机销售额达13812345678元",
    "电话费13812345678元",
    "x=13812345678",
    "#13812345678",
    "n = [13812345678]",
    "sorted([13812345678, 13912345679, 15012345678])",
    '{"id": 13812345678, "count": 15912345678}',
    "[\n  13812345678,\n  13912345679\n]",
    "2125550188",
    "212.555.0188",
    "01012345678",
    "010 12345678",
    "postgres://user:pw@db.foo.com:5432/x",
    "0.36.7.8",
    "Flash 11.2.202.235",
    "pi 3.1415926",
    "100-200-3000",
    "200-300-4000",
    "1.2.3.4",
    "192.168.1.1:8080",
    "2020-2021 2022-2023",
    "12345678901234567890",
    "１２３４５６７８",
    "１３８００１３８０００元",
    "第１３８００１３８０００号",
    "https://pw:x@foo.com/",
    "user@1.2.zip",
    "范围 212-555-3000",
    "4000 0000 0000 0002 4000 0000 0000 0002",
    "1990-03-07 110101",
]


@pytest.mark.parametrize(("before", "after"), CHANGES + SPELT_OTHERWISE)
def test_personal_data_becomes_its_kind(before: str, after: str) -> None:
    assert clean(before, "personal_data") == after
    assert clean(after, "personal_data") == after


@pytest.mark.parametrize("text", KEEPS + LOOK_ALIKES)
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
    "piece",
    [
        "a@b.",
        "1380",
        "1 ",
        "(010)",
        "微信号：",
        "qq",
        "eyJa.",
        "sk-",
        "1.2.3.",
        "+1 ",
        "6222 ",
        "[13800138000, ",
        "token=a1",
        "-----BEGIN PRIVATE KEY-----\n",
        "f(x, 13800138000",
        "：１３８００１３８０００",
        "微信（a",
        "Bearer a1",
    ],
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
