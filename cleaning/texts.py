"""The texts of a batch as columns, with what the scan saw of each; rules read these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

    from cleaning.scan import Scan

ANSWERS = frozenset({"assistant", "document"})
"""Roles whose texts a model learns to write."""


@dataclass
class Texts:
    """Texts of rows, in order.

    Args:
        fields: one mapping per row: the row as read, for rules on metadata; None for an unreadable one.
        row: uint32 (n,), ascending: the row of each text.
        place: which of the row's texts it is, from 0.
        role: `user`, `assistant`, `system`, `document`, …
        text: as the rules so far have left it.
        scan: signs (n,) and counts (n, k) of `text`.

    """

    fields: Sequence[dict[str, Any] | None]
    row: np.ndarray
    place: Sequence[int] | np.ndarray
    role: Sequence[str]
    text: list[str]
    scan: Scan
    sought: np.ndarray = field(init=False)
    """bool (n,): the texts with the trigger of the rule that measures now, if it has one."""

    @property
    def rows(self) -> int:
        """Number of rows; one without any text is in no line of the columns."""
        return len(self.fields)

    def count(self, *names: str) -> np.ndarray:
        """Return int64 (n,): the sum of these columns of `scan.COUNTS` for every text."""
        from cleaning.scan import AT

        return self.scan.counts[:, [AT[name] for name in names]].sum(axis=1, dtype="int64")

    @cached_property
    def _spoken(self) -> np.ndarray:
        import numpy as np

        return np.fromiter((role in ANSWERS for role in self.role), bool, len(self.role))

    def spoken(self) -> np.ndarray:
        """Return bool (n,): answers and documents."""
        return self._spoken

    def per_row(self, values: np.ndarray, how: Literal["sum", "min", "max"] = "sum", none: float = 0) -> np.ndarray:
        """Return float64 (rows,): the values of a row's texts together.

        Args:
            values: (n,); texts whose value is NaN are left out.
            how: how they are taken together.
            none: for rows with no such text.

        """
        import numpy as np

        start = {"sum": 0.0, "min": np.inf, "max": -np.inf}[how]
        ufunc = {"sum": np.add, "min": np.minimum, "max": np.maximum}[how]
        given = ~np.isnan(values)
        result = np.full(self.rows, start)
        ufunc.at(result, self.row[given], values[given])
        empty = np.bincount(self.row[given], minlength=self.rows) == 0
        result[empty] = none
        return result
