"""Each verifier by a table of cases; files and union agree."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from data_pipeline.verifiers import Verifier, contains, exact, numeric

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("  four\n", "four", 1.0),
        ("a  b", "a\tb", 1.0),
        ("１２", "12", 1.0),  # full-width digits
        ("Four", "four", 0.0),
        ("", "four", 0.0),
        ("答案", "答案", 1.0),
    ],
)
def test_exact(answer: str, reference: str, score: float) -> None:
    assert exact.verify(answer, reference) == score


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("3 + 4 = 7, so the answer is 7.", "7", 1.0),
        ("7.0", "7", 1.0),
        ("It is 1,234.50 in all", "1234.5", 1.0),
        ("答案是１２", "12", 1.0),
        ("答案是-3", "−3", 1.0),  # the reference has a real minus sign
        ("5-3", "3", 1.0),  # a minus between two numbers is no sign
        ("3e2", "300", 1.0),
        ("I do not know", "7", 0.0),
        ("7 or 8", "7", 0.0),
        ("", "0", 0.0),
    ],
)
def test_numeric(answer: str, reference: str, score: float) -> None:
    assert numeric.verify(answer, reference) == score


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("The answer is 4.", "4", 1.0),
        ("The answer is 42.", "4", 0.0),
        ("concatenate", "cat", 0.0),
        ("A cat, of course", "cat", 1.0),
        ("我住在北京市", "北京", 1.0),
        ("f(x) = x**2", "x**2", 1.0),  # no regular expression of the data's
    ],
)
def test_contains(answer: str, reference: str, score: float) -> None:
    assert contains.verify(answer, reference) == score


@pytest.mark.parametrize("check", [exact.verify, contains.verify, numeric.verify])
def test_an_unusable_reference_is_an_error_and_no_score(check: object) -> None:
    with pytest.raises(ValueError, match="the reference"):
        check(" 7 ", "  ")  # type: ignore[operator]


def test_files_and_union_agree() -> None:
    files = {path.stem for path in (ROOT / "data_pipeline/verifiers").glob("*.py")} - {"__init__", "normal"}
    kinds = {get_args(model.model_fields["kind"].annotation)[0] for model in get_args(get_args(Verifier)[0])}
    assert files == kinds
