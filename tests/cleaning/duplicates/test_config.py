"""The knobs: defaults, what does not go together, what makes runs comparable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cleaning.config import CleanConfig
from cleaning.duplicates.config import Duplicates
from utils.runs.config import load_config, paths_in


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"near": {"bands": 30}}, "30 bands of 6 rows need 180 permutations"),
        ({"exact": False, "near": {}}, "leave `exact` on"),
        ({"exact": False, "earlier": ["runs/a"]}, "needs `exact`"),
        ({"near": {"threshold": 0}}, "greater than 0"),
        ({"reference": {"files": []}}, "at least 1 item"),
        ({"near": {"survivor": "shortest"}}, "longest"),
    ],
)
def test_what_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Duplicates.model_validate(given)


def test_what_decides_signatures_is_told_apart_from_what_decides_duplicates() -> None:
    base = Duplicates.model_validate({"near": {}}).signature_settings()
    for same in ({"threshold": 0.9}, {"survivor": "first"}, {"bucket_rows": 50}):
        assert Duplicates.model_validate({"near": same}).signature_settings() == base
    for other in ({"unit": "character"}, {"size": 4}, {"seed": 2}, {"bands": 16, "rows": 8}, {"word_size": 4}):
        assert Duplicates.model_validate({"near": other}).signature_settings() != base
    assert Duplicates.model_validate({"near": {}, "normalise": False}).signature_settings() != base


def test_paths_are_known_and_shipped_configs_load(root: Path) -> None:
    one = Duplicates.model_validate({"reference": {"files": ["a.jsonl"]}, "earlier": ["runs/a"]})
    assert paths_in(one) == [Path("a.jsonl"), Path("runs/a")]
    only = load_config(CleanConfig, root / "configs/cleaning/dedup-only.yaml")
    assert only.policy == [] and not only.duplicates.normalise
    near = only.duplicates.near
    assert near is not None
    assert (near.unit, near.size, near.threshold, near.bands, near.rows) == ("character", 5, 0.7, 21, 6)
    for name in ("quickstart", "instruction", "document"):
        assert load_config(CleanConfig, root / f"configs/cleaning/{name}.yaml").duplicates.near is not None
