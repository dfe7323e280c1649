"""Numbers of steps that left little."""

from __future__ import annotations

from rounds.results import curve, tiers
from utils.data.ledger import decisions_table, write_decisions


def test_a_training_that_logged_nothing_has_no_curve(tmp_path):
    assert curve(tmp_path, "loss") == []
    (tmp_path / "metrics.jsonl").write_text("")
    assert curve(tmp_path, "loss") == []
    (tmp_path / "metrics.jsonl").write_text('{"step": 3, "loss": 1.5}\n{"step": 3, "eval_loss": 2}\n')
    assert curve(tmp_path, "loss") == [(3, 1.5)]


def test_a_folder_named_like_a_glob_is_read(tmp_path):
    place = tmp_path / "a[1]*" / "tier"
    (place / "ledger").mkdir(parents=True)
    rows = [{"id": "0" * 32, "status": "kept", "reasons": [], "into": "tiers/easy"}]
    write_decisions(decisions_table(rows), place / "ledger" / "decisions.parquet")
    assert tiers(place) == {"tiers/easy": 1}
