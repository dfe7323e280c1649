"""F24: a whole cleaning run does not depend on Python's hash seed nor on the clock."""

import json

from tests.faults.conftest import ROOT, clean_arguments, content


def test_two_hash_seeds_and_a_false_clock_write_the_same_bytes(tmp_path, rows, calm, posttrain):
    clock = {"PYTHONPATH": str(ROOT / "tests/support/clock"), "CLOCK_AHEAD_S": "3e8"}
    assert posttrain(*clean_arguments(rows), PYTHONHASHSEED="271828", **clock)[0] == 0  # `calm` has a random seed
    manifests = [json.loads((run / "manifest.json").read_text()) for run in (calm, tmp_path / "out")]
    assert int(manifests[1]["finished"][:4]) - int(manifests[0]["finished"][:4]) in {9, 10}, "the clock was false"
    assert content(tmp_path / "out") == content(calm)
    assert manifests[0]["counts"] == manifests[1]["counts"]
