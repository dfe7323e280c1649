"""Rows and the nodes of a user's tree: by tags, keywords and prototypes; what a tree must not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from stages import jsonl, run

from data_pipeline.attributes.store import load_attribute
from data_pipeline.attributes.taxonomy.mapping import tag_nodes, tags_of
from data_pipeline.attributes.taxonomy.tree import Taxonomy
from utils.data.records import content_id, from_dicts
from utils.errors import UserError
from utils.runs.commit import read_json

TREE: dict[str, Any] = {
    "column": "keyword_tags.tags",
    "floor": 0.6,
    "nodes": [
        {
            "name": "work",
            "children": [
                {"name": "programs", "tags": ["code"], "keywords": ["python"]},
                {"name": "numbers", "tags": ["maths"]},
            ],
        },
        {"name": "translation", "prototypes": ["Auf Deutsch bitte, mein Freund: good morning"]},
        {"name": "poems", "keywords": ["诗", "poem"]},
    ],
}
ASKED = {
    "Write a Python function that reverses a list": ("programs", "tag"),
    "把下面的句子翻译成英语:今天下雨。": ("translation", "tag"),  # a node is a tag by its own name
    "计算 17 和 25 的平均值": ("numbers", "tag"),
    "诗": ("poems", "keyword"),
    "Auf Deutsch bitte, mein Freund: good evening": ("translation", "prototype"),
    "zzz": (None, None),
}


def measured(tmp_path: Path, tree: Any, **keys: Any) -> tuple[int, Path]:
    rows = [{"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "…"}]} for text in ASKED]
    attributes = [{"kind": "keyword_tags"}, {"kind": "embedding"}, {"kind": "taxonomy", "tree": tree, **keys}]
    output = tmp_path / f"measured-{len(list(tmp_path.glob('measured-*.yaml')))}"
    config = {"input": str(jsonl(tmp_path / "rows.jsonl", rows)), "output": str(output), "attributes": attributes}
    return run("attributes", {**config, "executor": "local", "workers": 1}, tmp_path), output


def test_tags_then_keywords_then_prototypes(tmp_path: Path) -> None:
    code, output = measured(tmp_path, TREE)
    assert code == 0
    found = {row["id"]: row for row in load_attribute(output, "taxonomy").to_dicts()}
    said = [from_dicts([{"role": "user", "content": text}, {"role": "assistant", "content": "…"}]) for text in ASKED]
    rows = [found[content_id(messages)] for messages in said]
    assert [(row["node"], row["how"]) for row in rows] == list(ASKED.values())
    assert [row["nodes"] for row in rows] == [
        ["work", "programs"],
        ["translation"],
        ["work", "numbers"],
        ["poems"],
        ["translation"],
        [],
    ]
    assert read_json(output / "attributes" / "taxonomy" / "manifest.json")["summary"] == {
        "own_rows": {"work": 0, "programs": 1, "numbers": 1, "translation": 2, "poems": 1},
        "how": {"keyword": 1, "prototype": 1, "tag": 3},
        "unmapped": 1,
    }


def test_a_tree_by_file_measures_only_what_it_needs(tmp_path: Path) -> None:
    """Keywords alone build on nothing; the file's content is the parameter, so the run's key has it."""
    path = tmp_path / "tree.yaml"
    path.write_text(yaml.safe_dump({"nodes": TREE["nodes"][2:]}, allow_unicode=True), encoding="utf-8")
    code, output = measured(tmp_path, str(path))
    assert code == 0
    assert load_attribute(output, "taxonomy")["node"].to_list() == [None, None, None, "poems", None, None]
    manifest = read_json(output / "attributes" / "taxonomy" / "manifest.json")
    assert manifest["parameters"]["tree"]["nodes"][0]["keywords"] == ["诗", "poem"]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"nodes": [{"name": "a", "tags": ["x"], "keywords": ["y"]}]}, "no `column` says where rows have theirs"),
        ({"column": "k.tags", "nodes": [{"name": "a", "tags": ["B"]}, {"name": "b"}]}, "'b' belongs to two nodes"),
        ({"column": "tags", "nodes": [{"name": "a"}]}, "column"),
        ({"column": "nothing.tags", "nodes": [{"name": "a"}]}, "no attribute is called 'nothing'"),
        ({"column": "keyword_tags.labels", "nodes": [{"name": "a"}]}, "keyword_tags has no column labels"),
        ({"column": "embedding.embedding", "nodes": [{"name": "a"}]}, "no tag and no list of tags"),
    ],
)
def test_a_tree_that_could_not_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tree: dict[str, Any], message: str
) -> None:
    code, _ = measured(tmp_path, tree)
    assert code == 2
    assert message in capsys.readouterr().err


def test_the_first_tag_that_a_node_has_decides() -> None:
    tree = Taxonomy.model_validate({"column": "k.tags", "nodes": [{"name": "a", "tags": ["数学 "]}, {"name": "b"}]})
    rows = pl.Series([["z", "Ｂ", "a"], ["数学"], [], None, ["z"]], dtype=pl.List(pl.String))
    assert tag_nodes(tags_of(rows, "k.tags"), tree).to_list() == ["b", "a", None, None, None]
    assert tag_nodes(tags_of(pl.Series(["b", None]), "k.label"), tree).to_list() == ["b", None]
    with pytest.raises(UserError, match="is Int64, no tag"):
        tags_of(pl.Series([1, 2]), "k.label")
