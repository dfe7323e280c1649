"""`report.html` of a tier run: from rows to tiers, what lies in them and beside them, seeds, evaluation prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data_pipeline.tier.account import TENTHS, measures_of
from data_pipeline.tier.config import TierConfig
from data_pipeline.tier.controls import TOLERANCE
from data_pipeline.tier.limits import SHORT
from data_pipeline.tier.report_evaluation import evaluation_blocks
from utils.report.page import (
    Bar,
    BarList,
    Block,
    Cell,
    Column,
    Details,
    Fact,
    Facts,
    Funnel,
    LineChart,
    Paragraph,
    Point,
    Section,
    Series,
    Table,
    Text,
    render_page,
)
from utils.runs.commit import read_json

if TYPE_CHECKING:
    from utils.runs.directory import Run

Numbers = dict[str, Any]

ACCOUNT = "tiers.json"
VALUES = 15  # languages, sources, tags in a table

_FELL = {
    "duplicate_id": Text("without repeated ids", "去掉重复编号"),
    "evaluation_prompt": Text("without evaluation prompts", "去掉评测题"),
    "held_out": Text("without the held-out part", "去掉留出部分"),
    "no_attribute": Text("measured", "有度量值"),
    "below_floor": Text("above the floors", "达到下限"),
    "no_band": Text("in a band", "落入分级区间"),
    "no_room": Text("taken: tiers and seeds", "入选：分级与种子"),
}
_UNITS = {"rows": Text("rows", "行"), "tokens": Text("tokens", "词元")}
_ROWS, _TOKENS = Column(Text("rows", "行数"), "integer"), Column(Text("tokens", "词元"), "integer")
_FAMILIES = Column(Text("prompt families", "提示词族"), "integer")


def report(run: Run, config: TierConfig, manifest: Numbers) -> None:
    """Write `report.html`."""
    account = read_json(run.path / ACCOUNT) or {}
    into = account["into"]
    page = render_page(
        Text("Tiers and seeds", "分级与种子"),
        subtitle=f"{config.name or config.output.name} · {manifest['finished']}",
        sections=[
            Section(Text("From rows to tiers", "从数据行到分级"), _funnel(manifest["counts"], account)),
            Section(Text("Tiers", "分级"), _tiers(account)),
            Section(Text("What was measured", "度量的分布"), _distributions(into, config)),
            Section(Text("Languages, sources, tags", "语言、来源、标签"), _shares(into, config)),
            Section(Text("Quotas", "配额"), _quotas(account)),
            Section(Text("Controls", "对照组"), _controls(account, config)),
            Section(Text("Seeds", "种子"), _seeds(account, config)),
            Section(Text("Evaluation prompts", "评测题去污染"), evaluation_blocks(run, config, manifest["counts"])),
        ],
    )
    with run.replaced_file("report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _of(into: Numbers, folder: str) -> dict[str, Numbers]:
    """Return the targets of one folder by their names below it."""
    return {name.removeprefix(f"{folder}/"): found for name, found in into.items() if name.startswith(f"{folder}/")}


def _funnel(counts: Numbers, account: Numbers) -> list[Block]:
    into = account["into"]
    rows = {folder: sum(one["rows"] for one in _of(into, folder).values()) for folder in ("tiers", "seeds")}
    facts = [
        Fact(Text("rows in", "输入行"), counts["in"]),
        Fact(Text("in tiers", "进入分级"), rows["tiers"], tone="good"),
        Fact(Text("in seeds", "进入种子"), rows["seeds"], tone="good"),
        Fact(Text("held out", "留出"), into["held_out"]["rows"], tone="good"),
        Fact(Text("dropped", "剔除"), counts["dropped"], tone="bad"),
        Fact(Text("not measured", "缺少度量值"), counts["quarantined"], tone="warn"),
    ]
    left, steps = counts["in"], [Bar(Text("rows in", "输入行"), counts["in"])]
    for name, fell in account["steps"].items():
        left -= fell
        steps.append(Bar(_FELL[name], left))
    by_count = sorted(counts["by_reason"].items(), key=lambda item: (-item[1], item[0]))
    reasons = [Bar(name, count, "bad") for name, count in by_count]
    blocks: list[Block] = [Facts(facts, whole=counts["in"]), Funnel(steps)]
    title = Text("first reason of each dropped row", "每个被剔除行的第一个原因")
    return [*blocks, BarList(reasons, counts["dropped"], title)] if reasons else blocks


def _tiers(account: Numbers) -> list[Block]:
    rows: list[list[Cell]] = []
    refused: list[list[Cell]] = []
    for name, tier in account["tiers"].items():
        budget = tier["budget"]
        lies = account["into"][f"tiers/{name}"]
        wanted = budget["rows"] or budget["tokens"]
        unit = None if wanted is None else "rows" if budget["rows"] else "tokens"
        unit_name = None if unit is None else _UNITS[unit]
        rows.append([name, tier["candidates"], wanted, unit_name, tier["taken"], lies["rows"], lies["tokens"]])
        refused += [[name, reason, count] for reason, count in tier["refused"].items()]
    columns = [
        Column(Text("tier", "分级")),
        Column(Text("rows of its band", "区间内行数"), "integer"),
        Column(Text("budget", "预算"), "integer"),
        Column(Text("in", "单位")),
        Column(Text("taken", "入选"), "integer"),
        Column(Text("rows without seeds", "除去种子的行数"), "integer"),
        _TOKENS,
    ]
    blocks: list[Block] = [Table(columns, rows)]
    if refused:
        titles = [Column(Text("tier", "分级")), Column(Text("reason", "原因"), "code"), _ROWS]
        said = Text("refused in its band; a row may have several reasons", "区间内被拒的行；一行可有多个原因")
        blocks.append(Details(said, [Table(titles, refused)]))
    return blocks


def _distributions(into: Numbers, config: TierConfig) -> list[Block]:
    blocks: list[Block] = []
    for measure in measures_of(config):
        deciles = {name: found["deciles"][measure] for name, found in _of(into, "tiers").items()}
        series = [
            Series(name, [Point(100 * part, value) for part, value in zip(TENTHS[:-1], found[:-1], strict=True)])
            for name, found in deciles.items()
            if found is not None
        ]
        title = Text(f"{measure}, by share of the tier's rows", f"{measure}：按该级行数的累计比例")
        axis = Text("percent of the rows at most", "不超过该值的行（%）")
        if series:
            blocks.append(LineChart(series, title, axis, measure))
    return blocks or [Paragraph(Text("The tiers hold no rows.", "各级均为空。"), "warn")]


def _shares(into: Numbers, config: TierConfig) -> list[Block]:
    tagged = [quota.by for quota in config.quotas if "." in quota.by]
    tables: list[Block] = [_share_table(into, by, by) for by in ("lang", "source")]
    return tables + [_share_table(into, by, "values") for by in tagged]


def _share_table(into: Numbers, by: str, key: str) -> Table:
    """Return the share of every value in each tier, seed and the held-out part; of lists a row counts for each."""
    places = {name: one for name, one in into.items() if not name.startswith("controls/")}
    counts = {name: one["values"][by] if key == "values" else one[key] for name, one in places.items()}
    total: dict[str, int] = {}
    for found in counts.values():
        for value, count in found.items():
            total[value] = total.get(value, 0) + count
    shown = sorted(total, key=lambda value: (-total[value], value))[:VALUES]
    rows: list[list[Cell]] = [
        [value, *(counts[name].get(value, 0) / one["rows"] if one["rows"] else None for name, one in places.items())]
        for value in shown
    ]
    columns = [Column(by), *(Column(name.removeprefix("tiers/"), "percent") for name in places)]
    return Table(columns, rows, Text(f"share of rows by {by}", f"按 {by} 的行数占比"))


def _quotas(account: Numbers) -> list[Block]:
    found = [(name, quota) for name, tier in account["tiers"].items() for quota in tier["quotas"]]
    if not found:
        return [Paragraph(Text("None were asked for.", "未设配额。"))]
    return [_quota_table(by, found) for by in dict.fromkeys(quota["by"] for _, quota in found)]


def _quota_table(by: str, found: list[tuple[str, Numbers]]) -> Table:
    """Return how far the quotas by one column were filled in each tier."""
    mine = [(name, quota) for name, quota in found if quota["by"] == by]
    keys = ("wanted", "had", "taken", "short")
    rows: list[list[Cell]] = [
        [name, quota["value"], _UNITS[quota["unit"]], *(quota[key] for key in keys), quota["because"]]
        for name, quota in mine
    ]
    short = [at for at, (_, quota) in enumerate(mine) if quota["short"] > SHORT * quota["wanted"]]
    titles = (Text("tier", "分级"), Text("value", "取值"), Text("in", "单位"))
    numbers = (Text("wanted", "目标"), Text("in the band", "区间内"), Text("taken", "入选"), Text("short", "缺口"))
    columns = [*map(Column, titles), *(Column(title, "integer") for title in numbers)]
    columns.append(Column(Text("refused most by", "主要拒绝原因"), "code"))
    said = Text(f"by {by}, before seeds; those that are short stand out", f"按 {by}，取种子之前；未满的突出显示")
    return Table(columns, rows, said, short)


def _controls(account: Numbers, config: TierConfig) -> list[Block]:
    if not config.controls:
        return [Paragraph(Text("None were asked for.", "未设对照组。"))]
    into, tiers = account["into"], []
    rows: list[list[Cell]] = []
    for name, tier in _of(into, "tiers").items():
        tiers.append(len(rows))
        beside = {f"{name}-{kind}": into[f"controls/{name}-{kind}"] for kind in config.controls}
        rows += [_compared(title, one, tier, config) for title, one in {name: tier, **beside}.items()]
    middle = [Column(Text(f"median {m}", f"{m} 中位数"), "number") for m in ("tokens", config.difficulty)]
    ratio = Column(Text("of the tier's tokens", "占该级词元"), "percent", 2)
    columns = [Column(Text("tier, control", "分级、对照组")), _ROWS, _TOKENS, ratio, *middle]
    blocks: list[Block] = [Table(columns, rows, emphasis=tiers)]
    if off := [name for name, share in account["controls"].items() if abs(share) > TOLERANCE]:
        names = ", ".join(off)
        said = Text(f"No rows fit the tokens within 1 %: {names}.", f"找不到词元相差 1% 以内的行：{names}。")
        blocks.append(Paragraph(said, "warn"))
    return blocks


def _compared(title: str, one: Numbers, tier: Numbers, config: TierConfig) -> list[Cell]:
    share = one["tokens"] / tier["tokens"] if tier["tokens"] else None
    middle = [found[5] if (found := one["deciles"][name]) else None for name in ("tokens", config.difficulty)]
    return [title, one["rows"], one["tokens"], share, *middle]


def _seeds(account: Numbers, config: TierConfig) -> list[Block]:
    if not account["seeds"]:
        return [Paragraph(Text("None were asked for.", "未设种子。"))]
    rows: list[list[Cell]] = []
    for name, seed in account["seeds"].items():
        one = account["into"][f"seeds/{name}"]
        wanted = seed["rows"] if seed["rows"] is not None else f"{seed['share']:.0%}"
        middle = one["deciles"][config.difficulty]
        rows.append([name, seed["from"], wanted, one["rows"], one["families"], one["tokens"], middle and middle[5]])
    columns = [
        Column(Text("seed", "种子")),
        Column(Text("from", "来自")),
        Column(Text("wanted", "目标"), "integer"),
        *(_ROWS, _FAMILIES, _TOKENS),
        Column(Text(f"median {config.difficulty}", f"{config.difficulty} 中位数"), "number"),
    ]
    said = Text("in the order of the rounds; no two share a prompt family", "按轮次排列；任意两组没有共同的提示词族")
    return [Table(columns, rows, said)]
