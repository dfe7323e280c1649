"""A card over a small tier run: every number worked out by hand, nothing of unknown licence shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from stages import run

import cli
from data_pipeline.attributes.kinds.embedding import vector_column
from data_pipeline.attributes.taxonomy.mapping import keyword_nodes
from data_pipeline.attributes.taxonomy.tree import Taxonomy
from data_pipeline.card.coverage import quota
from data_pipeline.card.numbers import distributions
from data_pipeline.card.origin import _ABSOLUTE, _last_parts
from data_pipeline.card.readme import _line
from utils.data.records import Record, content_id, from_dicts, records_to_table, write_parquet
from utils.runs.commit import read_json, replace_json

TAXONOMY = {
    "nodes": [
        {
            "name": "work",
            "zh": "工作",
            "en": "Work",
            "children": [
                {"name": "code", "zh": "编程", "keywords": ["python", "代码"], "rows": 3},
                {"name": "maths", "zh": "数学", "keywords": ["计算", "sum"], "share": 0.5},
            ],
        },
        {"name": "poems", "zh": "诗歌", "keywords": ["诗", "poem"], "rows": 1},
    ]
}


def record(source: str, asked: str, answer: str = "好") -> Record:
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return Record(content_id(from_dicts(turns)), source, "zh" if asked[0] >= "\u4e00" else "en", from_dicts(turns))


SETS = {
    "tiers/easy": [
        record("a", "写一段代码", "<email> <phone> <phone>"),
        record("a", "Use Python to sum", "call 13812345678 now"),
        record("b", "计算一下"),
        record("c", "no node here", "abc@gmail.com"),
    ],
    "tiers/hard": [record("b", "写一首诗"), record("c", "pythons are snakes")],
    "held_out": [record("a", "秘密的题目")],
}


@pytest.fixture
def tier(tmp_path: Path) -> Path:
    root = tmp_path / "tier"
    for name, records in SETS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_parquet(records_to_table(records), root / f"{name}.parquet")
    replace_json(root / "manifest.json", {"verb": "tier", "outputs": {}})
    return root


def attribute(run_path: Path, name: str, table: pl.DataFrame, **columns: Any) -> None:
    folder = run_path / "attributes" / name
    folder.mkdir(parents=True)
    arrow = table.to_arrow(compat_level=pl.CompatLevel.oldest())
    for column, values in columns.items():
        arrow = arrow.append_column(column, values)
    write_parquet(arrow, folder / "part-00000.parquet")
    manifest = {
        "columns": {f.name: str(f.type) for f in arrow.schema},
        "parts": ["part-00000.parquet"],
        "rows": len(arrow),
    }
    replace_json(folder / "manifest.json", {**manifest, "name": name, "seed": 1, "parameters": {"kind": "embedding"}})


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """Score 1 … 7 in the order of SETS, but for the last, which is null; two clusters; vectors, two of them equal."""
    ids = [one.id for records in SETS.values() for one in records]
    path = tmp_path / "measured"
    attribute(path, "quality", pl.DataFrame({"id": ids, "score": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, None]}))
    names = ["x", "x", "x", "y", "y", "y", "y"]
    clusters = pl.DataFrame({"id": ids, "cluster": [0 if n == "x" else 1 for n in names], "cluster_name": names})
    attribute(path, "cluster", clusters)
    vectors = np.zeros((7, 8), dtype=np.float32)
    vectors[np.arange(7), [0, 0, 1, 2, 3, 3, 4]] = 1
    attribute(path, "embedding", pl.DataFrame({"id": ids}), embedding=vector_column(vectors))
    return path


def card(tmp_path: Path, tier: Path, **keys: Any) -> tuple[int, Path]:
    output = tmp_path / f"card-{len(list(tmp_path.glob('card-*.yaml')))}"
    licences = {"a": "MIT", "b": "LicenseRef-house"}
    return run("card", {"input": str(tier), "output": str(output), "licences": licences, **keys}, tmp_path), output


def test_numbers_by_hand(tier: Path, measured: Path, tmp_path: Path) -> None:
    target = {"name": "even", "shares": {"a": 0.5, "b": 0.5}}
    code, path = card(tmp_path, tier, attributes=str(measured), taxonomy=TAXONOMY, source_target=target)
    assert code == 0
    stats = read_json(path / "stats.json")
    assert (stats["rows"], stats["distinct_ids"]) == (7, 7)
    easy = stats["sets"]["tiers/easy"]
    # tokens: 5 + 3, 4 + 3, 4 + 1, 3 + 3; a Chinese character is one, a word or number of other scripts one
    assert (easy["rows"], easy["tokens"], easy["by_lang"]["zh"]["rows"]) == (4, 8 + 7 + 5 + 6, 2)
    assert stats["licences"]["c"] == {"licence": "unknown", "rows": 2, "tokens": 6 + 4}
    score = stats["scores"]["quality.score"]
    part = next(p for p in score["parts"] if (p["set"], p["lang"]) == ("tiers/easy", "*"))
    assert (part["rows"], part["missing"], part["mean"], part["quantiles"]["median"]) == (4, 0, 2.5, 2.5)
    assert score["edges"] == [1, 2, 3, 4, 5, 6, 7] and part["counts"] == [1, 1, 1, 1, 0, 0]
    held_out = next(p for p in score["parts"] if (p["set"], p["lang"]) == ("held_out", "*"))
    assert (held_out["missing"], held_out["mean"]) == (1, None)
    assert [(one["name"], one["rows"], one["by_set"]) for one in stats["clusters"]] == [
        ("y", 4, {"held_out": 1, "tiers/easy": 1, "tiers/hard": 2}),
        ("x", 3, {"tiers/easy": 3}),
    ]
    # easy: rows 1 and 2 are one vector, the others alone; hard: both are one
    found = stats["redundancy"]["sets"]
    assert found["tiers/easy"]["after"] == {"nearest": 0.5, "alike": 0.5}
    assert found["tiers/hard"]["after"] == {"nearest": 1.0, "alike": 1.0}
    assert "held_out" not in found, "one row has no neighbour"
    shares = {one["source"]: (one["tokens"], one["target"]) for one in stats["source_target"]["parts"]}
    assert shares == {"a": (15, 0.5), "b": (5 + 5, 0.5), "*": (10, None)}


def test_personal_data_is_counted_and_shown_nowhere_by_the_card(tier: Path, tmp_path: Path) -> None:
    _, path = card(tmp_path, tier)
    found = read_json(path / "stats.json")["personal_data"]
    assert found["placeholders"]["tiers/easy"] == {"phone": 2, "email": 1}
    assert found["still_found"]["tiers/easy"] == {"phone": 1, "email": 1}
    assert found["still_found"]["tiers/hard"] == {}
    assert found["replaced_in_cleaning"] is None, "no cleaning run is known: that is not none"
    text = (path / "README.md").read_text()
    assert "| email 1, phone 1 |" in text and "nobody counted" in text


def test_what_cleaning_replaced_is_found_through_the_runs(tmp_path: Path) -> None:
    """A real chain: clean, then the card of the cleaned rows."""
    rows = [
        {"instruction": f"问题{n}：我的邮箱是什么？", "input": "", "output": f"wang{n}@gmail.com"} for n in range(3)
    ]
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    keys = [f"input={source}", f"output={tmp_path / 'clean'}", "executor=local", "workers=1"]
    command = ["clean", "--config", "configs/cleaning/quickstart.yaml", "--quiet"]
    assert cli.main([*command, *(word for key in keys for word in ("--set", key))]) == 0
    kept = read_json(tmp_path / "clean" / "manifest.json")["counts"]["kept"]
    code, path = card(tmp_path, tmp_path / "clean")
    stats = read_json(path / "stats.json")
    assert (code, stats["rows"]) == (0, kept)
    assert stats["personal_data"]["replaced_in_cleaning"] == {"email": 3}
    assert stats["made"][0]["verb"] == "clean"
    assert str(tmp_path) not in (path / "README.md").read_text(), "folders of this machine stay here"


def test_unknown_licences_and_held_out_rows_are_in_no_preview(tier: Path, tmp_path: Path) -> None:
    _, path = card(tmp_path, tier)
    shown = [json.loads(line) for line in (path / "preview.jsonl").read_text().splitlines()]
    assert sorted(row["source"] for row in shown) == ["a", "a", "b", "b"]
    for name in ("README.md", "card.html", "preview.jsonl"):
        text = (path / name).read_text()
        assert "pythons are snakes" not in text and "秘密的题目" not in text
    assert "2 rows are of unknown licence" in (path / "README.md").read_text()


def test_models_of_unknown_licence_are_told_and_in_no_preview(tier: Path, tmp_path: Path) -> None:
    one, two = (record("a", f"问题{n}") for n in range(2))
    told = [Record(r.id, "a", "zh", r.messages, {"model": m}) for r, m in ((one, "own"), (two, "gpt-9"))]
    write_parquet(records_to_table(told), tier / "tiers" / "told.parquet")
    _, path = card(tmp_path, tier, model_licences={"own": "CC0-1.0"})
    stats = read_json(path / "stats.json")
    assert {name: (m["licence"], m["rows"]) for name, m in stats["model_licences"].items()} == {
        "own": ("CC0-1.0", 1),
        "gpt-9": ("unknown", 1),
    }
    allowed = stats["exportable"]
    assert allowed["held_back"] == {"unknown_licence": 2, "unknown_model_licence": 1}
    assert (allowed["rows"]["tiers/told"], allowed["licences"]) == (1, ["CC0-1.0", "LicenseRef-house", "MIT"])
    assert "问题0" in (path / "preview.jsonl").read_text() and "问题1" not in (path / "preview.jsonl").read_text()
    assert "| gpt-9 | unknown | 1 |" in (path / "README.md").read_text()


def test_only_folders_of_this_machine_are_cut_from_commands() -> None:
    words = ["--config", "configs/card/default.yaml", "input=/home/me/data/x.json", "a=../b/c/d", "/one/two/three"]
    assert [_ABSOLUTE.sub(_last_parts, word) for word in words] == [
        "--config",
        "configs/card/default.yaml",
        "input=…/data/x.json",
        "a=../b/c/d",
        "…/two/three",
    ]


def test_front_matter_is_what_hugging_face_reads(tier: Path, tmp_path: Path) -> None:
    _, path = card(tmp_path, tier, title="My | data")
    head = yaml.safe_load((path / "README.md").read_text().split("---\n")[1])
    assert head == {
        "pretty_name": "My | data",
        "language": ["en", "zh"],
        "license": ["mit", "other"],
        "task_categories": ["text-generation"],
        "size_categories": ["n<1K"],
        "configs": [
            {"config_name": "easy", "data_files": "easy.jsonl"},
            {"config_name": "hard", "data_files": "hard.jsonl"},
        ],
        "license_name": "licenseref-house",
    }
    from huggingface_hub import DatasetCard

    assert DatasetCard.load(path / "README.md").data.to_dict()["license"] == ["mit", "other"]


def test_coverage_by_hand(tier: Path, measured: Path, tmp_path: Path) -> None:
    _, path = card(tmp_path, tier, attributes=str(measured), taxonomy=TAXONOMY)
    found = read_json(path / "stats.json")["coverage"]
    nodes = {node["node"]: node for node in found["nodes"]}
    # “Use Python to sum” has a keyword of both; the longer one decides. “pythons” is another word.
    assert {name: node["rows"] for name, node in nodes.items()} == {"work": 3, "code": 2, "maths": 1, "poems": 1}
    assert (nodes["work"]["own_rows"], nodes["code"]["depth"], nodes["code"]["by_set"]) == (0, 1, {"tiers/easy": 2})
    assert {name: (node["wanted"], node["short"]) for name, node in nodes.items()} == {
        "work": (None, None),
        "code": (3, 1),
        "maths": (3, 2),  # half of six rows
        "poems": (1, 0),
    }
    assert (found["rows"], found["mapped"], found["unmapped"]) == (6, {"keyword": 4}, 2)
    assert [(one["cluster_name"], one["rows"]) for one in found["unmapped_clusters"]] == [("y", 2)]
    quota = yaml.safe_load((path / "quota.yaml").read_text())
    assert quota["quotas"] == [{"by": "taxonomy.nodes", "rows": {"code": 1, "maths": 2, "*": 0}}]
    assert Taxonomy.model_validate(quota["taxonomy"]) == Taxonomy.model_validate(TAXONOMY)


def test_coverage_by_a_measured_taxonomy_and_by_tags(tier: Path, measured: Path, tmp_path: Path) -> None:
    """An attribute that maps as the tree does is read, whatever its targets; another tree is mapped here."""
    ids = [one.id for records in SETS.values() for one in records]
    nodes = ["code", None, "poems", None, "code", None]  # the held-out row was not measured
    how = ["keyword" if node else None for node in nodes]
    table = pl.DataFrame({"id": ids[:6], "node": nodes, "nodes": [[n] if n else [] for n in nodes], "how": how})
    attribute(measured, "tree", table)
    manifest = read_json(measured / "attributes" / "tree" / "manifest.json")
    bare = [{**node, "share": 0.9} for node in TAXONOMY["nodes"][1:]]
    tree = Taxonomy.model_validate({"nodes": [TAXONOMY["nodes"][0], *[{**one, "rows": None} for one in bare]]})
    manifest["parameters"] = {"kind": "taxonomy", "tree": tree.model_dump(mode="json")}
    replace_json(measured / "attributes" / "tree" / "manifest.json", manifest)
    _, path = card(tmp_path, tier, attributes=str(measured), taxonomy=TAXONOMY)
    found = read_json(path / "stats.json")["coverage"]
    assert (found["attribute"], found["mapped"], found["unmapped"]) == ("tree", {"keyword": 3}, 3)
    assert {node["node"]: node["rows"] for node in found["nodes"]} == {"work": 2, "code": 2, "maths": 0, "poems": 1}
    _, path = card(tmp_path, tier, attributes=str(measured))
    found = read_json(path / "stats.json")["coverage"]
    assert next(node["wanted"] for node in found["nodes"] if node["node"] == "poems") == 6, "the attribute's own target"
    attribute(measured, "labels", pl.DataFrame({"id": ids[:3], "label": ["Poems", "verse", "other"]}))
    nodes_by_tag = [{"name": "poems", "tags": ["verse"]}, {"name": "maths", "keywords": ["计算"], "rows": 9}]
    by_tag = {"column": "labels.label", "nodes": nodes_by_tag}
    _, path = card(tmp_path, tier, attributes=str(measured), taxonomy=by_tag)
    found = read_json(path / "stats.json")["coverage"]
    assert (found["attribute"], found["mapped"]) == (None, {"keyword": 1, "tag": 2})
    assert [(node["node"], node["rows"]) for node in found["nodes"]] == [("poems", 2), ("maths", 1)]


def test_a_quota_gives_a_node_the_room_that_those_below_it_need() -> None:
    tree = Taxonomy.model_validate(
        {"nodes": [{"name": "a", "keywords": ["x"], "children": [{"name": "b"}, {"name": "c"}]}, {"name": "d"}]}
    )

    def rows(**short: int) -> dict[str, int]:
        nodes = [{"node": name, "short": short.get(name)} for name in "abcd"]
        found: dict[str, int] = quota({"nodes": nodes}, tree, None)["quotas"][0]["rows"]
        return found

    assert rows(a=2, b=3, c=1) == {"a": 4, "b": 3, "c": 1, "*": 0}
    assert rows(a=9, b=3) == {"a": 9, "b": 3, "*": 0}
    assert rows(b=3, a=0) == {"b": 3, "*": 0}
    assert rows() == {"*": 0}, "where nothing is short, nothing more is taken"


def test_a_quota_file_is_taken_as_it_is_by_tier(tmp_path: Path) -> None:
    """Measured, carded, and filled from other rows: no node gets more than it lacks."""
    asked = {"has": ["写一段代码", "Use Python now", "no node"], "more": ["代码一", "代码二", "计算三", "诗四", "none"]}
    for name, texts in asked.items():
        turns = [[{"role": "user", "content": text}, {"role": "assistant", "content": "…"}] for text in texts]
        rows = "".join(json.dumps({"messages": one}, ensure_ascii=False) + "\n" for one in turns)
        (tmp_path / f"{name}.jsonl").write_text(rows, encoding="utf-8")
    attributes = [{"kind": "text_statistics"}, {"kind": "taxonomy", "tree": TAXONOMY}]
    for name in asked:
        config = {"input": str(tmp_path / f"{name}.jsonl"), "output": str(tmp_path / f"measured-{name}")}
        assert run("attributes", {**config, "attributes": attributes, "executor": "local", "workers": 1}, tmp_path) == 0
    _, path = card(tmp_path, tmp_path / "has.jsonl", attributes=str(tmp_path / "measured-has"))
    rows_wanted = yaml.safe_load((path / "quota.yaml").read_text())["quotas"][0]["rows"]
    assert rows_wanted == {"code": 1, "maths": 2, "poems": 1, "*": 0}
    config = {
        "input": str(tmp_path / "more.jsonl"),
        "attributes": str(tmp_path / "measured-more"),
        "output": str(tmp_path / "fill"),
        "difficulty": "text_statistics.characters",
        "bands": [{"name": "fill", "quantiles": [0, 1]}],
        "families": None,
        "quotas": str(path / "quota.yaml"),
    }
    assert run("tier", config, tmp_path) == 0
    taken = pl.read_parquet(tmp_path / "fill" / "tiers" / "fill.parquet")["messages"].to_list()
    said = sorted(messages[0]["content"] for messages in taken)
    assert len(said) == 3 and said[1:] == ["计算三", "诗四"] and said[0] in ("代码一", "代码二")


def test_rows_without_keyword_go_to_the_nearest_prototype(tmp_path: Path) -> None:
    """With a real attributes run, whose embedding measures the prototypes too."""
    texts = ["Translate this sentence into French please", "把这句话翻译成法语", "zzz qqq xxx"]
    source = tmp_path / "rows.jsonl"
    rows = [{"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "…"}]} for text in texts]
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    keys = [f"input={source}", f"output={tmp_path / 'measured'}", "executor=local", "workers=1", "only=[embedding]"]
    assert cli.main(["attributes", "--quiet", *(word for key in keys for word in ("--set", key))]) == 0
    nodes = [
        {"name": "translation", "prototypes": ["Translate this sentence into German please", "把这句话翻译成德语"]},
        {"name": "other", "keywords": ["never"]},
    ]
    taxonomy = tmp_path / "taxonomy.yaml"
    taxonomy.write_text(yaml.safe_dump({"floor": 0.6, "nodes": nodes}, allow_unicode=True), encoding="utf-8")
    code, path = card(tmp_path, source, attributes=str(tmp_path / "measured"), taxonomy=str(taxonomy))
    assert code == 0
    found = read_json(path / "stats.json")["coverage"]
    assert (found["mapped"], found["unmapped"]) == ({"prototype": 2}, 1)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"scores": ["quality.score"]}, "`scores` need `attributes`"),
        ({"taxonomy": {"nodes": [{"name": "a"}]}}, "no node has keywords or prototypes"),
        ({"taxonomy": {"nodes": [{"name": "a", "keywords": ["x"]}, {"name": "a"}]}}, "two nodes are called 'a'"),
        ({"taxonomy": {"nodes": [{"name": "a", "prototypes": ["x"]}]}}, "no embedding to compare with"),
        ({"taxonomy": {"nodes": [{"name": "a", "keyword": ["x"]}]}}, "taxonomy.nodes.0.keyword"),
        ({"source_target": {"name": "t", "shares": {"a": 0.7, "b": 0.7}}}, "sum to at most 1, not 1.4"),
        ({"sets": ["tier/*"]}, "there are tiers/easy, tiers/hard, held_out"),
    ],
)
def test_what_cannot_be_told_is_refused(
    tier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: dict[str, Any], message: str
) -> None:
    code, path = card(tmp_path, tier, **keys)
    assert code == 2
    assert message in capsys.readouterr().err
    assert not (path / "stats.json").exists()


def test_a_score_that_is_no_number_is_refused(
    tier: Path, measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert card(tmp_path, tier, attributes=str(measured), scores=["cluster.cluster_name"])[0] == 2
    assert "cluster.cluster_name is no number" in capsys.readouterr().err


def test_twice_is_the_same_bytes(tier: Path, measured: Path, tmp_path: Path) -> None:
    keys = {"attributes": str(measured), "taxonomy": TAXONOMY, "title": "t"}
    _, one = card(tmp_path, tier, **keys)
    _, two = card(tmp_path, tier, **keys)
    for name in ("README.md", "card.html", "stats.json", "preview.jsonl", "quota.yaml"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_keywords_in_both_languages() -> None:
    taxonomy = Taxonomy.model_validate(
        {"nodes": [{"name": "cpp", "keywords": ["C++"]}, {"name": "ml", "keywords": ["machine learning", "机器学习"]}]}
    )
    texts = ["用c++写", "Ｃ＋＋ rules", "cpp", "MACHINE-LEARNING?", "machine  learnings", "学习机器学习吧", ""]
    expected = ["cpp", "cpp", None, "ml", None, "ml", None]
    assert keyword_nodes(pl.Series(texts), taxonomy).to_list() == expected


def test_values_beyond_the_outer_edges_are_in_the_outer_bins() -> None:
    values = [*np.linspace(0, 1, 999), 1000.0]
    frame = pl.DataFrame({"set": ["s"] * 1000, "lang": ["en"] * 1000, "x.y": values})
    found = distributions(frame, ["x.y"])["x.y"]
    assert found["edges"][-1] < 1.1 and sum(found["parts"][0]["counts"]) == 1000


def test_a_row_of_megabytes_is_cut_on_the_card_alone(tier: Path, tmp_path: Path) -> None:
    write_parquet(records_to_table([record("a", "长" * 200_000)]), tier / "tiers" / "easy.parquet")
    _, path = card(tmp_path, tier, sets=["tiers/easy"])
    assert "长" * 200_000 in (path / "preview.jsonl").read_text()
    assert "长" * 4000 + "… (+196000)" in (path / "card.html").read_text()
    assert max(map(len, (path / "README.md").read_text().splitlines())) < 3000


def test_texts_cannot_break_out_of_a_table() -> None:
    assert _line("a | b\n<script> `x`") == "a \\| b &lt;script> 'x'"
