"""card.html: the card as a self-contained page in English and Chinese, with the histograms of all scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from data_pipeline.card.numbers import tiers_or_all
from data_pipeline.exports.licences import UNKNOWN
from utils.report.page import (
    Bar,
    BarList,
    Block,
    Cell,
    Code,
    Column,
    Details,
    Fact,
    Facts,
    LineChart,
    Paragraph,
    Point,
    Section,
    Series,
    Table,
    Text,
    render_page,
)

Stats = dict[str, Any]
_ALL = Text("all", "全部")
_SET, _ROWS, _TOKENS = Text("set", "集合"), Text("rows", "行数"), Text("tokens", "词元")
_CLUSTERS = 20
_SETS_IN_A_CHART = 6
_LONGEST = 4000  # characters of a message here; preview.jsonl has it whole
_CHART_ROWS = 20  # measured rows of a language; fewer make no histogram


def page(stats: Stats, shown: Sequence[dict[str, Any]]) -> str:
    """Return the page as HTML text.

    Args:
        stats: what `card.run.statistics` found.
        shown: the preview.

    """
    sections = [
        Section(Text("At a glance", "概览"), _overview(stats)),
        Section(Text("Licences and sources", "许可与来源"), _licences(stats)),
        Section(Text("Personal data", "个人信息"), _personal(stats)),
        Section(Text("Scores", "评分"), _scores(stats)),
        Section(Text("Clusters and redundancy", "聚类与冗余"), [*_clusters(stats), *_redundancy(stats)]),
        Section(Text("Coverage", "覆盖"), [*_coverage(stats), *_target(stats)]),
        Section(Text("Rows to look at", "样例"), _examples(shown)),
        Section(Text("How it was made", "制作过程"), _made(stats)),
    ]
    title = Text("Dataset card", "数据集卡片")
    return render_page(title, subtitle=stats["name"], sections=[one for one in sections if one.blocks])


def _overview(stats: Stats) -> list[Block]:
    unknown = sum(stats["exportable"]["held_back"].values())
    still = sum(sum(kinds.values()) for kinds in stats["personal_data"]["still_found"].values())
    facts = [
        Fact(Text("rows", "行数"), stats["rows"]),
        Fact(Text("tokens, estimated", "词元（估计）"), stats["tokens"]),
        Fact(
            Text("rows of unknown licence", "许可不明的行"),
            unknown,
            Text("not exported", "不导出"),
            "warn" if unknown else "plain",
        ),
        Fact(Text("personal data still found", "仍发现的个人信息"), still, tone="warn" if still else "plain"),
    ]
    languages = list(dict.fromkeys(lang for about in stats["sets"].values() for lang in about["by_lang"]))
    columns = [
        Column(_SET, "code"),
        Column(_ROWS, "integer"),
        Column(_TOKENS, "integer"),
        *(Column(lang, "integer") for lang in languages),
    ]
    rows: list[list[Cell]] = [
        [name, about["rows"], about["tokens"], *(about["by_lang"].get(lang, {}).get("rows", 0) for lang in languages)]
        for name, about in stats["sets"].items()
    ]
    return [Facts(facts), Table(columns, rows, Text("Rows by set and language", "各集合与语言的行数"))]


def _licences(stats: Stats) -> list[Block]:
    blocks: list[Block] = [_by_licence(Text("source", "来源"), stats["licences"])]
    if stats["model_licences"]:
        blocks.append(_by_licence(Text("model that rows name", "行中注明的模型"), stats["model_licences"]))
    if stats["exportable"]["held_back"]:
        words = Text(
            "Rows whose source, or a model that they name, is of unknown licence are not exported, nor shown below.",
            "来源或所注明模型许可不明的行不会被导出，也不在下面的样例中。",
        )
        blocks.append(Paragraph(words, "warn"))
    return blocks


def _by_licence(what: Text, found: Stats) -> Table:
    ordered = sorted(found.items(), key=lambda item: (-item[1]["rows"], item[0]))
    columns = [
        Column(what, "code"),
        Column(Text("licence", "许可"), "code"),
        Column(_ROWS, "integer"),
        Column(_TOKENS, "integer"),
    ]
    rows: list[list[Cell]] = [[name, one["licence"], one["rows"], one["tokens"]] for name, one in ordered]
    return Table(columns, rows, emphasis=[at for at, (_, one) in enumerate(ordered) if one["licence"] == UNKNOWN])


def _personal(stats: Stats) -> list[Block]:
    found = stats["personal_data"]
    gone = found["replaced_in_cleaning"]
    blocks: list[Block] = []
    if gone is None:
        blocks.append(Paragraph(Text("No cleaning run is known: not counted.", "没有已知的清洗记录：未计数。"), "warn"))
    elif not gone:
        blocks.append(Paragraph(Text("Cleaning found none to replace.", "清洗时没有发现需要替换的个人信息。")))
    else:
        caption = Text("Replaced in cleaning, in all rows that it read", "清洗时已替换（全部读入的行）")
        blocks.append(BarList([Bar(kind, count, "warn") for kind, count in gone.items()], None, caption))
    columns = [
        Column(_SET, "code"),
        Column(Text("placeholders", "占位符"), "integer"),
        Column(Text("still found", "仍发现"), "integer"),
        Column(Text("kinds still found", "仍发现的种类")),
    ]
    rows: list[list[Cell]] = [
        [
            name,
            sum(found["placeholders"][name].values()),
            sum(kinds.values()),
            ", ".join(f"{kind} {count}" for kind, count in kinds.items()) or "–",
        ]
        for name, kinds in found["still_found"].items()
    ]
    caption = Text(
        "Still found by the same detectors, in code and formulas too, which cleaning leaves alone",
        "由同一检测器发现，包括清洗时不改动的代码与公式",
    )
    return [*blocks, Table(columns, rows, caption)]


def _scores(stats: Stats) -> list[Block]:
    blocks: list[Block] = []
    for at, (column, about) in enumerate(stats["scores"].items()):
        measured = Counter[str]()
        for part in about["parts"]:
            measured[part["lang"]] += part["rows"] - part["missing"]
        languages = [lang for lang, rows in measured.items() if lang == "*" or rows >= _CHART_ROWS]
        charts: list[Block] = [_histogram(column, about, lang) for lang in languages]
        blocks.append(Details(column, [*charts[:1], _quantiles(about), *charts[1:]], open=at == 0))
    return blocks


def _histogram(column: str, about: Stats, lang: str) -> LineChart:
    """Draw the share of rows per bin, a bar for each tier, or for each set where there are no tiers.

    Every chart has the same sets in the same order, so that a colour is one set's on the whole page.
    """
    counts = {part["set"]: part["counts"] for part in about["parts"] if part["lang"] == lang}
    names = tiers_or_all(dict.fromkeys(part["set"] for part in about["parts"]))[:_SETS_IN_A_CHART]
    none = [0] * (len(about["edges"]) - 1)
    series = [
        Series(
            name, [Point(at, n / max(1, sum(counts.get(name, none)))) for at, n in enumerate(counts.get(name, none))]
        )
        for name in names
    ]
    edges = about["edges"]
    whole = all(edge == round(edge) for edge in edges) and edges[1] - edges[0] == 1
    bins = [f"{edge:.0f}" if whole else f"{edge:.3g}" for edge in edges[:-1]]
    tongue = _ALL if lang == "*" else Text(lang, lang)
    title = Text(f"{column}: {tongue.en}", f"{column}：{tongue.zh}")
    label = Text("from", "起点")
    return LineChart(series, title, label, Text("share of rows", "行占比"), x_names=bins, style="percent", bars=True)


def _quantiles(about: Stats) -> Table:
    marks = ("p5", "median", "p95")
    columns = [
        Column(_SET, "code"),
        Column(Text("language", "语言")),
        Column(_ROWS, "integer"),
        Column(Text("missing", "缺失"), "integer"),
        Column(Text("mean", "均值"), "number", 3),
        *(Column(mark, "number", 3) for mark in marks),
    ]
    rows: list[list[Cell]] = [
        [
            part["set"],
            _ALL if part["lang"] == "*" else part["lang"],
            part["rows"],
            part["missing"],
            part["mean"],
            *(part["quantiles"][mark] for mark in marks),
        ]
        for part in about["parts"]
    ]
    return Table(columns, rows)


def _clusters(stats: Stats) -> list[Block]:
    if not stats["clusters"]:
        return []
    bars = [Bar(one["name"] or Text("no cluster", "无聚类"), one["rows"]) for one in stats["clusters"][:_CLUSTERS]]
    n = len(stats["clusters"])
    caption = Text(f"The largest {len(bars)} of {n} clusters, in rows", f"{n} 个聚类中最大的 {len(bars)} 个（行数）")
    return [BarList(bars, stats["rows"], caption)]


def _redundancy(stats: Stats) -> list[Block]:
    found = stats["redundancy"]
    bars = [Bar(reason, rows) for reason, rows in stats["duplicates_dropped"].items()]
    gone: list[Block] = [BarList(bars, None, Text("Rows dropped as duplicates", "作为重复删除的行"))] if bars else []
    if not found or not found["sets"]:
        return gone
    columns = [
        Column(_SET, "code"),
        Column(Text("rows compared", "比较的行"), "integer"),
        Column(Text("nearest, before", "最近余弦·前"), "number", 3),
        Column(Text("nearest, after", "最近余弦·后"), "number", 3),
        Column(Text("alike, before", "近似占比·前"), "percent"),
        Column(Text("alike, after", "近似占比·后"), "percent"),
    ]
    rows: list[list[Cell]] = [
        [
            name,
            one["rows"],
            one["before"]["nearest"],
            one["after"]["nearest"],
            one["before"]["alike"],
            one["after"]["alike"],
        ]
        for name, one in found["sets"].items()
    ]
    limit = found["alike_from"]
    caption = Text(
        f"Mean cosine to the nearest other row, and the share with one at {limit} or more; before: as many of all rows",
        f"与最近一行的平均余弦，以及不低于 {limit} 的占比；“前”取全部行中同样多的行",
    )
    return [*gone, Table(columns, rows, caption)]


def _coverage(stats: Stats) -> list[Block]:
    found = stats["coverage"]
    if not found:
        return []
    sets = tiers_or_all(stats["sets"])
    columns = [
        Column(Text("node", "节点")),
        Column(_ROWS, "integer"),
        Column(_TOKENS, "integer"),
        Column(Text("wanted", "目标"), "integer"),
        Column(Text("short", "缺口"), "integer"),
        *(Column(name.removeprefix("tiers/"), "integer") for name in sets),
    ]
    rows: list[list[Cell]] = [
        [
            _indented(node),
            node["rows"],
            node["tokens"],
            node["wanted"],
            node["short"],
            *(node["by_set"].get(name, 0) for name in sets),
        ]
        for node in found["nodes"]
    ]
    short = [at for at, node in enumerate(found["nodes"]) if node["short"]]
    facts = [
        Fact(Text("rows", "行数"), found["rows"]),
        *(Fact(_HOW[how], count, tone="good") for how, count in found["mapped"].items()),
        Fact(Text("no node", "无节点"), found["unmapped"], tone="warn"),
    ]
    caption = Text("A node counts what is below it; marked: under its target", "节点含其下各级；标出的低于目标")
    blocks: list[Block] = [Facts(facts, found["rows"]), Table(columns, rows, caption, short)]
    if found["unmapped_clusters"]:
        bars = [Bar(one["cluster_name"], one["rows"]) for one in found["unmapped_clusters"]]
        blocks.append(BarList(bars, None, Text("Largest clusters without a node", "无节点的最大聚类")))
    return blocks


_HOW = {
    "tag": Text("by tag", "按标签"),
    "keyword": Text("by keyword", "按关键词"),
    "prototype": Text("by prototype", "按原型"),
}


def _indented(node: Stats) -> Text:
    space = "\u00a0" * (4 * node["depth"])
    return Text(space + (node["en"] or node["node"]), space + (node["zh"] or node["node"]))


def _target(stats: Stats) -> list[Block]:
    found = stats["source_target"]
    if not found:
        return []
    columns = [
        Column(Text("source", "来源"), "code"),
        Column(_TOKENS, "integer"),
        Column(Text("share", "占比"), "percent"),
        Column(Text("target", "目标"), "percent"),
    ]
    rows: list[list[Cell]] = [[one["source"], one["tokens"], one["share"], one["target"]] for one in found["parts"]]
    name = found["name"]
    return [Table(columns, rows, Text(f"Token share by source, target: {name}", f"各来源词元占比，目标：{name}"))]


def _examples(shown: Sequence[dict[str, Any]]) -> list[Block]:
    return [
        Details(
            f"{row['set']} · {row['lang']} · {row['source']} · {row['clean_id'][:12]}",
            [Code(_cut(message["content"]), message["role"]) for message in row["messages"]],
        )
        for row in shown
    ]


def _cut(text: str) -> str:
    more = len(text) - _LONGEST
    return text if more <= 0 else f"{text[:_LONGEST]}… (+{more})"


def _made(stats: Stats) -> list[Block]:
    blocks: list[Block] = []
    for one in stats["made"]:
        if one["verb"] is None:
            words = Text(f"{one['run']}: its manifest is gone", f"{one['run']}：找不到其清单")
            blocks.append(Paragraph(words, "warn"))
            continue
        caption = f"{one['verb']} · {one['run']} · {one['finished']} · code {one['code'][:12]} · key {one['key'][:12]}"
        blocks.append(Code(" ".join(one["command"]), caption))
    return blocks or [Paragraph(Text("The rows come from no run of posttrain.", "这些行不来自 posttrain 的运行。"))]
