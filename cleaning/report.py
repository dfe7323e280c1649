"""`report.html` of a cleaning run: what came in, what stayed, what every rule did, with examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cleaning.config import CleanConfig
from cleaning.report_duplicates import duplicate_blocks
from cleaning.shape import Shape, summed
from utils.report.page import (
    Bar,
    BarList,
    Block,
    Code,
    Column,
    Diff,
    Fact,
    Facts,
    Label,
    LineChart,
    Paragraph,
    Point,
    Section,
    Series,
    Table,
    Text,
    render_page,
)
from utils.runs.config import paths_in
from utils.runs.directory import Run

EXAMPLES_SHOWN = 3

STATUS = {"kept": Text("kept", "保留"), "dropped": Text("dropped", "剔除"), "quarantined": Text("quarantined", "隔离")}
_WHEN = {"in": Text("before", "清洗前"), "kept": Text("kept", "保留")}
_LANGUAGES = {"zh": "中文", "en": "English", "und": "–"}
TONES = {"kept": "good", "dropped": "bad", "quarantined": "warn"}


def report(run: Run, config: CleanConfig, manifest: dict[str, Any]) -> None:
    """Write `report.html`."""
    counts, reports = manifest["counts"], list(run.reports())
    passes = [found for found in reports if found["unit"].startswith("first-")]
    shape = summed(found["shape"] for found in reports if "shape" in found)
    page = render_page(
        Text("Cleaning report", "清洗报告"),
        subtitle=f"{config.dataset} · {manifest['finished']}",
        sections=[
            Section(Text("Rows", "行数"), _funnel(counts)),
            Section(Text("Why rows were dropped", "剔除原因"), _reasons(counts)),
            Section(Text("What rules changed", "规则的修改"), _edits(passes)),
            Section(Text("Before and after", "修改前后"), _examples(passes)),
            Section(Text("Personal data", "个人信息"), _kinds(passes)),
            Section(Text("Duplicates", "重复"), duplicate_blocks(run, config, reports)),
            Section(Text("Languages and lengths", "语言与长度"), _shape(shape)),
            Section(Text("Files", "文件"), [_files(counts)]),
            Section(Text("Speed", "速度"), [_speed(config, manifest)]),
            Section(Text("Go on", "下一步"), _commands(run, config, passes)),
        ],
    )
    with run.replaced_file("report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _funnel(counts: dict[str, Any]) -> list[Block]:
    parts = [Fact(label, counts[name], tone=TONES[name]) for name, label in STATUS.items()]  # type: ignore[arg-type]
    return [Facts([Fact(Text("rows in", "输入行"), counts["in"]), *parts], whole=counts["in"])]


def _reasons(counts: dict[str, Any]) -> list[Block]:
    if not counts["dropped"]:
        return [Paragraph(Text("No row was dropped.", "没有剔除任何行。"))]
    first = [Bar(name, count, "bad") for name, count in _by_count(counts["by_reason"])]
    every = [Bar(name, count) for name, count in _by_count(counts["by_any_reason"])]
    blocks: list[Block] = [BarList(first, counts["dropped"], Text("first reason of each row", "每行的第一个原因"))]
    if counts["by_any_reason"] != counts["by_reason"]:
        blocks.append(BarList(every, None, Text("all reasons", "全部原因")))
    return blocks


def _by_count(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _edits(passes: Sequence[dict[str, Any]]) -> list[Block]:
    rows: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    for found in passes:
        for rule, number in found["edits"].items():
            rows[rule] += number["rows"]
            changes[rule] += number["changes"]
    if not rows:
        return [Paragraph(Text("No text was changed.", "没有修改任何文本。"))]
    columns = [
        Column(Text("rule", "规则"), "code"),
        Column(Text("rows", "行"), "integer"),
        Column(Text("changes", "修改处"), "integer"),
    ]
    return [Table(columns, [[rule, count, changes[rule]] for rule, count in _by_count(rows)])]


def _examples(passes: Sequence[dict[str, Any]]) -> list[Block]:
    shown: dict[str, list[dict[str, str]]] = {}
    for found in passes:
        for rule, examples in found["examples"].items():
            shown.setdefault(rule, []).extend(examples)
    diffs: list[Block] = [
        Diff(one["before"], one["after"], f"{rule} · {one['id']}")
        for rule, examples in sorted(shown.items())
        for one in examples[:EXAMPLES_SHOWN]
    ]
    return diffs or [Paragraph(Text("Nothing to show.", "没有可显示的例子。"))]


def _kinds(passes: Sequence[dict[str, Any]]) -> list[Block]:
    """Say how much personal data became a placeholder; the data itself is shown nowhere."""
    kinds: Counter[str] = Counter()
    for found in passes:
        for of_rule in found["kinds"].values():
            kinds.update(of_rule)
    if not kinds:
        return [Paragraph(Text("None was found.", "没有发现个人信息。"))]
    caption = Text("replaced by placeholders such as <email>", "已替换为 <email> 一类的占位符")
    return [BarList([Bar(kind, count, "warn") for kind, count in _by_count(kinds)], None, caption)]


def _shape(shape: Shape) -> list[Block]:
    """Draw rows by language and by length, before and after."""
    languages = sorted(shape["in"])
    if not languages:
        return [Paragraph(Text("No row could be read.", "没有可读的行。"))]
    sums = {when: [sum(shape[when].get(lang, {}).values()) for lang in languages] for when in shape}
    blocks: list[Block] = [
        _bars(Text("Rows by language", "各语言行数"), sums, [_LANGUAGES.get(one, one) for one in languages])
    ]
    for lang in languages:
        powers = sorted({int(length) for when in shape for length in shape[when].get(lang, {})})
        every = [1 << at for at in range(powers[0].bit_length() - 1, powers[-1].bit_length())]
        by_length = {when: [shape[when].get(lang, {}).get(str(power), 0) for power in every] for when in shape}
        name = _LANGUAGES.get(lang, lang)
        title = Text(f"Rows by length: {name}", f"各长度行数：{name}")
        blocks.append(_bars(title, by_length, [f"{power:,}–" for power in every], Text("characters", "字符数")))
    return blocks


def _bars(title: Text, counts: dict[str, list[int]], names: Sequence[str], x_label: Label = "") -> LineChart:
    series = [
        Series(_WHEN[when], [Point(at, count) for at, count in enumerate(numbers)]) for when, numbers in counts.items()
    ]
    return LineChart(series, title, x_label, Text("rows", "行"), x_names=names, bars=True)


def _files(counts: dict[str, Any]) -> Table:
    columns = [Column(Text("file", "文件"), "code"), Column(Text("in", "输入"), "integer")]
    columns += [Column(label, "integer") for label in STATUS.values()]
    rows = [[name, *(file[key] for key in ("in", *STATUS))] for name, file in sorted(counts["by_file"].items())]
    return Table(columns, rows)


def _speed(config: CleanConfig, manifest: dict[str, Any]) -> Table:
    execution, seconds = manifest["execution"], manifest["seconds"]
    size = sum(entry["bytes"] for entry in manifest["inputs"] if _has_rows(config, Path(entry["path"])))
    rate = round(manifest["counts"]["in"] / max(seconds, 1e-3))
    columns = [
        Column(Text("executor", "执行器")),
        Column(Text("workers", "进程"), "integer"),
        Column(Text("tasks", "任务"), "integer"),
        Column(Text("seconds", "秒"), "number", 1),
        Column(Text("rows per second", "行/秒"), "integer"),
        Column(Text("bytes in", "输入字节"), "integer"),
    ]
    caption = Text(
        "this attempt, with the start of the executor; work taken over from an earlier attempt counts as none",
        "本次运行，含执行器启动时间；沿用先前完成的部分不计时",
    )
    workers, tasks = len(execution["workers"]), execution["tasks"]
    return Table(columns, [[execution["executor"], workers, tasks, float(seconds), rate, size]], caption)


def _has_rows(config: CleanConfig, path: Path) -> bool:
    """Tell whether an input was cleaned: not a reference, an earlier run or a tokenizer."""
    beside = [*paths_in(config.duplicates), *(other for rule in config.policy for other in paths_in(rule))]
    beside += [config.tokenizer] if config.tokenizer else []
    return not any(path.is_relative_to(other) or path.match(str(other)) for other in beside)


def _commands(run: Run, config: CleanConfig, passes: Sequence[dict[str, Any]]) -> list[Block]:
    ids = [one["id"] for found in passes for examples in found["examples"].values() for one in examples]
    row = ids[0] if ids else "ID"
    next_stage = f"posttrain attributes --set input={run.path} --set output={run.path}-attributes"
    return [
        Code(f"posttrain why {row} --run {run.path}", Text("the story of a row", "某一行的来龙去脉")),
        Code(f"posttrain report {run.path}", Text("draw this page again", "重新生成本页")),
        Code(next_stage, Text("the next stage", "下一阶段")),
        Paragraph(
            Text(
                f"{config.dataset}-sample100.jsonl holds rows to read, with empty columns for a verdict.",
                f"{config.dataset}-sample100.jsonl 是供人工审阅的样本，判定列待填。",
            )
        ),
    ]
