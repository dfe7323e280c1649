"""What a taxonomy asks for and what is there: rows and tokens per node and set, shortfalls, what nothing covers."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Any

import polars as pl

from data_pipeline.card.config import SourceTarget, Taxonomy

UNMAPPED_SHOWN = 20


def coverage(frame: pl.DataFrame, taxonomy: Taxonomy) -> dict[str, Any]:
    """Return the tree with what is in it.

    Args:
        frame: `set, tokens, node, how` (keyword, prototype or null), and `cluster_name` where there are clusters. The
            rows that count for targets are those of the tiers, or of all sets where there are none.
        taxonomy: the tree.

    Returns:
        `rows`, `tokens`, `mapped` by how, `unmapped` rows, `nodes` in the order of the tree (name, names, depth, own
        rows, rows, tokens and by_set with all below, wanted, short), and the largest `unmapped_clusters`.

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
    table = rest.group_by("cluster_name").agg(pl.len().alias("rows"), pl.col("tokens").sum())
    return table.sort("rows", "cluster_name", descending=[True, False]).head(UNMAPPED_SHOWN).to_dicts()


def quota(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that are still wanted, as a quota of `posttrain tier` by the node of the taxonomy."""
    short = {node["node"]: node["short"] for node in found["nodes"] if node["short"]}
    return [{"by": "taxonomy.node", "rows": short}] if short else []


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
