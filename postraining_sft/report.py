"""report.html of an SFT run: what was trained on, how the loss went, what the model said, what the machine did."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from postraining_sft.config import SftConfig
from utils.report.page import (
    Bar,
    BarList,
    Block,
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
from utils.runs.directory import Run
from utils.training.hardware import Sample, read_samples

POINTS = 200
"""Points of a curve at most; each is the mean of what lies between."""

ANSWERS = 5
"""Answers side by side at most."""

Line = dict[str, Any]
STEP = Text("step", "步")


def draw(run: Run, config: SftConfig, manifest: dict[str, Any]) -> None:
    """Write the page."""
    lines = read_lines(run.path / "metrics.jsonl")
    answers = read_lines(run.path / "samples.jsonl")
    sections = [
        Section(Text("What was decided", "取舍"), decided(manifest["counts"])),
        Section(Text("Data by source", "各来源数据"), sources(run, [stage.name for stage in config.stages])),
        Section(Text("Loss", "损失"), losses(lines)),
        *([Section(Text("What the model says", "模型的回答"), said(answers))] if answers else []),
        Section(Text("Speed", "速度"), speeds(lines)),
        Section(Text("Hardware", "硬件"), hardware(read_samples(run.path))),
    ]
    page = render_page(Text("SFT report", "监督微调报告"), subtitle=config.name or run.path.name, sections=sections)
    with run.replaced_file("report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a JSONL file that may not be there."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def decided(counts: dict[str, Any]) -> list[Block]:
    """Return how many records were taken, and why the others were not."""
    facts = [
        Fact(Text("records read", "读入记录"), counts["in"]),
        Fact(Text("trained on", "用于训练"), counts["kept"], tone="good"),
        Fact(Text("left out", "未采用"), counts["dropped"], tone="warn"),
    ]
    bars = [Bar(reason, number, "warn") for reason, number in counts["by_reason"].items()]
    caption = Text("Why records were left out", "未采用的原因")
    return [Facts(facts, whole=counts["in"]), *([BarList(bars, counts["in"], caption)] if bars else [])]


def sources(run: Run, stages: Sequence[str] = ()) -> list[Block]:
    """Return rows and tokens of each source, conversations and documents apart; stages in their order, eval last."""
    place = {name: number for number, name in enumerate(["train", *stages])}
    columns = [
        Column(Text("part", "部分")),
        Column(Text("source", "来源")),
        Column(Text("kind", "类别")),
        *(
            Column(text, "integer")
            for text in (Text("rows", "行"), Text("tokens", "词元"), Text("trained on", "计入损失"))
        ),
    ]
    rows = [
        [_part(report["unit"]), source, kind, *(counts[key] for key in ("rows", "tokens", "trained"))]
        for report in sorted(run.reports(), key=lambda report: place.get(_part(report["unit"]), len(place)))
        if "per_source" in report
        for source, kinds in report["per_source"].items()
        for kind, counts in kinds.items()
    ]
    return [Table(columns, rows)]


def _part(unit: str) -> str:
    """Return `train`, `eval` or the stage from `tokens-train-0123…`."""
    return unit.removeprefix("tokens-").rpartition("-")[0]


def losses(lines: list[Line]) -> list[Block]:
    """Return the curves over all stages; the steps of a stage follow those of the one before."""
    if not lines:
        return [Paragraph(Text("No step was logged.", "没有记录任何步骤。"))]
    placed = in_a_row(lines)
    several = [key for key in ("loss_sft", "loss_document") if any(key in line for line in lines)]
    shown = [*_series(placed, "loss"), *_series(placed, "eval_loss")]
    nats = Text("nats", "奈特")
    blocks: list[Block] = [LineChart(shown, Text("Loss per trained token", "每个训练词元的损失"), STEP, nats)]
    if len(several) > 1:
        apart = [series for key in several for series in _series(placed, key)]
        blocks.append(LineChart(apart, Text("Conversations and documents apart", "对话与文档分开"), STEP, nats))
    for key, title in (
        ("lr", Text("Learning rate", "学习率")),
        ("grad_norm", Text("Gradient norm before clipping", "裁剪前梯度范数")),
    ):
        blocks.append(LineChart(_series(placed, key), title, STEP))
    return blocks


def in_a_row(lines: Iterable[Line]) -> list[tuple[float, Line]]:
    """Give every line its place: its step, after the steps of the stages before."""
    placed, offset, last, stage = [], 0, 0, None
    for line in lines:
        if line.get("stage") != stage:
            offset, stage = offset + last, line.get("stage")
        last = line["step"]
        placed.append((float(offset + last), line))
    return placed


def _series(placed: list[tuple[float, Line]], key: str) -> list[Series]:
    """Return a number's curve, one for each stage that has it."""
    of_stage: dict[str | None, list[Point]] = {}
    for place, line in placed:
        if line.get(key) is not None:  # null: it was not finite
            of_stage.setdefault(line.get("stage"), []).append(Point(place, line[key]))
    return [Series(f"{stage}: {key}" if stage else key, thinned(points)) for stage, points in of_stage.items()]


