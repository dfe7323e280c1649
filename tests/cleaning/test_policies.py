"""Every shipped policy: a row of its source that must pass, with dirt that must go, and one that must fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, get_args

import polars as pl
import pytest

from cleaning.batch import apply_policy, read_texts
from cleaning.policy import POLICIES, find_policy, load_policy
from cleaning.rules import Rule
from utils.data.formats import format_named
from utils.data.reading import RawRow
from utils.errors import UserError

PLACES = [
    *map(
        "".join,
        zip(
            *[iter("河边山脚老街码头车站村口茶园竹林湖心海滩古镇寺庙果园草原沙丘雪地峡谷灯塔花市书店")] * 2, strict=True
        ),
    )
]
THINGS = ["一座石桥", "几棵银杏", "两排瓦房", "一口老井", "满墙青藤", "一群白鹭", "许多游客", "三只小狗", "一场细雨"]
ZH = [
    f"清晨我们从{place}出发，沿着小路慢慢走，先看到了{thing}，又遇见了当地的老人。"
    for place in PLACES
    for thing in THINGS
]
EN = [
    f"In the {season} we walked to the {place} and talked with the people who had lived there for many years."
    for season in ("spring", "summer", "autumn", "winter")
    for place in ("river", "old bridge", "harbour", "mill", "market", "castle", "garden", "forest")
]
CELLS = [place + kind for kind in ("客栈", "饭馆", "渡口", "学校", "医院", "邮局", "戏台") for place in PLACES]
LIST = "，".join(CELLS)
MENU = " ".join(CELLS)
CONTENTS = "\n".join(f"第{number}章 故事" for number in range(1, 60))
MAIL = ("，联系 zhang.san@mail-demo.cn 可得", "zhang.san@")
LINK = ("，详见 https://www.news-demo.cn/a/1.html 。", "https://")
MARKUP = ('<p class="x">本页由编辑整理。</p>', "<p class")
HIDDEN = ("零\u200b宽字符在这里。", "\u200b")


def zh(size: int, start: int = 0) -> str:
    """Return clean Chinese prose of at least so many characters."""
    text = ""
    for sentence in ZH[start:]:
        if len(text) >= size:
            return text
        text += sentence
    raise AssertionError("not so much prose")


def en(size: int) -> str:
    text = ""
    while len(text) < size:
        text += EN[len(text) // len(EN[0]) % len(EN)] + " "
    return text.strip()


def mixed(size: int) -> str:
    """Return Chinese prose with a letter behind each character."""
    letters = "qwertyuiopasdfghjklzxcvbnm"
    return "".join(c + letters[i % 26] for i, c in enumerate(zh(size)) if c not in "，。")


class Source(NamedTuple):
    """A row that passes, what is in it that must be gone, and rows that fail with their first reason."""

    passes: dict[str, Any]
    gone: tuple[str, ...]
    fails: tuple[tuple[str, dict[str, Any]], ...]
    fmt: str = "document"
    has: tuple[str, ...] = ()


def page(size: int, *dirt: tuple[str, str], fails: tuple[tuple[str, dict[str, Any]], ...] = (), **more: Any) -> Source:
    """Return a Chinese page: prose of so many characters around dirt; one of half the size is too short."""
    has = more.pop("has", ())
    text = zh(size) + "".join(text for text, _ in (*dirt, MAIL, LINK, MARKUP, HIDDEN)) + zh(40, 100)
    short = ("minimum_length", {**more, "content": zh(1)[: size // 2]})
    return Source(
        {**more, "content": text}, tuple(g for _, g in (*dirt, MAIL, LINK, MARKUP, HIDDEN)), (*fails, short), has=has
    )


def row(text: str, **more: Any) -> dict[str, Any]:
    return {**more, "content": text}


SPAM = zh(300) + "网上真人赌场，六合彩特码，代开发票，" + "代开各类发票。" + zh(300, 50)
WECHAT_FAILS = (
    ("mixed_scripts", row(mixed(300))),
    ("sentence_marks", row(MENU)),
    ("blacklist", row(SPAM)),
)
REPEATED = ("好的好的知道了好的好的知道了好的好的知道了好的好的知道了。", "知道了好的好的知道了好的好的知道了")
FIGURES = ("title", row(LIST, title="全国疫情最新情况通报"))
TAIL = "然后我们就"


def wechat(*fails: tuple[str, dict[str, Any]], edges: bool = True) -> Source:
    head, tail = ("点击上方蓝字关注我们！", "长按二维码关注公众号，") if edges else ("", "")
    text = head + zh(400) + REPEATED[0] + MAIL[0] + LINK[0] + MARKUP[0] + zh(60, 100) + tail + TAIL
    gone = (REPEATED[1], MAIL[1], "https://", "<p class", TAIL, *(("蓝字", "二维码") if edges else ()))
    return Source(row(text, title="标题"), gone, (*WECHAT_FAILS, *fails, ("minimum_length", row(zh(60)))))


CHAT = {
    "conversations": [
        {"from": "human", "value": "写一段代码"},
        {"from": "gpt", "value": "<p>好的：</p><pre><code>print(1)</code></pre>"},
        {"from": "human", "value": "再来"},
        {"from": "gpt", "value": "Network error"},
    ]
}
NO_ANSWER = {"conversations": [{"from": "human", "value": "问"}, {"from": "gpt", "value": "Network error"}]}
ENGLISH = Source(
    row(
        "<p>" + en(500) + "</p> Write to john.smith@mail-demo.org or see https://news-demo.org/a?b=1 . "
        "![a picture](https://news-demo.org/a.png)\u200b"
    ),
    ("<p>", "john.smith@", "https://", "![", "\u200b"),
    (
        ("language", row("La ville de Paris est la capitale de la France et compte deux millions d'habitants. " * 8)),
        (
            "sentence_marks",
            row("home news sport finance travel health science culture weather video and the for " * 12),
        ),
        ("minimum_length", row(en(100)[:90])),
    ),
)
FEW = {"likes": 3, "collects": 2, "shares": "1", "comments": 4}
MANY = {"likes": "1.2万", "collects": 20, "shares": 3, "comments": 9}
NOTE = (("engagement", row(zh(300), **FEW)), ("blacklist", row(SPAM, **MANY)))
FACTS = {"title": "石桥镇", "abstract": "一座古镇。", "infobox": {"面积": "12 平方公里", "电话": "13800138000"}}
ENCYCLOPAEDIA = ("encyclopaedia", row(zh(700), dataType="百科", title="标题"))
WUDAO = {"title": "游记一篇", "dataType": "博客"}
REFERENCES = ("\n参考文献：\n[1] 张三. 某书. 某出版社, 2001.\n[2] 李四. 某文. 某刊, 2002.\n\n", "某出版社")
BENCHMARK = page(100, fails=(("language", row("Быстрая лиса прыгает через ленивую собаку. " * 5)),))
BENCHMARK = BENCHMARK._replace(fails=(*BENCHMARK.fails[:1], ("minimum_length", row("短。"))))

SOURCES: dict[str, Source] = {
    "common-zh": page(300)._replace(fails=()),
    "default-zh": page(200, REPEATED, fails=(("language", row("Быстрая лиса прыгает через собаку. " * 9)),)),
    "default-en": ENGLISH,
    "default-instruction": Source(
        {"instruction": "写\u200b信", "input": "", "output": "好。\n\n\n\n<b>见</b> `<b>` 或 zhang@mail-demo.cn"},
        ("\u200b", "\n\n\n", "<b>见", "zhang@"),
        (("minimum_length", {"instruction": "写信", "input": "", "output": " \n"}),),
        "alpaca",
        ("`<b>`",),
    ),
    "web-document": page(
        300,
        REPEATED,
        fails=(
            ("language", row("Быстрая лиса прыгает через ленивую собаку. " * 9)),
            ("table_page", row("\n".join(CELLS))),
            ("chapter_text", row(CONTENTS.replace("\n", "。\n"))),
            ("blacklist", row(SPAM)),
        ),
    ),
    "sharegpt": Source(CHAT, ("Network", "<p>", "<pre>"), (("minimum_length", NO_ANSWER),), "sharegpt", ("print(1)",)),
    "wechat": wechat(FIGURES),
    "baidu-weixin": wechat(("toxic", row(zh(400) + "这里有六合彩的消息。"))),
    "ttxw": wechat(),
    "xinhuawang": wechat(),
    "mafengwo": wechat(FIGURES, edges=False),
    "douban-comments": wechat(FIGURES, edges=False),
    "sina_iask": Source(
        {"instruction": "电脑开不了机怎么办", "input": "", "output": zh(200) + MAIL[0] + "。"},
        (MAIL[1],),
        (
            ("minimum_length", {"instruction": "怎么办", "input": "", "output": "重启就好了。"}),
            ("blacklist", {"instruction": "怎么办", "input": "", "output": SPAM}),
        ),
        "alpaca",
        ("怎么办？",),
    ),
    "donews": page(200, fails=(("sentence_marks", row(MENU)),)),
    "e-book2": page(400, fails=(("sentence_marks", row(MENU)),)),
    "e-txt": page(4000, fails=(("sentence_marks", row(MENU * 6)),)),
    "shhpc": page(400, REPEATED, fails=WECHAT_FAILS[:2]),
    "medical_treatment": page(
        200,
        ("是吗？", "是吗"),
        ("![图](https://img-demo.cn/a.png)", "!["),
        fails=(
            ("language", row(en(400))),
            ("common_characters", row("嫋嫕嫖嫗嫚嫛嫜嫞嫟嫢嫣嫤嫥嫨嫧嫪嫫嫬嫭嫮，" * 12)),
            ("table_page", row(LIST)),
        ),
    ),
    "wanjuan": page(600, REPEATED, fails=(("table_page", row(LIST)),)),
    "en_wanjuan": ENGLISH,
    "wiki": page(
        300,
        ("，他开创了王国 pp=62–63。", "pp="),
        ("說這裏的語言與歷史，對於後來學習漢語的人們來說，這樣的經驗實際上還沒有什麼價值。", "語"),
        fails=(("chapter_text", row(CONTENTS)), ("table_page", row("\n".join(CELLS)))),
    ),
    "wudao": page(400, REFERENCES, fails=(ENCYCLOPAEDIA, ("blacklist", row(SPAM))), has=("# 游记一篇\n",), **WUDAO),
    "kindle": page(700, REFERENCES, fails=(ENCYCLOPAEDIA, ("chapter_text", row(CONTENTS * 3))), **WUDAO),
    "mnbvc": page(400, REFERENCES, fails=(ENCYCLOPAEDIA, ("chapter_text", row(CONTENTS))), **WUDAO),
    "baidubaike": page(600, has=("# 石桥镇\n\n一座古镇。\n\n| 属性 | 值 |", "| 电话 | <phone> |"), **FACTS),
    "baidu_jingyan": page(150),
    "jdProduct": page(150),
    "baidu_search_product": page(400, REPEATED),
    "xhs": page(200, ("今天也要加油😀！", "😀"), fails=NOTE, **MANY),
    "baidu_xhs": page(200, ("今天也要加油😀！", "😀"), fails=NOTE, **MANY),
    "zdm": page(200, ("\n点赞12 收藏3 评论4\n", "收藏3"), fails=(("language", row(en(400))),)),
    "benchmark": BENCHMARK,
    "benchmark-full": BENCHMARK._replace(fails=(*BENCHMARK.fails, ("blacklist", row(SPAM)))),
}


def cleaned(name: str, rows: list[dict[str, Any]], fmt: str) -> tuple[list[str], list[list[str]]]:
    """Return each row's texts joined, and its reasons."""
    raws = [RawRow(number, 0, b"{}", row, None) for number, row in enumerate(rows)]
    batch = apply_policy(read_texts(raws, format_named(fmt)), load_policy(find_policy(name)).rules)
    texts = batch.texts.group_by("row", maintain_order=True).agg(pl.col("text").str.join("\n"))["text"].to_list()
    reasons = [
        batch.values.filter((pl.col("row") == number) & pl.col("drop"))["rule"].to_list() for number in range(len(rows))
    ]
    return texts, reasons


