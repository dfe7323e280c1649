"""The truth about the rows that were written by hand, by their numbers in `edge_zh.jsonl` and `edge_en.jsonl`."""

from __future__ import annotations

import json

from cleaning.sample_maker.banks import edge_lines
from cleaning.sample_maker.pieces import Draft

_EMPTY = {"zh": (19,), "en": (17,)}
_COPIES = {"zh": ((1, 15), (2, 21)), "en": ((0, 28),)}
_PII = {
    ("zh", 10): [("email", "email", "kefu.zhang@mail-demo.cn"), ("phone", "mobile", "13800138000")],
    ("zh", 11): [("cn_id", "cn_id", "11010519491231002X")],
    ("en", 7): [("email", "email", "help.desk@support-demo.org")],
}
_MARKUP = {
    ("zh", 8): ["<b>", "<br>", "&nbsp;"],
    ("zh", 29): ['<div class="step">', "</div>"],
    ("en", 7): ["&amp;", "&#40;"],
    ("en", 9): ["<i>", "<br/>"],
}
_INVISIBLE = {("zh", 12): ["\u200b", "\u202e"], ("en", 16): ["\u00ad", "\ufeff"]}
_BLANKS = {("zh", 13): ["\r"], ("en", 8): ["\n\n\n"]}
_SURVIVE = {
    ("zh", 3): ("code", '    for x in items:\n        if 0<x and x>1:\n            seen[x] = "&lt;b&gt;"'),
    ("zh", 4): ("formula", "$$\nc=\\sqrt{a^2+b^2}\n$$"),
    ("zh", 5): ("table", "| 绿茶 | 80 ℃ | 2 分钟 |\n| 乌龙 | 95 ℃ | 1 分钟 |"),
    ("zh", 6): ("number", "3.14159265358979"),
    ("zh", 7): ("text", "由传递性可知 a<c，即 c>a。"),
    ("zh", 14): ("symbol", "愿你新的一岁平安喜乐 🎂，家人 👨‍👩‍👧 常伴左右！"),
    ("zh", 16): ("symbol", "「ありがとう」，正式一些是「ありがとうございます」。"),
    ("zh", 17): ("text", "List<int> 的长度可变，int[] 的长度固定；Map<String, Integer> 则保存键值对。"),
    ("zh", 18): ("formula", "$A=P(1+r)^n$"),
    ("zh", 20): ("list", "1. 太阳能\n2. 风能\n3. 水能"),
    ("zh", 23): ("text", "<p> 标签表示一个段落，浏览器会在它前后留出空白，例如 <p>你好</p>。"),
    ("zh", 28): ("code", "`wc -l  文件名`"),
    ("en", 2): ("code", "(std::vector<int> v) {\n\n\n    for (auto& x : v) x = x<<1;   \n    return v;\n}"),
    ("en", 3): ("formula", "\\(x=\\frac{-b\\pm\\sqrt{b^2-4ac}}{2a}\\)"),
    ("en", 4): ("text", "then x < 3 and y > 5 both hold."),
    ("en", 5): ("text", "Entering costs $5 and leaving $10."),
    ("en", 10): ("table", "| tea | 40 mg |\n| coffee | 95 mg |"),
    ("en", 11): ("text", "The <div> tag groups other elements"),
    ("en", 18): ("code", "`a  b` keeps two blanks"),
}


def edge_rows(lang: str) -> list[Draft]:
    """Return the hand-written rows of a language; the one that is no JSON goes to quarantine."""
    return [_row(lang, number, line) for number, line in enumerate(edge_lines(lang))]


def _row(lang: str, number: int, line: bytes) -> Draft:
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return Draft(lang, [], status="quarantined", dirt=["broken"], raw=line)
    draft = Draft(lang, found.get("data") or [found["instruction"], found["output"]], raw=line)
    key = (lang, number)
    if number in _EMPTY[lang]:
        draft.status, draft.reasons, draft.dirt = "dropped", ["minimum_length"], ["empty"]
    for at, members in enumerate(_COPIES[lang]):
        if number in members:
            draft.status, draft.group, draft.relation = None, f"edge-{lang}-{at}", "exact"
    draft.pii = [dict(zip(("kind", "form", "value"), found, strict=True)) for found in _PII.get(key, [])]
    for kind, planted in (("markup", _MARKUP), ("invisible", _INVISIBLE), ("blanks", _BLANKS)):
        draft.vanish += [(kind, text) for text in planted.get(key, [])]
        draft.dirt += [kind] if key in planted else []
    draft.vanish += [("pii", found["value"]) for found in draft.pii]
    draft.dirt += ["pii"] if draft.pii else []
    draft.survive += [_SURVIVE[key]] if key in _SURVIVE else []
    return draft
