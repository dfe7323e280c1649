"""The report of a run, read as a browser would: its numbers are the run's, and rows that mean badly are text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import cli
from tests.support.cleaning import clean_here, write_rows

SCRIPT = "</td></svg><script>alert(1)</script><img src=x onerror=alert(1)>\"'`{{7*7}}"
LONG = "长江发源于青藏高原唐古拉山脉各拉丹冬峰西南侧，干流流经十一个省区市，于崇明岛以东注入东海，全长六千余公里。" * 2
QUOTED = "Explain in your own words why the sky is blue at noon and red in the evening of a clear day."
CALLS = ["13800138000", "13900139000", "a.b@mail-demo.cn"]
VOID = {"meta", "input", "rect", "path", "br", "link", "img", "wbr"}


class Page(HTMLParser):
    """Every element, and the text of the page by section, of one language or both."""

    def __init__(self, page: str, language: str | None = None) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.sections: list[str] = [""]
        self._open: list[bool] = []
        self._language = language
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "section":
            self.sections.append("")
        if tag not in VOID:
            other = dict(attrs).get("class") in {"en", "zh"} and dict(attrs)["class"] != self._language
            self._open.append(bool(self._language) and other)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open) and data.strip():
            self.sections[-1] += data.strip() + " | "


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    rows = [
        {"instruction": f"{LONG} {SCRIPT}", "output": f"\u200b{LONG}{SCRIPT}"},
        {"instruction": f"{LONG} {SCRIPT}!", "output": f"\u200b{LONG}{SCRIPT}"},
        {"instruction": f"{LONG} {SCRIPT}?", "output": f"\u200b{LONG}{SCRIPT}"},
        *({"instruction": "same", "output": "thing"} for _ in range(3)),
        {"instruction": "ask", "output": f"call {CALLS[0]} or {CALLS[1]}, write to {CALLS[2]}"},
        {"instruction": QUOTED + SCRIPT, "output": "Rayleigh"},
        {"instruction": "say nothing", "output": ""},
        {"instruction": "prefer", "output": "one"},
        {"instruction": "prefer", "output": "another"},
    ]
    write_rows(folder / "in" / "<script>alert(2)<!--.jsonl", rows)
    write_rows(folder / "asked.jsonl", [{"prompt": QUOTED + SCRIPT}])
    policy = (
        "policy=[{rule: valid_characters}, {rule: personal_data}, {rule: minimum_length, name: '<script>alert(3)'}]"
    )
    given = ("duplicates.near={threshold: 0.7}", f"duplicates.reference.files=['{folder / 'asked.jsonl'}']")
    clean_here(folder / "in", folder / "out", policy, *given, "duplicates.reference.text_field=prompt", "name=told")
    return folder / "out"


def sections(run: Path, language: str) -> dict[str, str]:
    """Return the text of each section by its heading."""
    found = Page((run / "report.html").read_text(), language).sections[1:]
    return {text.split(" | ")[0]: text for text in found}


def test_both_languages_tell_the_same(run: Path) -> None:
    english, chinese = sections(run, "en"), sections(run, "zh")
    assert list(english) == [
        *("Rows", "Why rows were dropped", "What rules changed", "Before and after", "Personal data"),
        *("Duplicates", "Languages and lengths", "Files", "Speed", "Go on"),
    ]
    assert list(chinese) == [
        *("行数", "剔除原因", "规则的修改", "修改前后", "个人信息", "重复", "语言与长度", "文件", "速度", "下一步")
    ]
    for one, other in zip(english.values(), chinese.values(), strict=True):
        assert re.findall(r"\d+(?:\.\d+)?%?(?= \|)", one) == re.findall(r"\d+(?:\.\d+)?%?(?= \|)", other)


def test_the_numbers_are_those_of_the_run(run: Path) -> None:
    told = sections(run, "en")
    assert "rows in | 11 | kept | 5 | 45.5% | dropped | 6 | 54.5% | quarantined | 0" in told["Rows"]
    for reason, rows in (("exact_duplicate", 2), ("near_duplicate", 2), ("reference_duplicate", 1)):
        assert f"{reason} | {rows} | " in told["Why rows were dropped"]
    assert (
        "personal_data | 1 | 3 | " in told["What rules changed"]
        and "valid_characters | 3 | 3 | " in told["What rules changed"]
    )
    assert "phone | 2 | " in told["Personal data"] and "email | 1 | " in told["Personal data"]


def test_bytes_in_are_of_the_rows_alone(run: Path) -> None:
    (rows,) = (run.parent / "in").iterdir()
    assert f"| {rows.stat().st_size:,} | " in sections(run, "en")["Speed"]


def test_histograms_are_before_and_after(run: Path) -> None:
    """The reader without eyes for charts gets them as tables: series, place, rows."""
    told = sections(run, "en")["Languages and lengths"]
    assert "before | English | 8 | before | 中文 | 3 | kept | English | 4 | kept | 中文 | 1 | " in told
    # `say nothing` has 11 characters, `same` + `thing` 9, `prefer` + `one`, `another` 9 and 13
    assert "before | 8– | 6 | " in told and "kept | 8– | 3 | " in told
    assert all(title in told for title in ("Rows by language", "Rows by length: 中文", "Rows by length: English"))


def test_clusters_and_pairs_are_shown(run: Path) -> None:
    told = sections(run, "en")["Duplicates"]
    assert re.search(
        r"survivor \| rows dropped \| least similarity \| \w{32} \| 2 \| 0\.9\d+ \| \w{32} \| 2 \| 1\.000", told
    )
    assert told.count("near_duplicate · 0.9") == 2
    assert "2 kept rows share their prompt" in told
    assert f"1.000 | {QUOTED}" in told, "the text of the reference"
    assert "Chance that two texts are compared: 21 bands of 6" in told


def test_hostile_rows_are_text_and_nothing_is_loaded(run: Path) -> None:
    """S5; the same page with a script in it is refused by a real browser in tests/utils/report."""
    raw = (run / "report.html").read_text()
    page = Page(raw)
    foreign = {"script", "img", "iframe", "object", "embed", "base", "form"}
    assert not {tag for tag, _ in page.elements} & foreign
    attributes = {name for _, given in page.elements for name in given}
    assert not {name for name in attributes if name.startswith("on")} and not attributes & {"src", "srcset", "style"}
    assert {given["href"] for _, given in page.elements if "href" in given} <= {
        "data:,",  # the icon
        *(f"#s{n}" for n in range(1, 11)),
    }
    policies = [
        given["content"] for tag, given in page.elements if given.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1 and str(policies[0]).startswith("default-src 'none'")
    text = " ".join(page.sections)
    assert text.count("<script>alert(1)</script>") >= 3, "it is there, as text"
    assert "<script>alert(2)<!--.jsonl" in text and "<script>alert(3) | 1" in text and "{{7*7}}" in text


def test_personal_data_is_nowhere_on_the_page(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert not [one for one in CALLS if one in page] and "&lt;phone&gt;" in page


def test_it_can_be_drawn_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    assert cli.main(["report", str(run)]) == 0
    assert (run / "report.html").read_bytes() == before and str(run / "report.html") in capsys.readouterr().out
