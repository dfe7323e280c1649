"""How sure a number is: Wilson's interval for a share, the exact sign test for two models on the same questions."""

from __future__ import annotations

from math import comb, sqrt
from statistics import NormalDist


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval (1927, without continuity correction) for a share, as (low, high) in 0..1.

    Without any observation nothing is known: (0, 1).

    Raises:
        ValueError: not 0 <= successes <= n.

    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    middle = share + z * z / (2 * n)
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (middle - spread) / scale
    high = 1.0 if successes == n else (middle + spread) / scale
    return low, high


def sign_test(wins: int, losses: int) -> float:
    """Return the two-sided exact p-value of `wins` against `losses`, ties left out (McNemar's exact test).

    Under the null hypothesis each is a fair coin: p = min(1, 2 · P(X <= min(wins, losses))), X ~ Binomial(n, 1/2).
    """
    n, fewer = wins + losses, min(wins, losses)
    tail = sum(comb(n, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**n)) if n else 1.0
