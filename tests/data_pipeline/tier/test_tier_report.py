"""The report of a tier run: every number of the account, both languages, nothing that runs, no text as markup."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import cli
from utils.runs.commit import read_json

HOSTILE = "<img src=x onerror=alert(1)> & \u202e"


def rows() -> list[dict[str, Any]]:
    questions = [f"请数到{n}" if n % 2 else f"Count up to {n} {HOSTILE}" for n in range(60)]
    turns = [
        [{"role": "user", "content": q}, {"role": "assistant", "content": "数 one " * (n + 1)}]
        for n, q in enumerate(questions)
    ]
    return [{"messages": one, "clean_id": f"{n:032x}"} for n, one in enumerate(turns)]


def told(verb: str, *keys: str) -> int:
    return cli.main([verb, "--quiet", *(word for key in keys for word in ("--set", key))])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    source = folder / "rows.jsonl"
    source.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows()), encoding="utf-8")
    (folder / "evaluation.jsonl").write_text(json.dumps({"question": f"count up to 8 {HOSTILE}"}), encoding="utf-8")
    measured = folder / "measured"
    assert told("attributes", f"input={source}", f"output={measured}", "executor=local", "only=[text_statistics]") == 0
    keys = [
        f"input={source}", f"attributes={measured}", f"output={folder / 'run'}", "held_out=0.1",
        "difficulty=text_statistics.tokens_estimate",
        "floor=[{attribute: text_statistics.tokens_estimate, minimum: 20}]",
        "bands=[{name: short, quantiles: [0, 0.5], rows: 12}, {name: long, quantiles: [0.5, 1]}]",
        "quotas=[{by: lang, rows: {zh: 6, fr: 2}}]", "seeds=[{name: round-1, from: long, rows: 40}]",
        "controls=[random, tokens, lengths]", f"decontaminate={{files: [{folder / 'evaluation.jsonl'}]}}",
    ]  # fmt: skip
    assert told("tier", *keys) == 0
    return folder / "run"


def test_the_account_adds_up(run: Path) -> None:
    account, counts = read_json(run / "tiers.json"), read_json(run / "manifest.json")["counts"]
    assert account is not None
    into, steps = account["into"], account["steps"]
    taken = sum(one["rows"] for name, one in into.items() if name.startswith(("tiers/", "seeds/")))
    assert counts["in"] == sum(steps.values()) + taken == 60
    assert steps["held_out"] == into["held_out"]["rows"] > 0
    assert steps["evaluation_prompt"] == sum(n for why, n in counts["by_reason"].items() if why.startswith("evalu")) > 0
    short = account["tiers"]["short"]
    assert short["taken"] == short["candidates"] - short["refused"]["quota_full:lang=zh"] - short["refused"].get(
        "budget_full", 0
    )
    assert into["tiers/short"]["deciles"]["tokens"][0] >= 20
    assert into["tiers/long"]["rows"] == 0  # the seed wanted more than it had
    assert into["tiers/long"]["deciles"]["tokens"] is None


def test_the_page_says_it_in_both_languages_and_shows_texts_as_texts(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    account = read_json(run / "tiers.json")
    assert account is not None
    for words in ("From rows to tiers", "从数据行到分级", "Controls", "对照组", "Evaluation prompts", "评测题去污染"):
        assert words in page
    for name, one in account["into"].items():
        assert name.partition("/")[2] in page
        assert f"{one['tokens']:,}" in page
    assert "Count up to 8 &lt;img src=x" in page
    assert "<img" not in page
    assert "<script" not in page


def test_a_browser_shows_it_and_asks_for_nothing(run: Path) -> None:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no browser here")
    from playwright.sync_api import sync_playwright

    noted: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-background-networking"])
        tab = browser.new_page(viewport={"width": 1100, "height": 800})
        tab.on("request", lambda request: noted.append(request.url))
        tab.on("console", lambda message: noted.append(message.text))
        tab.goto((run / "report.html").as_uri())
        assert tab.locator("section").count() == 8
        assert tab.locator("h2").get_by_text("Controls", exact=True).is_visible()
        tab.get_by_text("中文", exact=True).first.click()
        assert tab.locator("h2").get_by_text("对照组", exact=True).is_visible()
        assert not tab.locator("h2").get_by_text("Controls", exact=True).is_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 1100
        browser.close()
    assert noted == [(run / "report.html").as_uri()]


def test_an_empty_run_has_a_report_too(run: Path, tmp_path: Path) -> None:
    config = read_json(run / "run" / "config.json")
    assert config is not None
    keys = [f"{name}={config[name]}" for name in ("input", "attributes", "difficulty")]
    nothing = "floor=[{attribute: text_statistics.tokens_estimate, minimum: 999999}]"
    bands = "bands=[{name: all, range: [null, null]}]"
    assert told("tier", *keys, nothing, bands, "controls=[random, tokens, lengths]", f"output={tmp_path / 'run'}") == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "The tiers hold no rows." in page
    assert "No evaluation was named" in page
