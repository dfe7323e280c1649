"""The interactive map in a real browser: 100,000 points, search, click, filter, a pair, and nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_pipeline.view.columns import map_columns
from data_pipeline.view.page import render_map
from utils.report.blocks import Text

HOSTILE = "</script><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">\0\n\ud800"


def rows(count: int) -> pl.DataFrame:
    """Points in ten separate discs, one for each topic; row 0 far from all others, with hostile text."""
    random = np.random.default_rng(0)
    topic = random.integers(0, 10, count)
    x, y = topic % 5 * 10 + random.normal(size=count), topic // 5 * 10 + random.normal(size=count)
    x[0], y[0] = -15.0, -15.0
    half = np.arange(count) % 2 == 0
    texts = [f"第{n}行 主题{t}" if n % 2 else f"Row {n} of topic {t}" for n, t in enumerate(topic)]
    texts[0] = HOSTILE.replace("\ud800", "")
    return pl.DataFrame(
        {
            "id": [f"{n:032x}" for n in range(count)],
            "x": x,
            "y": y,
            "source": np.where(half, "en", "zh"),
            "text": texts,
            "topic": [f"主题 {t}" for t in topic],
            "score": random.random(count),
            "tags": [["代码", "数学"] if n % 4 == 0 else ["代码"] for n in range(count)],
        }
    )


def page_of(frame: pl.DataFrame, colour: str = "topic") -> str:
    title = Text(f"Map {HOSTILE}", f"地图 {HOSTILE}")
    return render_map(frame, map_columns(frame), title=title, subtitle="test", colour=colour, seed=1)


def test_policy_allows_its_own_script_and_style_and_nothing_else() -> None:
    page = page_of(rows(20))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]  # type: ignore[index]
    parts = [re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1] for tag in ("style", "script")]  # type: ignore[index]
    style, script = (base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts)
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write|fetch\(|https?:", page)
    assert page.count("<script") == 4  # ours, the description and two blocks of data


def test_the_same_rows_give_the_same_page() -> None:
    assert page_of(rows(50)) == page_of(rows(50))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no browser here")
    from playwright.sync_api import sync_playwright

    quiet = [
        "--no-sandbox",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--disable-background-networking",
    ]
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=path, args=quiet)
        yield started
        started.close()


def opened(browser: Any, folder: Path, page: str, width: int = 1200) -> Any:
    """Open a page from its file, with the texts unpacked; `tab.noted` are requests, errors and console lines."""
    file = folder / "map.html"
    file.write_text(page, encoding="utf-8")
    tab = browser.new_page(viewport={"width": width, "height": 800})
    tab.set_default_timeout(120_000)
    tab.noted = []
    tab.on("request", lambda request: tab.noted.append(request.url))
    tab.on("console", lambda message: tab.noted.append(message.text))
    tab.on("pageerror", lambda error: tab.noted.append(str(error)))
    tab.goto(file.as_uri(), timeout=120_000)
    tab.wait_for_selector("html[data-ready]", state="attached")
    return tab


def until(tab: Any, condition: str) -> None:
    """Wait for a condition; the browser's own waiting needs `eval`, which the page's policy refuses."""
    for _ in range(600):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(100)
    raise AssertionError(condition)


PIXELS = """() => { const {map} = posttrainMap, gl = map.gl; map.draw();
  const all = new Uint8Array(4 * map.canvas.width * map.canvas.height);
  gl.readPixels(0, 0, map.canvas.width, map.canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, all);
  let drawn = 0; for (let at = 3; at < all.length; at += 4) if (all[at] > 20) drawn++;
  return drawn; }"""
PLACE = """text => { const {map, line} = posttrainMap;
  const i = Array.from(map.x, (_, i) => line(i)).findIndex(found => found.includes(text));
  return map.toScreen(i, map.panes[0]); }"""
STATES = "() => posttrainMap.map.state.reduce((all, one) => { all[one]++; return all; }, [0, 0, 0, 0])"


@pytest.mark.page
def test_a_hundred_thousand_points_are_drawn_searched_clicked_zoomed_and_filtered(browser: Any, tmp_path: Path) -> None:
    frame = rows(100_000)
    tab = opened(browser, tmp_path, page_of(frame))
    assert tab.evaluate("posttrainMap.map.count") == 100_000
    assert tab.evaluate(PIXELS) > 5_000
    assert tab.inner_text("#shown .en") == "100,000 of 100,000 rows"

    tab.fill("#search", "ROW 1234 OF")  # case does not matter
    tab.wait_for_selector("#hits button")
    assert tab.inner_text("#found .en") == "1 row found"
    assert tab.evaluate(STATES) == [0, 99_999, 0, 1]
    tab.click("#hits button")
    assert tab.inner_text("#row .text") == frame["text"][1234]
    assert frame["id"][1234] in tab.inner_text("#row dl")
    assert tab.evaluate("posttrainMap.map.zoom") >= 5.9  # it went there
    tab.fill("#search", "")
    until(tab, "posttrainMap.hits === null")

    tab.click("#reset")
    place = tab.evaluate(PLACE, "<img")
    tab.mouse.click(*place)
    assert tab.inner_text("#row .text").startswith("</script><script>")  # shown, not run
    tab.mouse.move(place[0] + 1, place[1])
    assert "<img" in tab.inner_text("#tip")
    tab.mouse.wheel(0, -400)
    until(tab, "posttrainMap.map.zoom > 1.5")
    assert np.allclose(tab.evaluate(PLACE, "<img"), place, atol=1.5)  # what is under the pointer stays there

    tab.click("#legend li:first-child button")
    largest = frame["topic"].value_counts().sort("count", "topic", descending=[True, False]).row(0)
    assert tab.inner_text("#legend li:first-child .name") == largest[0]
    assert tab.evaluate(STATES)[2] == largest[1]
    tab.click("#all")
    assert tab.evaluate(STATES) == [0, 0, 100_000, 0]
    assert tab.noted == [(tmp_path / "map.html").as_uri()]
    assert "ran" not in tab.title().replace("document.title='ran'", "")
    tab.close()


@pytest.mark.page
def test_colours_tags_both_languages_and_a_narrow_screen(browser: Any, tmp_path: Path) -> None:
    tab = opened(browser, tmp_path, page_of(rows(400)), width=390)
    tab.select_option("#colour", "score")
    assert tab.is_visible("#legend canvas.ramp")
    tab.select_option("#colour", "tags")
    tab.click("#legend li:nth-child(2) button")
    assert tab.evaluate(STATES) == [300, 0, 100, 0]  # every fourth row has the second tag
    assert tab.is_visible("h1 .en")
    tab.click("label[for=language-zh]")
    assert tab.is_visible("h1 .zh")
    assert not tab.is_visible("h1 .en")
    assert tab.inner_text("#shown .zh") == "400 行中的 100 行"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.noted == [(tmp_path / "map.html").as_uri()]
    tab.close()


@pytest.mark.page
def test_a_pair_shows_what_was_left_on_the_right(browser: Any, tmp_path: Path) -> None:
    frame = rows(400).with_columns(after=pl.Series([False] + [True] * 299 + [False] * 100))
    tab = opened(browser, tmp_path, page_of(frame))
    assert (tab.inner_text("#count-before"), tab.inner_text("#count-after")) == ("400", "299")
    x, y = tab.evaluate(PLACE, "<img")
    tab.mouse.click(x, y)
    assert tab.is_visible("#row")
    tab.click("#row .head button")
    assert not tab.is_visible("#row")
    tab.mouse.click(x + tab.evaluate("posttrainMap.map.panes[1].left"), y)  # the same place on the right: gone
    assert not tab.is_visible("#row")
    x, y = tab.evaluate(PLACE, "第151行")
    tab.mouse.click(x + tab.evaluate("posttrainMap.map.panes[1].left"), y)
    assert tab.is_visible("#row")
    tab.close()
