"""Numbers as a reader wants them, the same in both languages."""

from __future__ import annotations

import math
from numbers import Integral

from utils.report.blocks import Style

NOTHING = "–"
MINUS = "\N{MINUS SIGN}"


def numeral(value: float | str | None, style: Style = "number", digits: int | None = None) -> str:
    """Return a value as text: thousands apart, a true minus, nothing small rounded away to zero.

    Integers keep all their figures; `digits` (2, for percent 1) is for the others.
    """
    if value is None:
        return NOTHING
    if isinstance(value, str | bool):
        return str(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{MINUS if value < 0 else ''}∞"
    if style == "percent":
        return percent(value, 1 if digits is None else digits)
    if isinstance(value, Integral):
        return f"{value:,}".replace("-", MINUS)
    return decimal(value, (0 if style == "integer" else 2) if digits is None else digits)


def decimal(value: float, digits: int) -> str:
    """Return a float with a fixed number of digits, or in powers of ten where those would show only zeros."""
    if value and abs(value) < 0.5 * 10.0**-digits:
        return f"{value:.1e}".replace("-", MINUS)
    return f"{value:,.{digits}f}".replace("-", MINUS)


def percent(share: float, digits: int = 1) -> str:
    """Return a share in percent; "<0.1%" and ">99.9%" where rounding would claim none or all."""
    least = 10.0**-digits
    shown = round(100 * share, digits)
    if share > 0 and shown == 0:
        return f"<{least:.{digits}f}%"
    if share < 1 and shown == 100:
        return f">{100 - least:.{digits}f}%"
    return f"{shown:.{digits}f}%".replace("-", MINUS)


def share(part: float, whole: float | None) -> str:
    """Return part / whole in percent, or nothing when there is no whole."""
    return percent(part / whole) if whole else ""
