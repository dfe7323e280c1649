"""The report of the rounds: is the last model better than the first, by how much, and what it was made from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from rounds.config import RoundsConfig
from rounds.results import Numbers, counts, curve, examples, models, of_kind, pair_cards, step_places, tiers
from utils.report.page import (
    Bar,
    BarList,
    Code,
    Column,
    Details,
    Fact,
    Facts,
    Funnel,
    LineChart,
    Link,
    Measure,
    Paragraph,
    Picture,
    Point,
    Section,
    Series,
    Table,
    Text,
    render_page,
)
from utils.runs.commit import read_json
from utils.runs.directory import Run

_EXAMPLES = 8
_LONGEST_ANSWER = 400
_PAGES = ("report.html", "map.html", "card.html", "manifest.json")


def draw(run: Run, config: RoundsConfig, manifest: dict[str, Any]) -> None:
    """Write `report.html`."""
    places = step_places(run.path)
    trained = [_result(models(places), config.seed), _rounds(places), _training(places)] if config.rounds else []
    sections = [
        *trained,
        _data(run.path, places),
        *([_answers(places)] if trained else []),
        _steps(run.path, places),
        _next(run.path, places),
    ]
    title, what = _titles(config.name or run.path.name, len(config.rounds))
    subtitle = Text(f"{manifest['finished']} · {what.en}", f"{manifest['finished']} · {what.zh}")
    with run.replaced_file("report.html") as temporary:
        temporary.write_text(render_page(title, subtitle=subtitle, sections=sections), encoding="utf-8")


def _titles(name: str, rounds: int) -> tuple[Text, Text]:
    if not rounds:
        return Text(f"Data: {name}", f"数据：{name}"), Text("no rounds: data alone", "无训练轮次：仅数据")
    what = Text(f"{rounds} rounds of SFT and DPO", f"{rounds} 轮 SFT 与 DPO")
    return Text(f"Post-training: {name}", f"后训练：{name}"), what


def _share(model: Numbers) -> Measure | None:
    return Measure(model["accuracy"], *model["interval_95"]) if model["n"] else None


def _result(numbers: list[Numbers], seed: int) -> Section:
    title = Text("Is it better?", "变好了吗？")
    if not numbers:
        return Section(title, [Paragraph(Text("No evaluation step has finished.", "尚无完成的评估。"))])
    first, last = numbers[0], numbers[-1]
    facts = [
        _accuracy_fact(Text("Before", "训练前"), first),
        _accuracy_fact(Text("After the last round", "最后一轮之后"), last),
        Fact(Text("Held-out loss, before", "留出集损失（前）"), _rounded(first["loss"])),
        Fact(Text("Held-out loss, after", "留出集损失（后）"), _rounded(last["loss"])),
    ]
    caution = Text(
        f"One run with seed {seed}. The intervals (95 %, Wilson) are over held-out questions, not over seeds; "
        "no round is promoted or refused on these numbers yet.",
        f"仅一次运行，种子 {seed}。区间（95 %，Wilson）反映留出问题的抽样误差，不含种子间差异；"
        "目前不据此晋级或否决任何一轮。",
    )
    return Section(
        title, [Facts(facts), _accuracy_chart(numbers), _loss_chart(numbers), _table(numbers), Paragraph(caution)]
    )


def _accuracy_fact(label: Text, model: Numbers) -> Fact:
    low, high = model["interval_95"]
    interval = f"{low:.1%}–{high:.1%}"
    note = Text(
        f"{model['correct']} of {model['n']} right, {interval}", f"{model['n']} 题答对 {model['correct']}，{interval}"
    )
    return Fact(label, f"{model['accuracy']:.1%}" if model["n"] else "–", note)


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _accuracy_chart(numbers: list[Numbers]) -> LineChart:
    points = [Point(x, m["accuracy"], *m["interval_95"]) for x, m in enumerate(numbers) if m["n"]]
    return LineChart(
        [Series(Text("held-out accuracy", "留出集正确率"), points)],
        Text("Held-out accuracy after each training step", "每步训练后的留出集正确率"),
        x_names=[model["name"] for model in numbers],
        style="percent",
    )


def _loss_chart(numbers: list[Numbers]) -> LineChart:
    points = [Point(x, m["loss"]) for x, m in enumerate(numbers) if m["loss"] is not None]
    return LineChart(
        [Series(Text("held-out loss", "留出集损失"), points)],
        Text("Mean loss of a reference token, nats", "参考答案每词元的平均损失（nat）"),
        x_names=[model["name"] for model in numbers],
    )


def _table(numbers: list[Numbers]) -> Table:
    languages = sorted({lang for model in numbers for lang in model["by_language"]})
    columns = [
        Column(Text("Model", "模型"), "code"),
        Column(Text("Accuracy", "正确率"), "percent"),
        *(Column(lang, "percent") for lang in languages),
        Column(Text("Loss", "损失"), "number", 3),
        Column(Text("Tokens", "词元"), "number", 1),
        Column(Text("Gained", "新答对"), "integer"),
        Column(Text("Lost", "新答错"), "integer"),
        Column(Text("p", "p"), "number", 3),
    ]
    rows = [
        [
            model["name"],
            _share(model),
            *(model["by_language"].get(lang, {}).get("accuracy") for lang in languages),
            model["loss"],
            model["mean_tokens"],
            *(model.get("against", {}).get(key) for key in ("gained", "lost", "p")),
        ]
        for model in numbers
    ]
    count = numbers[0]["n"]
    caption = Text(
        f"{count} held-out questions. Tokens: mean per answer. Gained, lost, p (sign test): against the model in the "
        "row above, on the same questions.",
        f"{count} 道留出题。词元：每答平均。“新答对”“新答错”与 p（符号检验）：与上一行的模型在同一批题上相比。",
    )
    return Table(columns, rows, caption)


def _rounds(places: dict[str, Path]) -> Section:
    columns = [
        Column(Text("Round", "轮次"), "integer"),
        Column(Text("SFT rows", "SFT 行数"), "integer"),
        Column(Text("Answers", "回答数"), "integer"),
        Column(Text("Invalid", "无效评判"), "integer"),
        Column(Text("Pairs", "偏好对"), "integer"),
        Column(Text("Median gap", "分差中位数"), "number", 2),
        Column(Text("Reference chosen", "选参考答案"), "percent"),
        Column(Text("Own rejected", "拒自身回答"), "percent"),
        Column(Text("Longer chosen", "选较长者"), "percent"),
        Column(Text("Similarity", "相似度"), "number", 2),
    ]
    sft, asked, judged = (of_kind(places, verb) for verb in ("sft", "candidates", "judge"))
    rows = [
        [
            number,
            counts(sft.get(number)).get("kept"),
            counts(asked.get(number)).get("kept"),
            counts(judged.get(number)).get("quarantined"),
            card["pairs"],
            *(card[key] for key in ("median_gap", "reference_chosen", "policy_rejected", "longer_is_chosen")),
            card["mean_similarity"],
        ]
        for number, card in pair_cards(places).items()
    ]
    return Section(Text("The rounds", "各轮"), [Table(columns, rows)])


def _training(places: dict[str, Path]) -> Section:
    charts = [
        _curves(places, "sft", "loss", Text("SFT loss", "SFT 损失")),
        _curves(places, "dpo", "loss", Text("DPO loss", "DPO 损失")),
        _curves(places, "dpo", "rewards/margins", Text("DPO reward margin", "DPO 奖励间隔")),
    ]
    return Section(Text("Training", "训练"), charts)


def _curves(places: dict[str, Path], verb: str, key: str, title: Text) -> LineChart:
    series = [
        Series(Text(f"round {number}", f"第 {number} 轮"), [Point(*point) for point in curve(place, key)])
        for number, place in of_kind(places, verb).items()
    ]
    return LineChart(series, title, x_label=Text("step", "步"))


def _data(root: Path, places: dict[str, Path]) -> Section:
    cleaned = counts(places.get("clean"))
    blocks: list[Any] = []
    if cleaned:
        readable = cleaned["in"] - cleaned["quarantined"]
        funnel = [
            Bar(Text("rows read", "读入"), cleaned["in"]),
            Bar(Text("readable", "可读"), readable),
            Bar(Text("kept", "保留"), cleaned["kept"], "good"),
        ]
        reasons = [Bar(reason, count, "bad") for reason, count in cleaned["by_reason"].items()]
        blocks += [
            Funnel(funnel),
            BarList(reasons, total=cleaned["in"], caption=Text("Dropped, by reason", "丢弃原因")),
        ]
    where = [Bar(name, count) for name, count in tiers(places.get("tier")).items()]
    blocks.append(
        BarList(where, total=sum(bar.count for bar in where), caption=Text("Where clean rows went", "干净行的去向"))
    )
    if "view" in places:
        page = Link(Text("Open the map", "打开地图"), (places["view"] / "map.html").relative_to(root).as_posix())
        caption = Text("Every measured row, near to what is like it.", "每个点是一行数据，相似者相邻。")
        blocks.append(Picture((places["view"] / "map.png").read_bytes(), caption, page))
    return Section(Text("The data", "数据"), blocks)


def _answers(places: dict[str, Path]) -> Section:
    blocks: list[Any] = []
    for example in islice(examples(places, _EXAMPLES), _EXAMPLES):
        rows: list[list[Any]] = [[Text("reference", "参考答案"), example["reference"]]]
        rows += [[name, _on_a_few_lines(text)] for name, text in example["answers"].items()]
        table = Table([Column(Text("Model", "模型"), "code"), Column(Text("Answer", "回答"))], rows)
        blocks.append(Details(example["question"], [table], open=not blocks))
    note = Text("The first held-out questions by id, never chosen by result.", "按 id 取最前面的留出题，不按结果挑选。")
    return Section(Text("Answers, side by side", "回答对照"), [Paragraph(note), *blocks])


def _on_a_few_lines(text: str) -> str:
    """Return an answer short enough to compare; a young model's runs of line breaks become visible signs."""
    shown = re.sub(r"\n{2,}", lambda breaks: "⏎" * min(len(breaks[0]), 8) + "\n", text)
    return shown if len(shown) <= _LONGEST_ANSWER else shown[:_LONGEST_ANSWER] + " …"


