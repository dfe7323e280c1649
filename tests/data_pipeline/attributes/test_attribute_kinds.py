"""The union of kinds and the folder of kinds agree; a config that cannot be measured is refused."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from data_pipeline.attributes.config import AnyAttribute, AttributesConfig
from utils.errors import UserError
from utils.runs.config import load_config


def config(*overrides: str) -> AttributesConfig:
    return load_config(AttributesConfig, None, ["input=rows.jsonl", "output=run", *overrides])


def test_every_file_is_in_the_union_under_its_own_name(root: Path) -> None:
    files = {path.stem for path in (root / "data_pipeline/attributes/kinds").glob("*.py")} - {"__init__"}
    kinds = get_args(get_args(AnyAttribute)[0])
    assert {kind.__module__.rpartition(".")[2] for kind in kinds} == files
    assert {kind.model_fields["kind"].default for kind in kinds} == files
    assert all(isinstance(kind.version, int) and kind.scope in {"rows", "all"} for kind in kinds)


def test_levels_put_the_embedding_before_the_cluster() -> None:
    levels = config("attributes=[{kind: cluster}, {kind: embedding}, {kind: text_statistics}]").levels()
    assert [[attribute.key for attribute in level] for level in levels] == [
        ["embedding", "text_statistics"],
        ["cluster"],
    ]


def test_only_brings_what_it_builds_on() -> None:
    assert [[a.key for a in level] for level in config("only=[cluster]").levels()] == [["embedding"], ["cluster"]]
    assert [[a.key for a in level] for level in config("only=[text_statistics]").levels()] == [["text_statistics"]]


def test_two_embeddings_live_side_by_side_under_two_names() -> None:
    two = "attributes=[{kind: embedding}, {kind: embedding, name: prompts, text: prompt}]"
    assert [a.key for a in config(two).levels()[0]] == ["embedding", "prompts"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("attributes=[{kind: embedding}, {kind: embedding}]", "two attributes are called 'embedding'"),
        ("attributes=[{kind: cluster}]", "no attribute is called 'embedding'"),
        ("attributes=[{kind: cluster, embedding: cluster}]", "build on each other: cluster"),
        ("only=[tags]", "no attribute is called 'tags'"),
        ("attributes=[{kind: clusters}]", "clusters"),
        ("attributes=[{kind: embedding, dimension: 8}]", "nearest: dimensions"),
    ],
)
def test_bad_configs_are_refused(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        config(override)
