"""README.md of a data set: front matter as Hugging Face reads it, then the card in words and tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from data_pipeline.card.config import CardConfig
from data_pipeline.card.numbers import QUANTILES, tiers_or_all
from data_pipeline.exports.licences import UNKNOWN, UNKNOWN_LICENCE, UNKNOWN_MODEL, hugging_face_name
from data_pipeline.exports.sets import file_stem
from utils.report.numerals import numeral, percent

Stats = dict[str, Any]
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_SHOWN = 20  # lines of a table of clusters or sources
_EXAMPLES = 3
_LONGEST = 2000  # characters of an example here


def readme(stats: Stats, shown: Sequence[dict[str, Any]], config: CardConfig) -> str:
    """Return the card as Markdown.

    Args:
        stats: what `card.run.statistics` found.
        shown: the preview; the first rows of it stand on the card.
        config: title, description, tasks.

    """
    head = yaml.safe_dump(front_matter(stats, config), allow_unicode=True, sort_keys=False)
    parts = [
        f"---\n{head}---\n\n# {_line(stats['name'])}\n",
        config.description.strip() + "\n" if config.description.strip() else "",
        _sets(stats),
        _licences(stats),
        _personal(stats),
        _scores(stats),
        _clusters(stats),
        _redundancy(stats),
        _coverage(stats),
        _target(stats),
        _examples(shown),
        _made(stats),
    ]
    return "\n".join(part for part in parts if part)


def front_matter(stats: Stats, config: CardConfig) -> dict[str, Any]:
    """Return the YAML head: of the rows that may be exported, those of known licence in the tiers."""
    allowed = stats["exportable"]
    licences = allowed["licences"]
    names = sorted({hugging_face_name(licence) for licence in licences}) or [UNKNOWN]
    sets = {name: rows for name, rows in allowed["rows"].items() if name != "held_out"}
    tiers = {name: rows for name, rows in sets.items() if name.startswith("tiers/")} or sets
    rows = sum(tiers.values())
    head: dict[str, Any] = {
        "pretty_name": stats["name"],
        "language": [lang for lang in allowed["languages"] if lang in ("zh", "en")],
        "license": names if len(names) > 1 else names[0],
        "task_categories": list(config.task_categories),
        "size_categories": [next((name for limit, name in _SIZES if rows < limit), "n>10M")],
        "configs": [
            {"config_name": file_stem(name), "data_files": f"{file_stem(name)}.jsonl"} for name, n in tiers.items() if n
        ],
    }
    if "other" in names:
        others = [licence for licence in licences if hugging_face_name(licence) == "other"]
        head["license_name"] = ", ".join(others).lower()
    return {key: value for key, value in head.items() if value not in ([], None)}


def _sets(stats: Stats) -> str:
    rows = [
        [
            name,
            numeral(about["rows"]),
            numeral(about["tokens"]),
            numeral(about["characters"]),
            ", ".join(f"{lang} {numeral(some['rows'])}" for lang, some in about["by_lang"].items()),
        ]
        for name, about in stats["sets"].items()
    ]
    words = (
        f"{numeral(stats['rows'])} rows, {numeral(stats['tokens'])} tokens. Tokens are an estimate: Chinese, Japanese "
        "and Korean characters, and words of other scripts. `posttrain export` with `to.kind=trl` writes the files "
        "that the head names; this card belongs beside them."
    )
    return f"## Sets\n\n{words}\n\n{_table(['set', 'rows', 'tokens', 'characters', 'languages'], rows)}"


def _licences(stats: Stats) -> str:
    why = stats["exportable"]["held_back"]
    sources, models = why.get(UNKNOWN_LICENCE, 0), why.get(UNKNOWN_MODEL, 0)
    words = f"{numeral(sources)} rows are of unknown licence: they are not exported, and not in the preview."
    parts = [f"## Licences\n\n{words}\n", _by_licence("source", stats["licences"])]
    if stats["model_licences"]:
        words = f"{numeral(models)} rows more name a model of unknown licence, and stay as well. Models that rows name:"
        parts += [f"{words}\n", _by_licence("model", stats["model_licences"])]
    return "\n".join(parts)


def _by_licence(what: str, found: Stats) -> str:
    rows = [
        [name, about["licence"], numeral(about["rows"]), numeral(about["tokens"])]
        for name, about in sorted(found.items(), key=lambda item: (-item[1]["rows"], item[0]))
    ]
    return _table([what, "licence", "rows", "tokens"], rows)


def _personal(stats: Stats) -> str:
    """Say what was replaced, what stands there as a placeholder, and what detectors still find."""
    found = stats["personal_data"]
    gone = found["replaced_in_cleaning"]
    if gone is None:
        words = "No cleaning run is known, so nobody counted what was replaced before."
    else:
        words = f"Cleaning replaced in all rows that it read, kept or not: {_kinds(gone)}."
    rows = [
        [name, _kinds(found["placeholders"][name]), _kinds(found["still_found"][name])]
        for name in found["placeholders"]
    ]
    head = ["set", "placeholders in the texts", "still found by the same detectors, in code and formulas too"]
    return f"## Personal data\n\n{words}\n\n{_table(head, rows)}"


def _kinds(kinds: dict[str, int]) -> str:
    return ", ".join(f"{kind} {numeral(count)}" for kind, count in kinds.items()) or "none"


def _scores(stats: Stats) -> str:
    if not stats["scores"]:
        return ""
    head = ["score", "set", "language", "rows", "missing", "mean", *QUANTILES]
    tiers = tiers_or_all(stats["sets"])
    rows = [
        [
            column,
            part["set"],
            part["lang"],
            numeral(part["rows"]),
            numeral(part["missing"]),
            *(_short(value) for value in (part["mean"], *part["quantiles"].values())),
        ]
        for column, about in stats["scores"].items()
        for part in about["parts"]
        if part["set"] in tiers
    ]
    words = "`*` is all languages. Histograms and other sets are in card.html, all counts in stats.json."
    return f"## Scores\n\n{words}\n\n{_table(head, rows)}"


def _short(value: float | None) -> str:
    return numeral(value, digits=0 if value is not None and (abs(value) >= 100 or value == int(value)) else 2)


def _clusters(stats: Stats) -> str:
    if not stats["clusters"]:
        return ""
    sets = list(stats["sets"])
    rows = [
        [str(one["name"] or "none"), numeral(one["rows"]), *(numeral(one["by_set"].get(name, 0)) for name in sets)]
        for one in stats["clusters"][:_SHOWN]
    ]
    words = f"{len(stats['clusters'])} clusters; the largest {len(rows)} are:"
    return f"## Clusters\n\n{words}\n\n{_table(['cluster', 'rows', *sets], rows)}"


def _redundancy(stats: Stats) -> str:
    found, dropped = stats["redundancy"], _kinds(stats["duplicates_dropped"])
    gone = f"Dropped on the way as duplicates, in rows: {dropped}."
    if not found or not found["sets"]:
        return f"## Redundancy\n\n{gone}\n"
    rows = [
        [
            name,
            numeral(one["rows"]),
            *(numeral(one[when]["nearest"], digits=3) for when in ("before", "after")),
            *(percent(one[when]["alike"]) for when in ("before", "after")),
        ]
        for name, one in found["sets"].items()
    ]
    words = (
        f"Mean cosine of a row to its nearest other row (`{found['embedding']}`), and the share of rows that have one "
        f"at {found['alike_from']} or more. Before is as many of all measured rows as of the set."
    )
    head = ["set", "rows compared", "nearest before", "after", "alike before", "after"]
    return f"## Redundancy\n\n{gone}\n\n{words}\n\n{_table(head, rows)}"


def _coverage(stats: Stats) -> str:
    found = stats["coverage"]
    if not found:
        return ""
    sets = tiers_or_all(stats["sets"])
    rows = [
        [
            "\u2003" * node["depth"] + (node["en"] or node["zh"] or node["node"]),
            numeral(node["rows"]),
            numeral(node["tokens"]),
            numeral(node["wanted"]),
            numeral(node["short"]),
            *(numeral(node["by_set"].get(name, 0)) for name in sets),
        ]
        for node in found["nodes"]
    ]
    mapped = ", ".join(f"{numeral(count)} by {how}" for how, count in found["mapped"].items()) or "none"
    words = f"Of {numeral(found['rows'])} rows {mapped}; {numeral(found['unmapped'])} belong to no node."
    if found["not_measured"]:
        words += f" {numeral(found['not_measured'])} of these were not measured by `{found['attribute']}`."
    text = f"## Coverage\n\n{words}\n\n{_table(['node', 'rows', 'tokens', 'wanted', 'short', *sets], rows)}"
    if found["unmapped_clusters"]:
        rest = [
            [one["cluster_name"], numeral(one["rows"]), numeral(one["tokens"])] for one in found["unmapped_clusters"]
        ]
        text += f"\nThe largest clusters of rows without a node:\n\n{_table(['cluster', 'rows', 'tokens'], rest)}"
    return text


def _target(stats: Stats) -> str:
    found = stats["source_target"]
    if not found:
        return ""
    rows = [
        [
            one["source"],
            numeral(one["tokens"]),
            numeral(one["share"], "percent"),
            numeral(one["target"], "percent"),
        ]
        for one in found["parts"]
    ]
    words = f"Share of tokens by source beside the target `{_line(found['name'])}`; `*` is what it does not name."
    return f"## Mixture\n\n{words}\n\n{_table(['source', 'tokens', 'share', 'target'], rows)}"


def _examples(shown: Sequence[dict[str, Any]]) -> str:
    """Return the first rows of the preview; indented, so that no text can end its block."""
    if not shown:
        return ""
    lines = [json.dumps(row, ensure_ascii=False) for row in shown[:_EXAMPLES]]
    listed = "\n".join(f"    {line[:_LONGEST]}{'…' if len(line) > _LONGEST else ''}" for line in lines)
    words = f"The first of {len(shown)} rows in preview.jsonl, long ones cut:"
    return f"## Examples\n\n{words}\n\n{listed}\n"


def _made(stats: Stats) -> str:
    if not stats["made"]:
        return "## How it was made\n\nThe rows come from no run of posttrain.\n"
    parts = []
    for one in stats["made"]:
        if one["verb"] is None:
            parts.append(f"- `{one['run']}`: its manifest is not there any more")
            continue
        counts = ", ".join(f"{name} {numeral(count)}" for name, count in one["counts"].items())
        why = ", ".join(f"{reason} {numeral(count)}" for reason, count in one["by_reason"].items())
        read = ", ".join(f"`{_line(two['path'])}` {two['sha256'][:12]}" for two in one["inputs"])
        parts.append(
            f"- **{one['verb']}** `{one['run']}`, {one['finished']}: {counts}{f' ({why})' if why else ''}\n"
            f"  - command: `{_line(' '.join(one['command']))}`\n"
            f"  - code {one['code'][:12]}, key {one['key'][:12]}, commit {(one['git_commit'] or 'none')[:12]}\n"
            f"  - read: {read}"
        )
    return "## How it was made\n\n" + "\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_line(cell) for cell in line) + " |" for line in lines) + "\n"


def _line(text: str) -> str:
    """Return a text that stays in its cell and is not read as markup."""
    plain = " ".join(str(text).split()) if not str(text).startswith("\u2003") else str(text).replace("\n", " ")
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
