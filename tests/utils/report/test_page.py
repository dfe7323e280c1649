"""The page: whole, closed to the outside, inert whatever the texts hold, readable in both languages and both modes."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from utils.report.page import (
    Bar,
    BarList,
    Block,
    Code,
    Column,
    Details,
    Diff,
    Fact,
    Facts,
    Funnel,
    LineChart,
    Link,
    Measure,
    Paragraph,
    Picture,
    Point,
    Section,
    Series,
    Table,
    Text,
    render_page,
)

HOSTILE = (
    "</title></style></svg>\"'><script>document.title='ran'</script>"
    "<img src=x onerror=\"document.title='ran'\">{{7*7}}&lt;"
)
TAME = HOSTILE.translate(str.maketrans("<>\"'&", "()**+"))
VOID = {"meta", "link", "input", "br", "img", "hr"}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "link", "body", "div", "header", "main", "nav", "section", "h1", "h2"),
    *("h4", "p", "span", "small", "a", "ul", "ol", "li", "dl", "dt", "dd", "input", "label", "figure", "figcaption"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "g", "path", "rect", "text", "tspan"),
    *("details", "summary", "pre", "code", "del", "ins"),
}


class Reader(HTMLParser):
    """Collects elements, attributes and text, and asserts that tags are balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def every_block(word: str) -> list[Block]:
    label = Text(f"{word} en", f"{word} 中文")
    points = [Point(0, 0.2, 0.1, 0.3), Point(1, 0.4, 0.3, 0.5)]
    return [
        Paragraph(label),
        Paragraph(word, "warn"),
        Table(
            [Column(label), Column(word, "code"), Column("n", "integer"), Column("%", "percent")],
            [[word, word, 3, Measure(0.5, 0.4, 0.6)], [label, None, 4, 0.25], [Link(label, "a/b c.html"), "", 1.5, 1]],
            label,
            emphasis=[0],
        ),
        Facts([Fact(label, 10), Fact(word, 9, label, "good"), Fact("x", word, word, "bad")], whole=10),
        Funnel([Bar(label, 10), Bar(word, 8), Bar("more", 9)], label),
        BarList([Bar(label, 10), Bar(word, 8, "bad")], 20, label),
        BarList([]),
        LineChart(
            [Series(label, points), Series(word, points)], label, label, label, [word, word], "percent",
            reference=0.25, reference_label=label,
        ),
        LineChart([Series(word, points)], word, interval="band"),
        LineChart([], word),
        Diff(word + " old", word + " new", label),
        Diff(word * 20 + " old", word * 20 + " new"),
        Code(word, label),
        Details(label, [Paragraph(word), Details(word, [Code(word)])]),
    ]  # fmt: skip


def page_of(word: str) -> str:
    label = Text(f"{word} en", f"{word} 中文")
    return render_page(label, subtitle=label, sections=[Section(label, every_block(word))] * 3)


def test_well_formed_and_whole() -> None:
    page = page_of("plain")
    assert page.startswith("<!doctype html>")
    assert {tag for tag, _ in read(page).seen} <= ELEMENTS


def test_nothing_outside_is_asked_for() -> None:
    page = page_of("plain")
    assert "//" not in page.replace("/*", "").replace("*/", "")
    assert not re.search(r"@import|url\(|<script|\bsrc=|javascript:", page)
    links = [attrs["href"] for _, attrs in read(page).seen if "href" in attrs]
    assert all(link is not None and link.startswith(("#s", "./", "data:,")) for link in links)


