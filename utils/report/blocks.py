"""What a report page is made of: small frozen records without markup. `utils.report.page` turns them into HTML.

Every text is a `Label`: a `Text` speaks English and Chinese, a plain `str` is data or a name and is shown as it is
under both languages. No text is ever read as HTML.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal
from urllib.parse import quote

Tone = Literal["plain", "good", "warn", "bad"]
Style = Literal["text", "code", "integer", "number", "percent"]


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages."""

    en: str
    zh: str


Label = Text | str


@dataclass(frozen=True, slots=True)
class Measure:
    """A table cell: a value with its interval, shown in the style of its column."""

    kind: ClassVar[str] = "measure"
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Link:
    """A table cell: a way to another file of the run, relative to the page. Addresses outside the run are refused."""

    kind: ClassVar[str] = "link"
    text: Label
    path: str

    def __post_init__(self) -> None:
        if self.path.startswith(("/", "\\")) or ":" in self.path or ".." in self.path.split("/"):
            raise ValueError(f"{self.path!r} is not a path below the page")

    @property
    def href(self) -> str:
        """The path with all that an address may not hold quoted."""
        return quote(self.path.encode("utf-8", "replace"), safe="/")


Cell = Label | Measure | Link | int | float | None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; with a tone it becomes a remark with a coloured edge."""

    kind: ClassVar[str] = "paragraph"
    text: Label
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: numbers are set right, with tabular figures; percent multiplies by 100."""

    title: Label
    style: Style = "text"
    digits: int | None = None

    @property
    def align(self) -> str:
        """The class of its cells."""
        return "left" if self.style in ("text", "code") else "right"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; `emphasis` are the indexes of rows to bring out. A row of another length is refused."""

    kind: ClassVar[str] = "table"
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: Label = ""
    emphasis: Sequence[int] = ()

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells, the table {len(self.columns)} columns")


@dataclass(frozen=True, slots=True)
class Fact:
    """One big number. A `note` is a short line below it."""

    label: Label
    value: int | float | str
    note: Label = ""
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Facts:
    """Big numbers side by side. With `whole`, facts with a tone are its parts: their shares and a strip are drawn."""

    kind: ClassVar[str] = "facts"
    facts: Sequence[Fact]
    whole: int | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A name and its count."""

    label: Label
    count: int
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class BarList:
    """Horizontal bars, the longest fills the width; shares only when the `total` is given (reasons may overlap)."""

    kind: ClassVar[str] = "bars"
    bars: Sequence[Bar]
    total: int | None = None
    caption: Label = ""


@dataclass(frozen=True, slots=True)
class Funnel:
    """What is left after each step, as a share of the first, and what each step lost."""

    kind: ClassVar[str] = "funnel"
    steps: Sequence[Bar]
    caption: Label = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value with an optional interval. A value that is not finite breaks the line."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A named line; points in the order of x."""

    name: Label
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over x, drawn on the server.

    Args:
        series: up to six lines are told apart by colour and mark; more repeat them.
        title: stands above the chart and names it for a screen reader.
        x_label: what x is.
        y_label: what y is.
        x_names: names of x = 0, 1, 2 …; then x is a row of named places, not a number line.
        style: of the numbers on the y axis.
        interval: how low and high are drawn.
        y_range: the part of the y axis to show; by default all values fit.
        reference: a dashed line at this y, for a chance level or a gate.
        reference_label: what that line is.
        bars: bars from zero instead of lines, those of several series side by side; needs `x_names`.

    """

    kind: ClassVar[str] = "chart"
    series: Sequence[Series]
    title: Label
    x_label: Label = ""
    y_label: Label = ""
    x_names: Sequence[str] = ()
    style: Literal["number", "percent"] = "number"
    interval: Literal["whiskers", "band"] = "whiskers"
    y_range: tuple[float, float] | None = None
    reference: float | None = None
    reference_label: Label = ""
    bars: bool = False

    def __post_init__(self) -> None:
        if self.bars and not self.x_names:
            raise ValueError("bars stand at named places: give x_names")


@dataclass(frozen=True, slots=True)
class Diff:
    """A text before and after, side by side, with the changed parts marked; texts over `fold` characters are folded."""

    kind: ClassVar[str] = "diff"
    before: str
    after: str
    title: Label = ""
    fold: int = 600


@dataclass(frozen=True, slots=True)
class Code:
    """A command to copy: one click selects all of it."""

    kind: ClassVar[str] = "code"
    code: str
    caption: Label = ""


@dataclass(frozen=True, slots=True)
class Details:
    """Blocks that are folded until asked for."""

    kind: ClassVar[str] = "details"
    summary: Label
    blocks: Sequence[Block]
    open: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG inside the page, as wide as the text; a click leads to `link` where there is one."""

    kind: ClassVar[str] = "picture"
    png: bytes
    caption: Label
    link: Link | None = None

    def __post_init__(self) -> None:
        if not self.png.startswith(b"\x89PNG\r\n"):
            raise ValueError("not a PNG")

    @property
    def source(self) -> str:
        """The picture as an address that needs no other file."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


Block = Paragraph | Table | Facts | BarList | Funnel | LineChart | Diff | Code | Details | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: Label
    blocks: Sequence[Block]
