"""A table of which one column, named in the config, is the text; never detected, always asked for."""

from __future__ import annotations

from dataclasses import dataclass

from utils.data.formats.base import Format, Row, Text, text_at


@dataclass(frozen=True, slots=True)
class _Has:
    field: str

    def __call__(self, row: Row) -> bool:
        return self.field in row


@dataclass(frozen=True, slots=True)
class _TextOf:
    field: str

    def __call__(self, row: Row) -> list[Text]:
        return [((self.field,), "document", text_at(row, (self.field,)))]


def text_field_format(field: str) -> Format:
    """Return the format whose one text, of role document, is the column `field`."""
    return Format("text_field", _Has(field), _TextOf(field))
