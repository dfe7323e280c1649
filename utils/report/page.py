"""One self-contained HTML page: no script, no outside address, English and Chinese, light, dark and print.

    page = render_page(Text("Cleaning report", "清洗报告"), subtitle="zh-demo", sections=[Section(…), …])

The page forbids everything but its own style sheet, and that by its hash: even if a text escaped its place, nothing in
it would run or load.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from utils.report.blocks import (
    Bar,
    BarList,
    Block,
    Cell,
    Code,
    Column,
    Details,
    Diff,
    Fact,
    Facts,
    Funnel,
    Label,
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
)
from utils.report.differences import compare, visible
from utils.report.numerals import numeral, share
from utils.report.plots import interval_of, layout, mark_path, place_name, plain, stretches

__all__ = [
    "Bar",
    "BarList",
    "Block",
    "Cell",
    "Code",
    "Column",
    "Details",
    "Diff",
    "Fact",
    "Facts",
    "Funnel",
    "Label",
    "LineChart",
    "Link",
    "Measure",
    "Paragraph",
    "Picture",
    "Point",
    "Section",
    "Series",
    "Table",
    "Text",
    "render_page",
]

NOT_IN_HTML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
TABLE_UP_TO = 60  # points of a chart that are also given as a table


def chart_table(chart: LineChart) -> Table | None:
    """Return the chart's numbers as a table, for those who copy or hear them; None when they are very many."""
    rows: list[list[Cell]] = []
    for series in chart.series:
        for point in (point for run in stretches(series.points) for point in run):
            interval = interval_of(point)
            rows.append([series.name, place_name(chart, point.x), Measure(point.y, *interval) if interval else point.y])
    if not rows or len(rows) > TABLE_UP_TO:
        return None
    digits = 1 if chart.style == "percent" else 3
    value = Column(chart.y_label or Text("value", "值"), chart.style, digits)
    return Table([Column(Text("series", "系列")), Column(chart.x_label or "x"), value], rows)


@functools.cache
def environment() -> Environment:
    """Return the templates' environment: everything escaped, nothing undefined passed over."""
    loader = FileSystemLoader(Path(__file__).parent)
    result = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    result.filters.update(numeral=numeral, visible=visible, plain=plain)
    result.globals.update(
        share=share, compare=compare, layout=layout, mark_path=mark_path, chart_table=chart_table, text=Text
    )
    return result


def render_page(
    title: Label,
    *,
    subtitle: Label = "",
    sections: Sequence[Section],
    language_toggle: bool = True,
) -> str:
    """Return the page as HTML text, to be written as UTF-8.

    Args:
        title: the page's name, also in the browser's tab.
        subtitle: one line below it: of what, when, by what.
        sections: what the page says.
        language_toggle: both languages with a switch; without it, English only.

    """
    style = environment().get_template("page.css.jinja").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = (
        environment()
        .get_template("page.html.jinja")
        .render(title=title, subtitle=subtitle, sections=sections, toggle=language_toggle, style_hash=digest)
    )
    return NOT_IN_HTML.sub("\N{REPLACEMENT CHARACTER}", page)