def _steps(root: Path, places: dict[str, Path]) -> Section:
    columns = [
        Column(Text("Step", "步骤"), "code"),
        Column(Text("Seconds", "秒"), "number", 1),
        Column(Text("In", "输入"), "integer"),
        Column(Text("Kept", "保留"), "integer"),
        Column(Text("Executor", "执行器"), "code"),
        Column(Text("Its files", "文件")),
    ]
    rows = [[name, *_step_row(place), _link(root, place)] for name, place in places.items()]
    return Section(Text("Every step", "全部步骤"), [Table(columns, rows)])


def _step_row(place: Path) -> Iterator[Any]:
    manifest = read_json(place / "manifest.json")
    yield manifest["seconds"]
    yield manifest["counts"]["in"]
    yield manifest["counts"]["kept"]
    yield manifest["execution"]["executor"]


def _link(root: Path, place: Path) -> Link:
    """Return a link to the step's own page, or else to its manifest."""
    path = next(path for name in _PAGES if (path := place / name).exists())
    return Link(path.name, path.relative_to(root).as_posix())


def _next(root: Path, places: dict[str, Path]) -> Section:
    commands = [Code(f"posttrain status {root}"), Code(f"posttrain rounds --config {root}/run/config.json --dry-run")]
    if (row := _traced_row(places)) is not None:
        says = Text("The story of one row, from the raw file to the checkpoint", "一行数据从原始文件到检查点的全过程")
        commands.insert(0, Code(f"posttrain why {row} --run {root}", says))
    return Section(Text("Go on from here", "接下来"), commands)


def _traced_row(places: dict[str, Path]) -> str | None:
    """Return the first seed that became a pair: its story touches every stage."""
    for place in of_kind(places, "pairs").values():
        table = pl.read_parquet(place / "ledger" / "decisions.parquet", glob=False).filter(pl.col("status") == "kept")
        if len(table):
            return str(table["id"].min())
    return None
