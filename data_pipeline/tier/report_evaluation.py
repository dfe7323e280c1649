"""The report's part on evaluation prompts: what was found, by which check, beside what it repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from data_pipeline.tier.config import TierConfig
from data_pipeline.tier.story import MATCHES
from utils.data.records import read_parquet
from utils.report.page import Bar, BarList, Block, Cell, Column, Fact, Facts, Paragraph, Table, Text

if TYPE_CHECKING:
    from utils.runs.directory import Run

EXAMPLES = 3  # of each check
SHOWN = 200  # characters of a prompt


def evaluation_blocks(run: Run, config: TierConfig, counts: dict[str, Any]) -> list[Block]:
    """Return how many rows repeat an evaluation's prompt, of which files, with the most alike of every check."""
    if config.decontaminate is None:
        said = Text("No evaluation was named: nothing was looked for.", "未指定评测集，没有做去污染检查。")
        return [Paragraph(said, "warn")]
    matches = pl.DataFrame(pl.from_arrow(read_parquet(run.path / MATCHES)))
    family = counts["by_reason"].get("evaluation_prompt:family", 0)
    facts = [
        Fact(Text("rows that ask what an evaluation asks", "与评测题相同或相近的行"), matches.height),
        Fact(Text("others of their families", "同族的其他行"), family),
    ]
    by_file = matches["reference_file"].value_counts().sort("count", "reference_file", descending=[True, False])
    bars = [Bar(name, count, "bad") for name, count in by_file.iter_rows()]
    shown = matches.sort("method", -pl.col("similarity"), "id").group_by("method", maintain_order=True).head(EXAMPLES)
    rows: list[list[Cell]] = [
        [
            *(row["method"], row["similarity"], _short(row["prompt"]), _short(row["reference_text"])),
            f"{row['reference_file']}:{row['reference_row']}",
        ]
        for row in shown.to_dicts()
    ]
    columns = [
        Column(Text("found by", "检查方式"), "code"),
        Column(Text("similarity", "相似度"), "number"),
        Column(Text("the row's prompt", "本数据的提示词")),
        Column(Text("the evaluation's", "评测题")),
        Column(Text("file:row", "文件:行"), "code"),
    ]
    blocks: list[Block] = [Facts(facts)]
    if rows:
        blocks += [BarList(bars, matches.height), Table(columns, rows, Text("the most alike", "最相近的例子"))]
    said = Text(
        "Found is what is worded alike. Translations and free paraphrases are found by a model only.",
        "只能找到措辞相近的题；翻译与自由改写需要向量模型才能发现。",
    )
    return blocks if config.decontaminate.model else [*blocks, Paragraph(said)]


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
