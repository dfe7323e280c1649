"""From labelled rows to a scorer and its scores, as the command line does it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scorer_rows import rows, written

import cli
from data_pipeline.attributes.kinds.scorer import Scored
from data_pipeline.scorers.fit import fit
from data_pipeline.scorers.labels import read_labelled
from data_pipeline.scorers.scorer import load, save
from utils.data.records import read_parquet, records_to_table
from utils.data.streaming import iter_records
from utils.errors import UserError


def scores(scorer: Path, source: Path, output: Path) -> pl.DataFrame:
    argv = ["attributes", "score", "--scorer", str(scorer), "--input", str(source), "--output", str(output)]
    assert cli.main(argv) == 0
    return pl.DataFrame(pl.from_arrow(read_parquet(output)))


def test_scores_tell_unseen_rows_apart_in_both_languages(scorer: Path, tmp_path: Path) -> None:
    asked = ["Prove that kettles exist", "Spell the word kettles", "推导茶壶的公式是", "列出两种茶壶来吧"]
    unseen = [
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "?"}]} for text in asked
    ]
    found = scores(scorer, written(tmp_path / "in.jsonl", unseen), tmp_path / "out.parquet")
    assert found.columns == ["row", "id", "score"]
    assert found["row"].to_list() == [0, 1, 2, 3]
    hard_en, easy_en, hard_zh, easy_zh = found["score"].to_list()
    assert 0 <= easy_en < 0.5 < hard_en <= 1
    assert 0 <= easy_zh < 0.5 < hard_zh <= 1


def test_the_card_says_how_good_it_is_and_against_what(scorer: Path) -> None:
    card = json.loads((scorer / "card.json").read_text(encoding="utf-8"))
    assert card["data"]["task"] == "binary"
    assert card["data"]["labels"] == {"0": 80, "1": 80}
    assert card["data"]["languages"] == {"en": 80, "zh": 80}
    assert card["data"]["formats"] == ["alpaca"]
    found = card["measures"]["auc"]
    assert card["length_alone"].keys() == {"model of both lengths", "answer length as the score"}
    for alone in card["length_alone"].values():
        assert alone["value"] <= alone["high"] < found["low"] <= found["value"]
    assert {"rank_correlation", "accuracy"} < card["measures"].keys()
    assert set(card["calibration"]) == {"en", "zh"}
    assert {one["model"] for one in card["tried"]} == {"linear", "forest", "both"}
    page = (scorer / "card.md").read_text(encoding="utf-8")
    assert "length alone" in page
    assert card["data"]["sha256"] in page


def test_another_process_gives_the_same_scores_from_the_files(scorer: Path, labels: Path, tmp_path: Path) -> None:
    assert sorted(path.suffix for path in scorer.iterdir()) == [".json", ".json", ".md", ".npz"]
    found = scores(scorer, labels, tmp_path / "here.parquet")
    argv = ["attributes", "score", "--scorer", str(scorer), "--input", str(labels)]
    code = f"import cli, sys; sys.exit(cli.main({[*argv, '--output', str(tmp_path / 'there.parquet')]!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=Path(cli.__file__).parent)
    there = pl.DataFrame(pl.from_arrow(read_parquet(tmp_path / "there.parquet")))
    assert there.equals(found)


def test_what_is_loaded_equals_what_was_trained(labels: Path, tmp_path: Path) -> None:
    labelled = read_labelled(labels)
    trained = fit(labelled, "difficulty", "offline", 1).scorer
    trained.weight = 0.5  # so that both models speak
    save(trained, tmp_path)
    assert load(tmp_path).score(labelled.rows).equals(trained.score(labelled.rows))


def test_the_trees_from_arrays_equal_scikit_learns() -> None:
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    from data_pipeline.scorers.models import TREES, Forest

    random = np.random.default_rng(0)
    x = random.normal(size=(120, 6)).astype(np.float32)
    y = (x[:, 0] + random.normal(size=120) > 0).astype(np.int64)
    theirs = ExtraTreesClassifier(TREES, min_samples_leaf=2, max_features=0.2, random_state=3).fit(x, y)
    own = 1 / (1 + np.exp(-Forest.fitted("binary", x, y, 1, 2, 3).output(x)[:, 0]))
    np.testing.assert_allclose(own, np.clip(theirs.predict_proba(x)[:, 1], 1e-3, 1 - 1e-3), atol=1e-6)
    numbers = x[:, 1] * 3
    straight = ExtraTreesRegressor(TREES, min_samples_leaf=2, max_features=0.2, random_state=3).fit(x, numbers)
    found = Forest.fitted("number", x, numbers, 1, 2, 3).output(x)[:, 0]
    np.testing.assert_allclose(found, straight.predict(x), atol=1e-5)


def test_a_score_does_not_depend_on_the_other_rows(scorer: Path, labels: Path) -> None:
    table = records_to_table(list(iter_records(labels)))
    frame = pl.DataFrame(pl.from_arrow(table))
    together = load(scorer).score(frame)
    alone = pl.concat([load(scorer).score(frame[number : number + 1]) for number in range(0, 160, 40)])
    assert together[::40].equals(alone)


def test_classes_get_a_label_and_its_probability(tmp_path: Path) -> None:
    named = [row | {"label": ["easy", "hard"][row["label"]]} for row in rows()]
    named[0]["label"] = named[0]["label"] + "est"  # a class of one row: never known where it is asked for
    folder = tmp_path / "kinds"
    labels = written(tmp_path / "labels.jsonl", named)
    assert cli.main(["attributes", "fit", "--labels", str(labels), "--target", "kind", "--output", str(folder)]) == 0
    found = scores(folder, labels, tmp_path / "out.parquet")
    assert found.columns == ["row", "id", "label", "probability"]
    right = [given["label"] == label for given, label in zip(named, found["label"], strict=True)]
    assert sum(right) > 150
    assert found["probability"].is_between(1 / 3, 1).all()


def test_numbers_are_regressed(tmp_path: Path) -> None:
    numbers = [row | {"label": 2.5 + row["label"] + number % 3 / 10} for number, row in enumerate(rows())]
    folder = tmp_path / "numbers"
    labels = written(tmp_path / "labels.jsonl", numbers)
    assert cli.main(["attributes", "fit", "--labels", str(labels), "--target", "score", "--output", str(folder)]) == 0
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["measures"].keys() == {"rank_correlation"}
    assert card["measures"]["rank_correlation"]["low"] > 0.5
    found = scores(folder, labels, tmp_path / "out.parquet")["score"].to_numpy()
    assert np.abs(found - [row["label"] for row in numbers]).mean() < 0.3


def test_equal_prompts_are_never_on_both_sides(tmp_path: Path) -> None:
    doubled = [row | {"output": row["output"] + mark} for row in rows()[:80] + rows()[80:] for mark in ("", "!")]
    labelled = read_labelled(written(tmp_path / "labels.jsonl", doubled))
    assert len(set(labelled.groups.tolist())) == 160
    from data_pipeline.scorers.fit import folds_of

    for train, test in folds_of(labelled, 0):
        assert not set(labelled.groups[train]) & set(labelled.groups[test])


def test_the_kind_of_attribute_gives_the_same_scores(scorer: Path, labels: Path, tmp_path: Path) -> None:
    frame = pl.DataFrame(pl.from_arrow(records_to_table(list(iter_records(labels)))))
    attribute = Scored(scorer=scorer)
    assert attribute.reads == [scorer]
    table = pl.DataFrame(pl.from_arrow(attribute.measure(frame, {}, 0)))
    assert table.equals(scores(scorer, labels, tmp_path / "out.parquet").drop("row"))


def test_no_rows_give_no_scores(scorer: Path, tmp_path: Path) -> None:
    found = scores(scorer, written(tmp_path / "in.jsonl", []), tmp_path / "out.parquet")
    assert (found.columns, found.height) == (["row", "id", "score"], 0)


def test_a_scorer_that_was_tampered_with_is_refused(labels: Path, scorer: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no scorer here"):
        load(tmp_path)
    for name in ("scorer.json", "arrays.npz"):
        (tmp_path / name).write_bytes((scorer / name).read_bytes())
    (tmp_path / "arrays.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"arrays\.npz is not the one"):
        load(tmp_path)
