"""Wilson's interval against published numbers, the sign test by hand."""

from __future__ import annotations

import pytest

from utils.report.intervals import sign_test, wilson

# Newcombe, Statistics in Medicine 17 (1998) 857–872, table I, method 3 (score, without continuity correction)
PUBLISHED = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


@pytest.mark.parametrize(("successes", "n", "low", "high"), PUBLISHED)
def test_wilson_equals_the_published_table(successes: int, n: int, low: float, high: float) -> None:
    assert [round(end, 4) for end in wilson(successes, n)] == [low, high]


def test_wilson_is_symmetric_and_stays_inside() -> None:
    low, high = wilson(29, 29)
    assert high == 1.0
    assert low == pytest.approx(1 - wilson(0, 29)[1])
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)


def test_sign_test_by_hand() -> None:
    # nine of ten: (1 + 10) / 1024 on one side, twice that on both
    assert sign_test(9, 1) == sign_test(1, 9) == pytest.approx(22 / 1024)
    assert sign_test(5, 0) == pytest.approx(2 / 32)
    assert sign_test(5, 5) == 1.0
    assert sign_test(0, 0) == 1.0
