"""What a taxonomy asks for and what is there: rows and tokens per node and set, shortfalls, what nothing covers."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Any

import polars as pl

from data_pipeline.attributes.taxonomy.tree import Node, Taxonomy
from data_pipeline.card.config import SourceTarget

UNMAPPED_SHOWN = 20


def coverage(frame: pl.DataFrame, taxonomy: Taxonomy) -> dict[str, Any]:
    """Return the tree with what is in it.

    Args:
        frame: `set, tokens, node, how` (tag, keyword, prototype or null), `cluster, cluster_name` where there are
            clusters, and `measured`, null for rows that the attribute did not see, where the nodes are an attribute's.
            The rows that count for targets are those of the tiers, or of all sets where there are none.
        taxonomy: the tree.

    Returns:
        `rows`, `tokens`, `mapped` by how, `unmapped` rows, `not_measured` of them, `nodes` in the order of the tree
        (name, names, depth, own rows; rows, tokens and by_set with all below; wanted, short), and the largest
        `unmapped_clusters`.

    """
    counted = counting(frame)
    nodes = []
    for node, above in taxonomy.walk():
        below = [other.name for other, path in taxonomy.walk() if other.name == node.name or node.name in path]
        inside, everywhere = counted.filter(pl.col("node").is_in(below)), frame.filter(pl.col("node").is_in(below))
        wanted = node.rows if node.rows is not None else math.ceil((node.share or 0) * counted.height - 1e-9) or None
        nodes.append(
            {
                "node": node.name,
                "zh": node.zh,
                "en": node.en,
                "depth": len(above),
                "own_rows": counted.filter(pl.col("node") == node.name).height,
                "rows": inside.height,
                "tokens": int(inside["tokens"].sum()),
                "by_set": dict(everywhere.group_by("set").len().sort("set").iter_rows()),
                "wanted": wanted,
                "short": max(0, wanted - inside.height) if wanted is not None else None,
            }
        )
    how = counted.drop_nulls("how").group_by("how").len().sort("how")
    return {
        "rows": counted.height,
        "tokens": int(counted["tokens"].sum()),
        "mapped": dict(how.iter_rows()),
        "unmapped": counted["node"].null_count(),
        "not_measured": counted["measured"].null_count() if "measured" in counted.columns else 0,
        "floor": taxonomy.floor,
        "nodes": nodes,
        "unmapped_clusters": _unmapped(counted),
    }


def counting(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that targets are about: those of the tiers, or all where there are no tiers."""
    tiers = frame.filter(pl.col("set").str.starts_with("tiers/"))
    return tiers if tiers.height else frame


def _unmapped(counted: pl.DataFrame) -> list[dict[str, Any]]:
    if "cluster_name" not in counted.columns:
        return []
    rest = counted.filter(pl.col("node").is_null()).drop_nulls("cluster_name")
    table = rest.group_by("cluster", "cluster_name").agg(pl.len().alias("rows"), pl.col("tokens").sum())
    return table.sort("rows", "cluster", descending=[True, False]).head(UNMAPPED_SHOWN).to_dicts()


def quota(found: dict[str, Any], taxonomy: Taxonomy, attribute: str | None) -> dict[str, Any]:
    """Return what is still wanted, as the file that `posttrain tier` and `posttrain self-instruct` take as `quota`.

    A node that is short gets at least the room that nodes below it need; rows of no such node get none (`*`).
    """
    short = {node["node"]: node["short"] or 0 for node in found["nodes"]}
    rooms: dict[str, int] = {}

    def needed(node: Node) -> int:
        rooms[node.name] = max(short[node.name], sum(needed(child) for child in node.children))
        return rooms[node.name]

    for node in taxonomy.nodes:
        needed(node)
    rows = {name: rooms[name] for name, missing in short.items() if missing}
    by = f"{attribute or 'taxonomy'}.nodes"
    tree = taxonomy.model_dump(mode="json", exclude_defaults=True)
    return {"quotas": [{"by": by, "rows": {**rows, "*": 0}}], "taxonomy": tree}


def against_target(frame: pl.DataFrame, target: SourceTarget) -> dict[str, Any]:
    """Return the share of tokens of every source beside the share that the target gives it.

    A source belongs to its own name, else to the longest glob that fits; what the target does not name is under `*`.
    """
    counted = counting(frame)
    by_source = dict(counted.group_by("source").agg(pl.col("tokens").sum()).iter_rows())
    tokens = dict.fromkeys(target.shares, 0)
    for source, some in by_source.items():
        fitting = [name for name in target.shares if name == source or fnmatchcase(source, name)]
        name = max(fitting, key=lambda one: (one == source, len(one), one), default="*")
        tokens[name] = tokens.get(name, 0) + some
    total = sum(tokens.values())
    parts = [
        {
            "source": name,
            "tokens": some,
            "share": some / total if total else None,
            "target": target.shares.get(name),
        }
        for name, some in tokens.items()
    ]
    return {"name": target.name, "tokens": total, "parts": parts}
