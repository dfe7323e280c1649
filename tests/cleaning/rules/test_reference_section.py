"""The section of references goes, what follows it and outlines stay."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

RULE = "reference_section"

CHANGES = [
    (
        "正文。\n参考文献：\n[1] 张三. 论番茄[J]. 学报, 2001.\n[2] 李四. 书. 出版社, 1999.\n\n致谢\n感谢大家。",
        "正文。\n致谢\n感谢大家。",
    ),
    ("Text.\n\n## References\n\n- Smith, J. (2001). Title. Press.\n- Doe\n\n## Appendix\nx", "Text.\n\n## Appendix\nx"),
    ("正文\n参考文献：[1]张三.书[M].2001.[2]李四\n下文", "正文\n下文"),
    (
        "正文\n参考资料\n1. 《番茄栽培》，农业出版社\n2. https://a.cn/b\n后面是一段普通的文字。",
        "正文\n后面是一段普通的文字。",
    ),
    ("T\n**Works Cited**\n\nLarson, P. *Flagstaff*. Northland, 1978.\n", "T\n"),
]

KEEPS = [
    "参考文献的格式有哪些？\nA. GB/T 7714",
    "正文\n参考文献\n\n后面是正常的段落文字。",
    "大纲：\n结论\n参考文献\n附录",
    "请写一篇有参考文献的论文，共 3 页。",
    "References to other works are common.\n1. First",
    "```\n参考文献：\n[1] a\n```",
    "1. 引言\n2. 方法\n3. 参考文献",
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_it_changes(before: str, after: str) -> None:
    assert clean(before, RULE) == after
    assert clean(after, RULE) == after


@pytest.mark.parametrize("text", KEEPS)
def test_what_it_leaves(text: str) -> None:
    assert clean(text, RULE) == text
