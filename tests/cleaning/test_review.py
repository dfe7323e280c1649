"""Verdicts counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleaning.review import read_rows, review
from utils.errors import UserError


def line(verdict: str, **more: object) -> dict[str, object]:
    return {"review_verdict": verdict, **more}


def test_precision_with_its_interval() -> None:
    rows = (
        [line("right", rule="html")] * 18 + [line("Wrong", rule="html")] * 2 + [line("unsure", rule="html"), line("")]
    )
    found = review(rows)
    html = found.rules[0]
    assert (html.n, html.right, html.unsure, html.share, html.verdict) == (20, 18, 1, 0.9, "measured")
    # Wilson 1927, 95 %: (0.9 + z²/40 ± z·√(0.9·0.1/20 + z²/1600)) / (1 + z²/20), z = 1.96
    assert (round(html.low, 3), round(html.high, 3)) == (0.699, 0.972)
    assert found.unreviewed == 1


def test_nineteen_are_insufficient_and_suspend_nothing() -> None:
    rows = [line("wrong", clean_reasons=["blacklist"], entries=["加微信"])] * 19
    assert review(rows).rules[0].verdict == "insufficient"
    assert review(rows).suspend == []
    assert review([*rows, rows[0]]).suspend == ["加微信"]
    half = [line("right" if n % 2 else "wrong", entries=["a"]) for n in range(40)]
    assert review(half).suspend == []


def test_rows_are_judged_by_rule_then_first_reason_then_kept() -> None:
    rows = [line("right", rule="url", clean_reasons=["x"]), line("right", clean_reasons=["x", "y"]), line("wrong")]
    assert [one.name for one in review(rows).rules] == ["kept", "url", "x"]


def test_bad_files_are_named_by_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"file:2.*right, wrong, unsure"):
        review([line("right"), line("maybe")], where="file")
    path = tmp_path / "filled.jsonl"
    path.write_text('{"review_verdict": "right"}\n\n{oops\n')
    with pytest.raises(UserError, match=r"filled.jsonl:3.*no JSON"):
        read_rows(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_rows(tmp_path / "none")
