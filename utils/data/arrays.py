"""The elements of a JSON array as byte spans, without parsing them: a scanner that knows strings and brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from utils.data.lines import BOM

NOT_CLOSED = "the array is not closed"
CLOSED_BY_BRACE = "a } stands where the array should end or go on"

# Past whole strings and what means nothing here, up to a structural byte. Where none is caught, the text ends or a
# string never does. Inside an element commas mean nothing, so a flat object costs three steps.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BETWEEN = re.compile(rb'(?:[^\[\]{},"]++|' + _STRING + rb")*+([\[\]{},])?", re.DOTALL)
_WITHIN = re.compile(rb'(?:[^\[\]{}"]++|' + _STRING + rb")*+([\[\]{}])?", re.DOTALL)
_SOLID = re.compile(rb"[^ \t\r\n]")
_WHITE = b" \t\r\n"


class Span(NamedTuple):
    """One element at bytes [start, end); `after` is past its comma or bracket. `error`: it is no whole element."""

    start: int
    end: int
    after: int
    error: str | None = None


def is_array(buffer: bytes | mmap) -> bool:
    """Tell whether the first byte that is not blank opens an array."""
    found = _SOLID.search(buffer, _opening(buffer))
    return found is not None and found.group() == b"["


def scan_array(buffer: bytes | mmap, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Give the spans of the elements in bytes [start, end), with an erroneous span for every fault of the array itself.

    Args:
        buffer: the file.
        start: 0, or the byte after a comma between elements.
        end: the end of the file, or the byte after a comma between elements.

    """
    size = len(buffer)
    end = size if end is None else end
    if start == 0:
        opening = _SOLID.search(buffer, _opening(buffer))
        if opening is None:
            return
        start = opening.end()
        if _next_solid(buffer, start, end) == b"]":
            yield from _rest(buffer, buffer.find(b"]", start) + 1, end)
            return
    yield from _elements(buffer, start, end, size)


def _elements(buffer: bytes | mmap, start: int, end: int, size: int) -> Iterator[Span]:
    depth, position = 0, start
    while token := (_WITHIN if depth else _BETWEEN).match(buffer, position, end):
        mark, position = token.group(1), token.end()
        if mark is None:
            break
        if mark in b"[{":
            depth += 1
        elif depth:
            depth -= 1
        else:
            yield _span(buffer, start, position - 1, position)
            if mark == b"}":
                yield _span(buffer, position - 1, end, end)._replace(error=CLOSED_BY_BRACE)
                return
            if mark != b",":
                yield from _rest(buffer, position, end)
                return
            start = position
    if end == size:
        yield from _unclosed(buffer, start, end, whole=depth == 0 and position == end)


def _unclosed(buffer: bytes | mmap, start: int, end: int, *, whole: bool) -> Iterator[Span]:
    span = _span(buffer, start, end, end)
    if whole and not span.error:
        yield span
        yield Span(end, end, end, NOT_CLOSED)
    else:
        yield Span(span.start, span.end, end, NOT_CLOSED)


def _rest(buffer: bytes | mmap, start: int, end: int) -> Iterator[Span]:
    if _next_solid(buffer, start, end):
        yield _span(buffer, start, end, end)._replace(error="something follows the array")


def _span(buffer: bytes | mmap, start: int, end: int, after: int) -> Span:
    found = _SOLID.search(buffer, start, end)
    if found is None:
        return Span(end, end, after, "an element is missing")
    while buffer[end - 1] in _WHITE:
        end -= 1
    return Span(found.start(), end, after)


def _next_solid(buffer: bytes | mmap, start: int, end: int) -> bytes:
    found = _SOLID.search(buffer, start, end)
    return found.group() if found else b""


def _opening(buffer: bytes | mmap) -> int:
    return len(BOM) if buffer[: len(BOM)] == BOM else 0
