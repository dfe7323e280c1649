"""The numbers of a card: sizes, scores and clusters of every set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

BINS = 20
QUANTILES = {"min": 0.0, "p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
_SUMS = (pl.len().alias("rows"), pl.col("tokens").sum(), pl.col("characters").sum())


def tiers_or_all(names: Iterable[str]) -> list[str]:
    """Return which of these sets are tiers; all, where none is."""
    listed = list(names)
    return [name for name in listed if name.startswith("tiers/")] or listed


def sizes(frame: pl.DataFrame) -> dict[str, Any]:
    """Return, by set, rows, tokens, characters, and the same by language and by source; largest first."""
    found: dict[str, Any] = {}
    for (name,), part in frame.group_by(["set"], maintain_order=True):
        whole = part.select(*_SUMS).row(0, named=True)
        by = {f"by_{what}": _by(part, what) for what in ("lang", "source")}
        found[str(name)] = {**whole, **by, "turns": dict(sorted(Counter(part["turns"].to_list()).items()))}
    return found


def _by(part: pl.DataFrame, what: str) -> dict[str, Any]:
    table = part.group_by(what).agg(*_SUMS).sort("rows", what, descending=[True, False])
    return {str(row.pop(what)): row for row in table.to_dicts()}


def distributions(frame: pl.DataFrame, columns: Sequence[str]) -> dict[str, Any]:
    """Return how every score is spread in every set and language.

    Args:
        frame: `set, lang` and the columns; null and NaN are rows that were not measured.
        columns: scores.

    Returns:
        By column `edges` of the bins (values beyond the outer ones count in the outer bins) and `parts`: set, lang
        (`*` is all), rows, missing, mean, quantiles, and the counts in the bins.

    """
    found: dict[str, Any] = {}
    for column in columns:
        narrow = frame.select("set", "lang", value=pl.col(column).cast(pl.Float64).fill_nan(None))
        edges = _edges(narrow["value"].drop_nulls().to_numpy())
        parts = [
            {"set": name, "lang": lang, **_spread(values, edges)}
            for (name,), of_set in narrow.group_by(["set"], maintain_order=True)
            for lang, values in [("*", of_set["value"]), *_languages(of_set)]
        ]
        found[column] = {"edges": edges.tolist(), "parts": parts}
    return found


def _languages(of_set: pl.DataFrame) -> list[tuple[str, pl.Series]]:
    return [(str(lang), part["value"]) for (lang,), part in sorted(of_set.group_by(["lang"]), key=lambda item: item[0])]


def _edges(values: np.ndarray) -> np.ndarray:
    """Return the edges of up to `BINS` bins: of whole numbers that are few one each, else even ones over 99 %."""
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = np.quantile(values, [0.005, 0.995])
    if (values == np.round(values)).all() and values.max() - values.min() < BINS:
        return np.arange(values.min(), values.max() + 2, dtype=np.float64)
    return np.linspace(low, high, BINS + 1) if high > low else np.array([low, low + 1.0])


def _spread(values: pl.Series, edges: np.ndarray) -> dict[str, Any]:
    """Return rows, missing ones, mean, quantiles and counts in the bins; null where nothing was measured."""
    there = values.drop_nulls().to_numpy()
    about: dict[str, Any] = {"rows": len(values), "missing": len(values) - len(there)}
    if not len(there):
        return {**about, "mean": None, "quantiles": dict.fromkeys(QUANTILES), "counts": [0] * (len(edges) - 1)}
    counts, _ = np.histogram(np.clip(there, edges[0], np.nextafter(edges[-1], edges[0])), edges)
    marks = np.quantile(there, list(QUANTILES.values()))
    quantiles = {name: float(value) for name, value in zip(QUANTILES, marks, strict=True)}
    return {**about, "mean": float(there.mean()), "quantiles": quantiles, "counts": counts.tolist()}


def clusters(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the clusters with their rows in all and by set, largest first; rows without one are under null.

    Args:
        frame: `set, cluster, cluster_name`.

    """
    table = frame.group_by("cluster", "cluster_name", "set").len("rows")
    by_cluster: dict[Any, dict[str, Any]] = {}
    for cluster, name, of_set, rows in table.sort("cluster", "set", nulls_last=True).iter_rows():
        entry = by_cluster.setdefault(cluster, {"cluster": cluster, "name": name, "rows": 0, "by_set": {}})
        entry["rows"] += rows
        entry["by_set"][of_set] = rows
    return sorted(by_cluster.values(), key=lambda entry: (-entry["rows"], entry["cluster"] is None, entry["cluster"]))
