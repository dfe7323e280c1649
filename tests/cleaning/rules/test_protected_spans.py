"""Rules × kinds of spans: what a rule protects stays byte for byte, with the rule's dirt inside and around it.

The table in docs/CLEANING.md is drawn from here; a test compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest

from cleaning.protect import CODE, MATHS, NUMBER, QUOTE, TABLE, URL, spans
from cleaning.rules import Rule
from cleaning.rules.base import EditRule
from tests.support.cleaning import batch_of

DOC = Path(__file__).resolve().parents[3] / "docs" / "CLEANING.md"
KINDS = (CODE, MATHS, TABLE, URL, NUMBER, QUOTE)

PROSE = "今天天气很好，我们去了公园。"
SHORT = "好。"


class Dirt(NamedTuple):
    """What a rule changes: on one line, inside spans; before and after them; the row and the parameters it needs."""

    inside: str
    before: str = ""
    after: str = ""
    row: dict[str, Any] = {}
    parameters: dict[str, Any] = {}


def lines(dirt: str, **more: Any) -> Dirt:
    """Return dirt that stands on a line of its own before and after the span."""
    return Dirt(dirt, f"{PROSE}\n\n{dirt}\n\n", f"\n\n{dirt}\n\n{PROSE}", **more)


def within(dirt: str, **more: Any) -> Dirt:
    """Return dirt in the middle of sentences."""
    return Dirt(dirt, f"前文{dirt}中文。\n\n", f"\n\n后文{dirt}还有。", **more)


DIRT: dict[str, Dirt] = {
    "valid_characters": within("零\u200b宽"),
    "html": within("<b>粗</b>"),
    "personal_data": within("，邮箱 zhang.san@mail-demo.cn 可用，"),
    "blank_lines": Dirt("甲 \t", "前文。  \n\n\n\n\n", "\n\n\n\n后文。 \n"),
    "mojibake": within("Ã©tÃ© dÃ©jÃ\xa0"),
    "width": within("ＡＢＣ１２３"),
    "look_alikes": within(" Pаypаl "),
    "traditional_to_simplified": within("這裏的語言與歷史"),
    "quote_style": within("「引文」"),
    "repeated_punctuation": within("太好了！！！！！！"),
    "mixed_punctuation": within("好，。、"),
    "long_dashes": within("前-------后"),
    "cjk_full_stop": within("好的.然后"),
    "blanks_beside_cjk": within("中 文"),
    "edge_punctuation": Dirt("，", "，。）前文。\n\n", "\n\n后文，（"),
    "repetition": within("好的知道了" * 6),
    "author_claims": lines("未经授权，不得转载。"),
    "contact_lines": lines("加微信：abc_12345"),
    "edge_ads": Dirt(
        "点击上方蓝字关注我们！", f"点击上方蓝字关注我们！{PROSE}\n\n", f"\n\n{PROSE}长按二维码关注公众号！"
    ),
    "head_words": Dirt("概述：", f"概述：{PROSE}\n\n", f"\n\n{PROSE}"),
    "lottery": lines("转发评论抽三位粉丝送礼物！"),
    "markdown_images": within("![图](https://img-demo.cn/a.png)"),
    "mentions": within("，@张三丰 你看，"),
    "platform_counts": lines("点赞12 收藏3 评论4"),
    "reference_section": Dirt("参考文献：", "正文在此。\n\n", "\n\n参考文献：\n[1] 张三. 某书. 某社, 2001."),
    "url": within("见 https://www.news-demo.cn/a.html 。"),
    "wiki_references": within(" pp=62–63"),
    "short_sentences": Dirt(SHORT, f"{PROSE}{SHORT}\n\n", f"\n\n{PROSE}{SHORT}{PROSE}"),
    "last_sentence": Dirt("还没说完", "第一句话。\n\n", "\n\n第二句话。还没说完的"),
    "head_tail_cut": Dirt(
        "作者某某\n"[:-1],
        f"书名\n{PROSE * 4}\n",
        f"\n{PROSE * 4}完",
        parameters={"head": 0.05, "tail": 0.05, "keep": 20},
    ),
    "question_mark": Dirt("怎么办", "电脑开不了机怎么办\n\n", "\n\n先看电源。"),
    "title_heading": Dirt("标题", f"{PROSE}\n\n", f"\n\n{PROSE}", row={"title": "标题"}),
}
# Rules whose business is a row, not a text: they protect nothing, and their own tests say what they leave.
OF_ROWS = {"infobox", "low_quality_turns", "placeholder_input"}

# Rules on punctuation, blanks and repetition leave numbers alone, by the kind or by their own expressions.
NUMBERS = {
    "blank_lines", "blanks_beside_cjk", "cjk_full_stop", "edge_punctuation", "long_dashes", "mixed_punctuation",
    "repeated_punctuation", "repetition",
}  # fmt: skip


def editing() -> dict[str, type[EditRule]]:
    union = get_args(get_args(Rule)[0])
    return {kind.model_fields["rule"].default: kind for kind in union if issubclass(kind, EditRule)}


def kept_kinds(rule: str) -> list[str]:
    declared = editing()[rule].protected | ({NUMBER} if rule in NUMBERS else set())
    return [kind for kind in KINDS if kind in declared]


def examples(kind: str, inside: str) -> list[str]:
    """Return spans of a kind, full of dirt where the kind can hold any."""
    return {
        CODE: [f"```python\nx = '{inside}'\n{inside}\n```", f"~~~\n{inside}\n~~~", f"`{inside}`"],
        MATHS: [f"$$\nx = 1 \\text{{{inside}}}\n$$", f"\\[ y {inside} \\]", "$a_1<b>c^2$"],
        TABLE: [f"| {inside} | b |\n|---|:---:|\n| c | {inside} |\n| 1.. | ------ |"],
        URL: ["https://www.news-demo.cn/a--------b/c....d/e?f=%E4%BD%A0&amp=1&g==h"],
        NUMBER: [
            "3.14159265358979",
            "1,000,000.00",
            "2024-01-02",
            "111111111111",
            "1:30:00",
            "123.123.123.123.123.123",
        ],
        QUOTE: [f"“他说{inside}”", f'"{inside} he said"'],
    }[kind]


CASES = [(rule, kind) for rule in DIRT for kind in kept_kinds(rule)] if set(DIRT) <= set(editing()) else []


@pytest.mark.parametrize(("rule", "kind"), CASES)
def test_a_span_stays_and_all_around_it_is_cleaned(rule: str, kind: str) -> None:
    dirt = DIRT[rule]
    for span in examples(kind, dirt.inside):
        glue = "这里有" if kind in (NUMBER, QUOTE, URL) else ""
        text = f"{dirt.before}{glue}{span} {dirt.after}" if glue else f"{dirt.before}{span}{dirt.after}"
        given = {"rule": rule, **dirt.parameters}
        cleaned: str = batch_of([{**dirt.row, "text": text}], "document", given).texts["text"][0]
        assert span in cleaned, f"{rule} entered {kind}"
        for part in (dirt.before, dirt.after):
            changed = part not in cleaned
            assert changed or not needs_change(rule, part, dirt), f"{rule} cleaned nothing beside {kind}: {cleaned!r}"
        assert cleaned != text


def needs_change(rule: str, part: str, dirt: Dirt) -> bool:
    """Tell whether there is dirt in what lies before or after: some rules work at one end only."""
    one_end = {"head_words": dirt.before, "question_mark": dirt.before, "last_sentence": dirt.after}
    one_end |= {"reference_section": dirt.after, "title_heading": ""}
    return part == one_end.get(rule, part)


@pytest.mark.parametrize(("kind"), [kind for kind in KINDS if kind != NUMBER])
def test_the_examples_are_spans(kind: str) -> None:
    for span in examples(kind, "中文"):
        assert spans(f"前文\n{span}\n后文", frozenset({kind})) == [(3, 3 + len(span))]


def test_every_editing_rule_is_in_the_table() -> None:
    assert set(editing()) == set(DIRT) | OF_ROWS
    assert not [rule for rule in OF_ROWS if editing()[rule].protected]


def table() -> str:
    """Return the table of the documentation."""
    head = f"| rule | {' | '.join(KINDS)} |\n|---|{'---|' * len(KINDS)}"
    marks = {rule: kept_kinds(rule) for rule in sorted(DIRT)} | {rule: [] for rule in sorted(OF_ROWS)}
    body = [
        f"| `{rule}` | {' | '.join('✓' if kind in kept else '' for kind in KINDS)} |" for rule, kept in marks.items()
    ]
    return "\n".join([head, *body])


def test_the_documentation_has_this_table() -> None:
    assert table() in DOC.read_text(encoding="utf-8")
