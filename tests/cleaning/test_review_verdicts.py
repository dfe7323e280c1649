"""What readers said of real rows: `tests/review/*.csv`, ids and verdicts only; docs/LOG.md says how they were read."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from utils.report.intervals import wilson

FOLDER = Path(__file__).resolve().parent.parent / "review"
DEFECTS = {
    "", "duplicate", "empty_answer", "markup_left", "damaged_characters", "personal_data", "harmed_by_edit",
    "truncated", "meaningless", "ad", "other",
}  # fmt: skip


def verdicts(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["zh", "en", "second_zh", "second_en"])
def test_files_hold_ids_and_verdicts_and_no_text(name: str) -> None:
    rows = verdicts(name)
    assert len(rows) >= (25 if name.startswith("second") else 300)
    for row in rows:
        assert list(row) == ["clean_id", "status", "verdict", "defect"]
        assert re.fullmatch(r"[0-9a-f]{32}", row["clean_id"])
        assert row["status"] in {"kept", "dropped"}
        assert row["verdict"] in {"clean", "dirty"}
        assert row["defect"] in DEFECTS
        assert (row["verdict"] == "clean") == (row["defect"] == "")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_more_than_three_in_a_hundred_clean_rows_are_dropped(lang: str) -> None:
    """Dropped rows are oversampled, so the share of the sample is above that of the data."""
    clean = [row["status"] for row in verdicts(lang) if row["verdict"] == "clean"]
    _, high = wilson(clean.count("dropped"), len(clean))
    assert high <= 0.03
