"""How long to wait before the next try: what the endpoint asks for, else longer each time, with jitter."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3): a number or a date; None for neither.

    Args:
        value: the header.
        now: with its time zone.

    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value, now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(value: str, now: datetime) -> float:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()


def delays(seed: str, *, first_s: float, longest_s: float) -> Iterator[float]:
    """Yield seconds without end: doubling from `first_s` to `longest_s`, each times a number in 0.5–1 from the seed."""
    dice = random.Random(seed)  # noqa: S311 — spreads calls, guards nothing
    delay = first_s
    while True:
        yield min(delay, longest_s) * dice.uniform(0.5, 1.0)
        delay = min(2 * delay, longest_s)
