"""`report.html` of a self-instruct run: what was asked and used, what was refused and why, with examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data_pipeline.self_instruct.config import SelfInstructConfig
from data_pipeline.self_instruct.tasks import Row
from utils.data.records import read_parquet
from utils.report.page import (
    Bar,
    BarList,
    Block,
    Cell,
    Column,
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

if TYPE_CHECKING:
    from utils.runs.directory import Run

EXAMPLES = 3  # of each reason
SHOWN = 300  # characters of a text


def report(run: Run, config: SelfInstructConfig, manifest: dict[str, Any]) -> None:
    """Write `report.html`."""
    counts = manifest["counts"]
    rows = read_parquet(run.path / "drafts.parquet").to_pylist()
    page = render_page(
        Text("New instructions", "新指令"),
        subtitle=f"{config.name or config.output.name} · {manifest['finished']}",
        sections=[
            Section(Text("Drafts", "草稿"), _drafts(counts, config.max_prompts)),
            Section(Text("Why drafts were refused", "拒绝原因"), _reasons(counts, rows)),
            Section(Text("How the pool grew", "任务池的增长"), [_growth(rows)]),
            Section(Text("What was asked", "请求与用量"), _used(counts)),
            Section(Text("Accepted tasks", "入选任务"), [_examples([row for row in rows if row["status"] == "kept"])]),
        ],
    )
    with run.replaced_file("report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _drafts(counts: dict[str, Any], most: int) -> list[Block]:
    facts = [
        Fact(Text("drafts and failed requests", "草稿与失败的请求"), counts["in"]),
        Fact(Text("accepted", "入选"), counts["kept"], tone="good"),
        Fact(Text("refused", "拒绝"), counts["dropped"], tone="bad"),
        Fact(Text("failed", "失败"), counts["quarantined"], tone="warn"),
    ]
    blocks: list[Block] = [Facts(facts, whole=counts["in"])]
    if counts["kept"] < counts["target"] and counts["used"].get("new tasks", {}).get("requests", 0) >= most:
        said = Text(
            f"max_prompts is used up: {counts['kept']} of {counts['target']} tasks were accepted.",
            f"max_prompts 已用尽：目标 {counts['target']} 个任务，入选 {counts['kept']} 个。",
        )
        blocks.append(Paragraph(said, "warn"))
    return blocks


def _reasons(counts: dict[str, Any], rows: list[Row]) -> list[Block]:
    by_count = sorted(counts["by_reason"].items(), key=lambda item: (-item[1], item[0]))
    if not by_count:
        return [Paragraph(Text("No draft was refused.", "没有拒绝任何草稿。"))]
    examples: list[list[Cell]] = []
    for reason, _ in by_count:
        found = [row for row in rows if row["reason"] == reason][:EXAMPLES]
        examples += [[reason, _short(row["instruction"] or row["raw"]), _near(row)] for row in found]
    columns = [Column(Text("reason", "原因"), "code"), Column(Text("draft", "草稿")), Column(Text("near", "相近"))]
    bars = [Bar(reason, count, "bad") for reason, count in by_count]
    return [BarList(bars, counts["dropped"]), Table(columns, examples, Text("examples", "示例"))]


def _near(row: Row) -> str:
    return f"{row['similar_to']} ({row['similarity']:.2f})" if row["similar_to"] else ""


def _growth(rows: list[Row]) -> Block:
    points, accepted = [Point(0, 0)], 0
    for number, row in enumerate(rows, 1):
        accepted += row["status"] == "kept" or row["reason"] == "over_target"
        if number == len(rows) or rows[number]["batch"] != row["batch"]:
            points.append(Point(number, accepted))
    return LineChart(
        [Series(Text("accepted", "入选"), points)],
        Text("accepted tasks over drafts, a point a batch", "入选任务数随草稿数的变化，每批一点"),
        Text("drafts", "草稿"),
        Text("accepted", "入选"),
    )


def _used(counts: dict[str, Any]) -> list[Block]:
    names = ("requests", "failed", "prompt_tokens", "completion_tokens", "tokens_unknown")
    rows: list[list[Cell]] = [[what, *(used.get(name, 0) for name in names)] for what, used in counts["used"].items()]
    titles = (
        Text("requests", "请求"),
        Text("failed", "失败"),
        Text("prompt tokens", "提示词元"),
        Text("answer tokens", "回答词元"),
        Text("answers of unknown length", "用量未知的回答"),
    )
    columns = [Column(Text("for", "用途")), *(Column(title, "integer") for title in titles)]
    blocks: list[Block] = [Table(columns, rows)]
    for paid in counts["paid"]:
        if paid["cost"] is not None:
            note = Text(f"{paid['answers']} answers", f"{paid['answers']} 个回答")
            blocks.append(Facts([Fact(Text("paid", "费用"), f"{paid['cost']:.4f}", note)]))
    return blocks


def _examples(rows: list[Row]) -> Block:
    columns = [Column(Text(en, zh)) for en, zh in (("instruction", "指令"), ("input", "输入"), ("output", "输出"))]
    shown: list[list[Cell]] = [
        [_short(row[name]) for name in ("instruction", "input", "output")] for row in rows[: 4 * EXAMPLES]
    ]
    return Table(columns, shown)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
