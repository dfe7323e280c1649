"""A row of the sample while it is made, with all that is known to be right for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Draft:
    """One row to be, and its truth.

    Args:
        lang: zh or en.
        turns: question, answer, question, … ; a document is one turn.
        plain: the turns without dirt, which resemblance is measured on; `turns` at first.
        status: kept, dropped or quarantined; None where it is left open (which of two near duplicates stays).
        reasons: why it is dropped, where that is certain.
        dirt: the kinds of dirt in it; none for a clean row.
        group: rows of which one may stay; `relation` is exact, cleaned (equal after cleaning) or near.
        family: rows that resemble each other on purpose.
        pii: `{kind, form, value}` of every piece of personal data.
        survive: `(kind, text)` that must be found in the cleaned row.
        vanish: `(kind, text)` that must not.
        raw: the line as it stands in the file, where it was written by hand or is broken.

    """

    lang: str
    turns: list[str]
    plain: list[str] = field(default_factory=list)
    status: str | None = "kept"
    reasons: list[str] = field(default_factory=list)
    dirt: list[str] = field(default_factory=list)
    group: str | None = None
    relation: str | None = None
    family: str | None = None
    pii: list[dict[str, str]] = field(default_factory=list)
    survive: list[tuple[str, str]] = field(default_factory=list)
    vanish: list[tuple[str, str]] = field(default_factory=list)
    raw: bytes | None = None

    def __post_init__(self) -> None:
        """Take the turns as plain ones unless others are given."""
        self.plain = self.plain or list(self.turns)

    def truth(self, source_file: str, source_row: int) -> dict[str, Any]:
        """Return the line of the truth file; what is empty is left out, but for the status."""
        place = {"source_file": source_file, "source_row": source_row, "lang": self.lang, "status": self.status}
        marks = {"reasons": self.reasons, "dirt": self.dirt, "group": self.group, "relation": self.relation}
        texts = {"pii": self.pii, "survive": self.survive, "vanish": self.vanish}
        return {**place, **{name: value for name, value in {**marks, **texts}.items() if value}}
