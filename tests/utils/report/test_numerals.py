"""Numbers as text."""

from __future__ import annotations

import pytest

from utils.report.numerals import numeral, percent, share


@pytest.mark.parametrize(
    ("value", "style", "digits", "shown"),
    [
        (None, "number", None, "–"),
        (1234567, "number", None, "1,234,567"),
        (-5, "integer", None, "−5"),
        (1234.5, "number", 1, "1,234.5"),
        (0.00001, "number", 3, "1.0e−05"),
        (0.0, "number", 3, "0.000"),
        (float("nan"), "number", None, "NaN"),
        (float("-inf"), "percent", None, "−∞"),
        (0.1234, "percent", None, "12.3%"),
        (1, "percent", 0, "100%"),
    ],
)
def test_numerals(value: float | None, style: str, digits: int | None, shown: str) -> None:
    assert numeral(value, style, digits) == shown  # type: ignore[arg-type]


def test_percent_never_rounds_to_none_or_all() -> None:
    assert [percent(value) for value in (0, 1e-6, 0.5, 0.99999, 1)] == ["0.0%", "<0.1%", "50.0%", ">99.9%", "100.0%"]
    assert (share(1, 0), share(1, None), share(1, 4)) == ("", "", "25.0%")
