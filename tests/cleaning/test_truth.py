"""Scoring a run: the arithmetic on rows made by hand, then whole runs over the sample that ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import cli
from cleaning.truth import duplicates, load_truth, outcomes, personal_data, score, score_run, truth_of
from tests.support.cleaning import clean_here


def rows(*lines: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    return {("f", number): line for number, line in enumerate(lines)}


def copy(group: str | None, relation: str = "near") -> dict[str, Any]:
    return {"status": None, "group": group, "relation": relation} if group else {"status": "kept"}


def decided(given: str, survivor: str | None = None, reason: str = "near_duplicate") -> dict[str, Any]:
    dropped = (
        {"status": "dropped", "reasons": [reason]} if survivor else {"status": "kept", "reasons": [], "texts": [""]}
    )
    return {"id": given, "cluster": survivor, "edits": [], **dropped}


def test_duplicates_of_the_right_group_are_right() -> None:
    truth = rows(copy("g"), copy("g"), copy("g"), copy(None), copy("e", "exact"), copy("e", "exact"))
    found = rows(
        decided("a", "b"),
        decided("b"),
        decided("c"),
        decided("d", "b"),
        decided("e"),
        decided("e", "e", "exact_duplicate"),
    )
    scores = duplicates(truth, found)
    assert scores["recall"]["near"] == {"hits": 1, "of": 2, "share": 0.5}
    assert scores["recall"]["exact"] == {"hits": 1, "of": 1, "share": 1.0}
    assert scores["precision"]["near_duplicate"] == {"hits": 1, "of": 2, "share": 0.5}
    assert scores["precision"]["exact_duplicate"]["share"] == 1.0
    assert scores["precision"]["reference_duplicate"]["share"] is None


def test_a_group_of_which_nothing_stays_is_an_error() -> None:
    truth = rows(copy("g"), copy("g"))
    scores = duplicates(truth, rows(decided("a", "b"), decided("b", "a")))
    assert scores["precision"]["near_duplicate"] == {"hits": 1, "of": 2, "share": 0.5}


def test_a_duplicate_of_a_row_of_another_group_is_an_error() -> None:
    truth = rows(copy("g"), copy("g"), copy("h"), copy("h"))
    scores = duplicates(truth, rows(decided("a"), decided("b", "c"), decided("c"), decided("d")))
    assert scores["precision"]["near_duplicate"]["hits"] == scores["recall"]["near"]["hits"] == 0


def planted(*found: tuple[str, str]) -> dict[str, Any]:
    return {"pii": [{"kind": kind, "form": kind, "value": value} for kind, value in found]}


def test_personal_data_counts_a_value_once_it_is_gone_under_its_own_name() -> None:
    mobile = ("phone", "13800138000")
    scores = personal_data(
        [
            (planted(mobile), ["call <phone>"]),
            (planted(mobile), ["call 13800138000"]),
            (planted(mobile), ["call <bank_card>"]),  # gone, but as something else: wrong twice
            (planted(mobile), ["call "]),  # gone without a trace is not what the rule promises
            (planted(), ["pi = <phone>"]),
            (planted(("email", "a@b.org"), ("email", "c@d.org")), ["<email>", "c@d.org"]),
        ]
    )
    assert scores["recall"]["phone"] == {"hits": 1, "of": 4, "share": 0.25}
    assert scores["precision"]["phone"] == {"hits": 1, "of": 2, "share": 0.5}
    assert scores["precision"]["bank_card"] == {"hits": 0, "of": 1, "share": 0.0}
    assert scores["recall"]["email"] == {"hits": 1, "of": 2, "share": 0.5}
    assert scores["precision"]["email"]["share"] == 1.0


def test_score_counts_status_texts_and_clean_rows() -> None:
    truth = rows(
        {"status": "kept"},
        {"status": "kept"},
        {"status": "kept", "dirt": ["markup"], "vanish": [["markup", "<b>"]], "survive": [["text", "bold"]]},
        {"status": "dropped", "reasons": ["minimum_length"]},
        {"status": "dropped", "reasons": ["minimum_length"]},
    )
    found = rows(
        decided("a"),
        {**decided("b"), "edits": [{"rule": "html", "count": 1}]},
        {**decided("c"), "texts": ["<b>bold", "x"]},
        decided("d", "a", "minimum_length"),
        decided("e", "a", "html"),
    )
    scores = score(truth, found)
    assert scores["status"] == {"hits": 4, "of": 5, "share": 0.8}
    assert scores["clean_kept"]["share"] == 1.0
    assert scores["clean_unchanged"] == {"hits": 1, "of": 2, "share": 0.5}
    assert scores["vanish"]["markup"]["hits"] == 0
    assert scores["survive"]["text"]["hits"] == 1
    with pytest.raises(ValueError, match="not the same input"):
        score(truth, rows(decided("a")))


def cleaned(root: Path, output: Path, *settings: str) -> dict[str, Any]:
    """Clean a shipped sample by the local executor; return the scores."""
    words = [f"output={output}", "executor=local", "workers=2", *settings[1:]]
    arguments = ["--config", str(root / "configs" / "cleaning" / settings[0])]
    assert cli.main(["clean", "--quiet", *arguments, *(word for s in words for word in ("--set", s))]) == 0
    truth = truth_of(root / "cleaning" / output.name)
    assert truth is not None
    return score_run(output, truth)


@pytest.fixture(scope="module")
def instructions(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return cleaned(root, tmp_path_factory.mktemp("run") / "sample", "quickstart.yaml")


@pytest.fixture(scope="module")
def documents(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    source = root / "cleaning" / "sample_documents"
    return cleaned(
        root,
        tmp_path_factory.mktemp("run") / "sample_documents",
        "document.yaml",
        f"input={source}",
        "policy=web-document",
    )


def at_least(least: float, shares: dict[str, Any]) -> bool:
    return all(one["share"] is None or one["share"] >= least for one in shares.values())


@pytest.mark.parametrize("sample", ["instructions", "documents"])
def test_duplicates_of_the_sample(sample: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(sample)["duplicates"]
    assert {"exact", "near", "cleaned"} < found["recall"].keys()
    assert at_least(0.98, found["recall"]), found
    assert found["precision"]["near_duplicate"]["of"] > 30
    assert at_least(0.99, found["precision"]), found


@pytest.mark.parametrize("sample", ["instructions", "documents"])
def test_personal_data_of_the_sample(sample: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(sample)["pii"]
    assert at_least(0.95, found["recall"]), found["recall"]
    assert at_least(0.98, found["precision"]), found["precision"]


@pytest.mark.parametrize("sample", ["instructions", "documents"])
def test_what_must_survive_and_what_must_vanish(sample: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(sample)
    assert at_least(0.99, found["survive"]), found["survive"]
    assert at_least(0.95, found["vanish"]), found["vanish"]


@pytest.mark.parametrize("sample", ["instructions", "documents"])
def test_rows_meet_their_fate_and_clean_ones_stay(sample: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(sample)
    assert found["status"]["share"] >= 0.99
    assert found["clean_kept"]["share"] >= 0.97
    if sample == "instructions":
        assert found["clean_unchanged"]["share"] >= 0.99


def test_outcomes_give_the_cleaned_texts_of_kept_rows(root: Path, tmp_path: Path) -> None:
    """Every format of the sample: the texts in good/ are those of the row that the ledger names."""
    source = root / "cleaning" / "sample"
    clean_here(source, tmp_path / "run", "policy=[]", "quarantine_limit=0.05")
    found = outcomes(tmp_path / "run")
    path = truth_of(source)
    assert path is not None
    kept = {place: row for place, row in load_truth(path).items() if found[place]["status"] == "kept"}
    assert {name for name, _ in kept} == {file.name for file in source.iterdir()}
    assert all(
        one["value"] in "\n".join(found[place]["texts"]) for place, row in kept.items() for one in row.get("pii", [])
    )