def thinned(points: Sequence[Point]) -> list[Point]:
    """Return at most POINTS points: means of neighbours."""
    width = -(-len(points) // POINTS) or 1
    groups = [points[start : start + width] for start in range(0, len(points), width)]
    return [Point(group[-1].x, sum(point.y for point in group) / len(group)) for group in groups]


def said(answers: list[Line]) -> list[Block]:
    """Return the answers to each prompt side by side, the first and the last among them; a dash where one is blank."""
    times = list(dict.fromkeys((line.get("stage"), line["step"]) for line in answers))
    last = len(times) - 1
    picked = times if last < ANSWERS else [times[round(number * last / (ANSWERS - 1))] for number in range(ANSWERS)]
    given = {((line.get("stage"), line["step"]), line["prompt"]): legible(line["answer"]) for line in answers}
    heads = [Text(f"step {step}", f"第 {step} 步") if not stage else f"{stage} {step}" for stage, step in picked]
    rows = [
        [prompt, *(given.get((time, prompt), "") for time in picked)] for prompt in dict.fromkeys(p for _, p in given)
    ]
    return [Table([Column(Text("prompt", "提示")), *(Column(head) for head in heads)], rows)]


def legible(answer: str) -> str:
    """Return an answer without empty lines and blanks in a row, which an untrained model makes by the hundred."""
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"[^\S\n]+", " ", answer)).strip() or "–"


def speeds(lines: list[Line]) -> list[Block]:
    """Return tokens, padding, waiting and FLOPs over time."""
    steps = [line for line in lines if "tgs" in line]
    if not steps:
        return [Paragraph(Text("No speed was measured.", "没有测得速度。"))]
    facts = [
        Fact(Text("tokens per second and process", "每进程每秒词元数"), round(_mean(steps, "tgs"))),
        Fact(Text("padding", "填充"), f"{_mean(steps, 'padding'):.1%}"),
        Fact(Text("waiting for data", "等待数据"), f"{_mean(steps, 'stall'):.1%}"),
        Fact(
            Text("most memory of a process, GB", "单进程最大内存（GB）"),
            round(max(line["memory_gb"] for line in steps), 2),
        ),
    ]
    if "tflops" in steps[-1]:
        note = Text("recomputation not counted", "不计重算")
        facts.append(Fact(Text("TFLOPs per process", "每进程 TFLOPs"), f"{_mean(steps, 'tflops'):.3g}", note))
    if "mfu" in steps[-1]:
        facts.append(Fact("MFU", f"{_mean(steps, 'mfu'):.1%}", Text("HFU counts recomputation", "HFU 计入重算")))
    chart = LineChart(_series(in_a_row(steps), "tgs"), Text("Tokens per second and process", "每进程每秒词元数"), STEP)
    return [Facts(facts), chart]


def _mean(lines: list[Line], key: str) -> float:
    """Return the mean of the lines after the first, which pays for what is made once."""
    values = [line[key] for line in lines if key in line]
    values = values[1:] or values
    return sum(values) / len(values)


def hardware(hosts: dict[str, list[Sample]]) -> list[Block]:
    """Return the card of each machine: its GPUs over time, or its processor and memory."""
    blocks: list[Block] = []
    for host, samples in hosts.items():
        if samples:
            blocks.append(Details(host, _machine(samples), open=len(hosts) == 1))
    return blocks or [Paragraph(Text("The run was too short for a sample.", "运行时间过短，没有采样。"))]


def _machine(samples: list[Sample]) -> list[Block]:
    begin = samples[0]["time"]
    minutes = [(sample["time"] - begin) / 60 for sample in samples]
    use, memory = [], []
    for number in range(len(samples[0].get("gpus", []))):
        gpus = [sample["gpus"][number] for sample in samples if "gpus" in sample]
        use.append(_curve(f"GPU {number}", minutes, [gpu["use"] for gpu in gpus]))
        memory.append(_curve(f"GPU {number}", minutes, [gpu["memory_gb"] for gpu in gpus]))
    use.append(_curve(Text("processor", "处理器"), minutes, [sample["host"]["cpu"] for sample in samples]))
    memory.append(_curve(Text("host memory", "主机内存"), minutes, [sample["host"]["memory_gb"] for sample in samples]))
    minute = Text("minutes", "分钟")
    return [
        LineChart(use, Text("Utilisation", "利用率"), minute, style="percent", y_range=(0, 1)),
        LineChart(memory, Text("Memory in use", "已用内存"), minute, "GB"),
    ]


def _curve(name: Text | str, minutes: list[float], values: list[float]) -> Series:
    return Series(name, thinned([Point(x, y) for x, y in zip(minutes, values, strict=False)]))