def test_every_policy_has_its_rows_here() -> None:
    assert {path.stem for path in POLICIES.glob("*.yaml")} == set(SOURCES)
    for name in SOURCES:
        policy = load_policy(find_policy(name))
        assert policy.description
        assert len({rule.reason for rule in policy.rules}) == len(policy.rules), "a reason names two rules"


def test_the_documentation_names_every_policy_and_every_rule() -> None:
    text = (POLICIES.parents[2] / "docs" / "CLEANING.md").read_text(encoding="utf-8")
    rules = [kind.model_fields["rule"].default for kind in get_args(get_args(Rule)[0])]
    assert not [name for name in [*SOURCES, *rules] if f"`{name}`" not in text]


@pytest.mark.parametrize("name", SOURCES)
def test_a_good_row_passes_without_its_dirt(name: str) -> None:
    source = SOURCES[name]
    (text,), (reasons,) = cleaned(name, [source.passes], source.fmt)
    assert not reasons
    assert not [dirt for dirt in source.gone if dirt in text], text
    assert all(kept in text for kept in source.has), text


@pytest.mark.parametrize(("name", "reason"), [(name, reason) for name, s in SOURCES.items() for reason, _ in s.fails])
def test_a_bad_row_fails_with_its_reason(name: str, reason: str) -> None:
    source = SOURCES[name]
    bad = dict(source.fails)[reason]
    _, (reasons,) = cleaned(name, [bad], source.fmt)
    assert reason in reasons


