"""An encyclopaedia's row as one text: title, abstract, the table of facts, content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.rules.field import at, text_of
from cleaning.rules.title_heading import begins_with, below
from cleaning.trigger import Trigger


class Infobox(EditRule):
    """Puts `# title`, the abstract and a Markdown table of the row's facts before its content.

    The facts are an object (`{name: value}`), or a list of pairs or of objects with a name and a value. A text that
    begins with the title is left alone.
    """

    protected: ClassVar[frozenset[str]] = frozenset()  # it adds a table, and changes nothing of the text

    rule: Literal["infobox"] = "infobox"
    title: str = "title"
    """The key of the title; a row without one is left alone."""
    abstract: str = "abstract"
    """The key of the abstract."""
    facts: str = "infobox"
    """The key of the facts."""
    header: tuple[str, str] = ("属性", "值")
    """The table's header."""

    @property
    def trigger(self) -> Trigger:
        """Any text: what is put before it is not in it."""
        return Trigger(pattern="")

    def apply(self, segments: Segments) -> Edited:
        """Put title, abstract and table before each first segment."""
        texts, counts = list(segments.texts), [0] * len(segments.texts)
        for number, (text, opens) in enumerate(zip(segments.texts, segments.opens, strict=True)):
            row = segments.fields[segments.row[number]] if opens else None
            title = text_of(row, self.title)
            if row is not None and title and not begins_with(text, title):
                parts = (f"# {title}", text_of(row, self.abstract), self._table(at(row, self.facts)), below(text))
                texts[number], counts[number] = "\n\n".join(part for part in parts if part), 1
        return Edited(texts, counts)

    def _table(self, facts: Any) -> str:
        """Return the facts as a Markdown table; empty when there are none."""
        rows = [(_cell(name), _cell(value)) for name, value in _pairs(facts)]
        lines = [f"| {name} | {value} |" for name, value in rows if name and value]
        if not lines:
            return ""
        return "\n".join((f"| {self.header[0]} | {self.header[1]} |", "| --- | --- |", *lines))


def _pairs(facts: Any) -> Iterator[tuple[Any, Any]]:
    """Give names and values, whatever shape they come in; what has no such shape is left out."""
    if isinstance(facts, Mapping):
        yield from facts.items()
        return
    for fact in facts if isinstance(facts, list) else ():
        if isinstance(fact, Mapping):
            name = next((fact[key] for key in ("name", "key", "label", "attr") if key in fact), None)
            yield name, fact.get("value", fact.get("values"))
        elif isinstance(fact, list | tuple) and len(fact) == 2:
            yield fact[0], fact[1]


def _cell(value: Any) -> str:
    """Return a value as a table's cell: one line, its bars escaped."""
    if isinstance(value, list):
        value = "、".join(map(str, value))
    if value is None or isinstance(value, Mapping):
        return ""
    return " ".join(str(value).replace("|", "\\|").split())