def test_policy_forbids_all_but_its_own_style() -> None:
    page = page_of(HOSTILE)
    policy = next(attrs["content"] for tag, attrs in read(page).seen if attrs.get("http-equiv"))
    style = page[page.index("<style>") + len("<style>") : page.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert page.index("Content-Security-Policy") < page.index("<style>") < page.index("<body>")


def test_hostile_text_is_text_everywhere() -> None:
    reader = read(page_of(HOSTILE))
    assert {tag for tag, _ in reader.seen} <= ELEMENTS - {"img"}
    assert [tag for tag, _ in reader.seen] == [tag for tag, _ in read(page_of(TAME)).seen]
    assert not [name for _, attrs in reader.seen for name in attrs if name.startswith("on") or name == "style"]
    text = "".join(reader.text)
    assert HOSTILE in text
    assert "49" not in text.replace("{{7*7}}", "")


def test_characters_that_html_or_utf8_cannot_hold_are_replaced() -> None:
    page = render_page("a\x00b\ud800c\x1b", sections=[Section("s", [Paragraph("x\r\ny\tz")])])
    assert "a\ufffdb\ufffdc\ufffd" in page
    assert "x\r\ny\tz" in page
    page.encode("utf-8")


@pytest.mark.parametrize("path", ["https:x", "//host/x", "/etc/passwd", "javascript:alert(1)", "a/../../b", "\\\\host"])
def test_links_stay_below_the_page(path: str) -> None:
    with pytest.raises(ValueError, match="not a path below the page"):
        Link("x", path)


def test_links_are_quoted() -> None:
    assert Link("x", "round 1/模型?#.html").href == "round%201/%E6%A8%A1%E5%9E%8B%3F%23.html"


def test_both_languages_with_a_switch_that_starts_in_english() -> None:
    page = render_page(Text("Title", "标题"), sections=[Section(Text("One", "一"), [])])
    assert '<span class="en" lang="en">One</span><span class="zh" lang="zh-Hans">一</span>' in page
    assert "<title>Title · 标题</title>" in page
    radios = [attrs for tag, attrs in read(page).seen if tag == "input"]
    assert [(radio["id"], "checked" in radio) for radio in radios] == [("language-en", True), ("language-zh", False)]
    assert {attrs["for"] for tag, attrs in read(page).seen if tag == "label"} == {"language-en", "language-zh"}


def test_without_the_switch_english_only() -> None:
    page = render_page(Text("Title", "标题"), sections=[Section(Text("One", "一"), [])], language_toggle=False)
    assert "<h2>One</h2>" in page
    assert "标题" not in page
    assert "<input" not in page


def test_diff_marks_in_the_page() -> None:
    page = render_page("t", sections=[Section("s", [Diff("pay <b>now", "pay <i>now")])])
    assert 'dir="auto">pay &lt;<del>b</del>&gt;now</div>' in page
    assert 'dir="auto">pay &lt;<ins>i</ins>&gt;now</div>' in page


def test_long_diffs_are_folded_short_ones_not() -> None:
    short = render_page("t", sections=[Section("s", [Diff("a" * 600, "b" * 600)])])
    long = render_page("t", sections=[Section("s", [Diff("a" * 601, "b")])])
    assert "<details" not in short
    assert "The whole text" in long


def test_bars_are_as_long_as_their_counts() -> None:
    page = render_page("t", sections=[Section("s", [BarList([Bar("a", 8), Bar("b", 2)], total=40)])])
    assert re.findall(r'<rect class="plain" width="([\d.]+)"', page) == ["1000.0", "250.0"]
    assert re.findall(r'class="share">([^<]*)<', page) == ["20.0%", "5.0%"]


def test_funnel_says_what_each_step_lost() -> None:
    page = render_page("t", sections=[Section("s", [Funnel([Bar("a", 2000), Bar("b", 500), Bar("c", 600)])])])
    assert re.findall(r'class="loss[^>]*>([^<]*)<', page) == ["", "−1,500", "+100"]
    assert re.findall(r'class="share">([^<]*)<', page) == ["100.0%", "25.0%", "30.0%"]


def test_strip_lays_the_parts_end_to_end() -> None:
    facts = [Fact("in", 10), Fact("kept", 7, tone="good"), Fact("dropped", 3, tone="warn")]
    page = render_page("t", sections=[Section("s", [Facts(facts, whole=10)])])
    assert re.findall(r'<rect class="(\w+)" x="([\d.]+)" width="([\d.]+)"', page) == [
        ("good", "0.0", "700.0"),
        ("warn", "700.0", "300.0"),
    ]


def test_a_picture_lies_inside_the_page_and_leads_on() -> None:
    png = b"\x89PNG\r\n\x1a\n"
    html = render_page(
        "t",
        sections=[
            Section("s", [Picture(png, Text('a "map"', "图"), Link(Text("open", "打开"), "steps/a b/map.html"))])
        ],
    )
    assert html.count('<img src="data:image/png;base64,iVBORw0KGgo=" alt="a &#34;map&#34;') == 1
    assert html.count('<a href="steps/a%20b/map.html">') == 2
    with pytest.raises(ValueError, match="not a PNG"):
        Picture(b"<svg onload=alert(1)>", "x")


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="row 1 has 1 cells, the table 2 columns"):
        Table([Column("a"), Column("b")], [["1", "2"], ["1"]])


def title_in_browser(page: str, folder: Path) -> str:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser here")
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    more = ["--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run([browser, *quiet, *more, file.as_uri()], capture_output=True, text=True, timeout=60)
    found = re.search(r"<title>(.*?)</title>", done.stdout)
    assert found, done.stderr[-2000:]
    return found[1]


@pytest.mark.page
def test_rows_with_scripts_are_inert_in_a_real_browser(tmp_path: Path) -> None:
    control = "<!doctype html><title>safe</title><script>document.title='ran'</script>"
    assert title_in_browser(control, tmp_path) == "ran"
    assert title_in_browser(render_page("safe", sections=[Section("s", every_block(HOSTILE))]), tmp_path) == "safe"


@pytest.mark.page
def test_the_policy_alone_stops_a_script_in_a_real_browser(tmp_path: Path) -> None:
    page = render_page("safe", sections=[]).replace("</body>", "<script>document.title='ran'</script></body>")
    assert title_in_browser(page, tmp_path) == "safe"