@pytest.mark.parametrize("name", SOURCES)
def test_what_a_policy_cleaned_it_leaves_alone(name: str) -> None:
    """But for the cut of whole books, which cuts again."""
    if name == "e-txt":
        pytest.skip("head_tail_cut")
    source = SOURCES[name]
    if source.fmt != "document":
        pytest.skip("rows of several texts")
    (once,), _ = cleaned(name, [source.passes], source.fmt)
    (twice,), _ = cleaned(name, [{**source.passes, "content": once}], source.fmt)
    assert twice == once


def policy_file(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_extending_leaves_out_puts_before_replaces_and_appends(tmp_path: Path) -> None:
    base = policy_file(tmp_path, "base", "rules:\n- rule: html\n- rule: blank_lines\n- rule: minimum_length\n")
    mine = policy_file(
        tmp_path,
        "mine",
        f"extends: {base}\nwithout: [html]\nbefore:\n  blank_lines:\n  - rule: url\n"
        "rules:\n- rule: minimum_length\n  characters: 9\n- rule: language\n",
    )
    policy = load_policy(mine)
    assert [rule.reason for rule in policy.rules] == ["url", "blank_lines", "minimum_length", "language"]
    assert policy.rules[2].characters == 9  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: default-zhh\n", "nearest: default-zh"),
        ("extends: default-zh\nwithout: [htm]\n", "no rule 'htm'.*nearest: html"),
        ("extends: default-zh\nbefore:\n  nothing:\n  - rule: url\n", "no rule 'nothing'"),
        ("without: [html]\n", "need extends"),
        ("extends: default-zh\nrules:\n- rule: url\n- rule: url\n", "two rules of one name"),
    ],
)
def test_what_cannot_be_extended_is_said(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        load_policy(policy_file(tmp_path, "mine", text))


def test_a_circle_is_refused(tmp_path: Path) -> None:
    first = policy_file(tmp_path, "first", f"extends: {tmp_path / 'second.yaml'}\n")
    policy_file(tmp_path, "second", f"extends: {first}\n")
    with pytest.raises(UserError, match="extends what extends it"):
        load_policy(first)
