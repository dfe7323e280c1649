"""One row of JSON text, read with one defined answer to everything that JSON leaves open.

orjson reads nearly every row. It lets the last of two equal keys win and turns integers beyond 64 bits into
floats, both silently, so a row that could hold either goes to the standard library, which tells.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import orjson

Row = dict[str, Any]
Utf8Policy = Literal["quarantine", "replace"]

REPLACED_UTF8 = "invalid UTF-8 replaced"
REPLACED_SURROGATE = "lone surrogate replaced"

_SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')
_SURROGATE = re.compile("[\ud800-\udfff]")
_BEYOND_64_BITS = 9.2e18
_FLAT = frozenset({str, int, bool, type(None)})


class Parsed(NamedTuple):
    """What became of one row: `row` or `error`, never both; `repairs` names what was mended at the border."""

    row: Row | None
    error: str | None = None
    repairs: tuple[str, ...] = ()


def parse_row(raw: bytes, invalid_utf8: Utf8Policy = "quarantine") -> Parsed:
    """Parse the bytes of one row (no line end needed; trailing carriage returns are whitespace).

    Never raises for bad data: the error is returned, and is what a quarantined row shows.
    """
    try:
        row = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _parse_carefully(raw, invalid_utf8)
    if type(row) is not dict:
        return Parsed(None, f"not an object but {_kind(row)}")
    if _plainly_exact(raw, row):
        return Parsed(row)
    return _parse_carefully(raw, invalid_utf8)


class ParsedRows(NamedTuple):
    """What became of many rows: a row or None each, and by position why it is None or what was mended."""

    rows: list[Row | None]
    errors: dict[int, str]
    repairs: dict[int, tuple[str, ...]]


def parse_rows(raws: Sequence[bytes], invalid_utf8: Utf8Policy = "quarantine") -> ParsedRows:
    """Parse each as `parse_row` does; the usual row costs little more than orjson."""
    parsed = ParsedRows([], {}, {})
    keep, loads = parsed.rows.append, orjson.loads
    for raw in raws:
        try:
            row = loads(raw)
        except orjson.JSONDecodeError:
            row = None
        if type(row) is dict and _plainly_exact(raw, row):
            keep(row)
            continue
        row, error, repairs = parse_row(raw, invalid_utf8)
        if error is not None:
            parsed.errors[len(parsed.rows)] = error
        if repairs:
            parsed.repairs[len(parsed.rows)] = repairs
        keep(row)
    return parsed


def dump_row(row: Any) -> bytes:
    """Serialise as compact UTF-8 JSON, key order kept; integers beyond 64 bits stay exact.

    Raises:
        TypeError: a value that JSON does not have.

    """
    try:
        return orjson.dumps(row)
    except TypeError:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def repair_text(text: str) -> str:
    """Replace lone surrogates by U+FFFD, each by one."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _plainly_exact(raw: bytes, row: Row) -> bool:
    """Tell whether `row` surely has every key and every integer of `raw`.

    Every key of the text ends in a colon, and in `":` unless blanks stand between; text inside strings can only add
    to either count. So when one equals the keys that survived parsing, none was lost; false alarms cost time only.
    """
    if _FLAT.issuperset(map(type, row.values())):
        keys = len(row)
        if raw.count(b":") == keys:
            return True
    else:
        keys = _count_keys(row)
    return raw.count(b'":') == keys and not _SPACED_COLON.search(raw)


def _count_keys(row: Row) -> int:
    """Count the keys at every depth; -1 when a float is so large that it may have been an integer."""
    keys = len(row)
    nested: list[Iterable[Any]] = [row.values()]
    for values in nested:  # grows while it is walked
        for value in values:
            kind = type(value)
            if kind is str:
                continue
            if kind is dict:
                keys += len(value)
                nested.append(value.values())
            elif kind is list:
                nested.append(value)
            elif kind is float and abs(value) > _BEYOND_64_BITS:
                return -1
    return keys


def _parse_carefully(raw: bytes, invalid_utf8: Utf8Policy) -> Parsed:
    repairs: list[str] = []
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        if invalid_utf8 == "quarantine":
            return Parsed(None, f"invalid UTF-8 at byte {error.start}")
        text = raw.decode(errors="replace")
        repairs.append(REPLACED_UTF8)
    try:
        row = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
        row, repaired = _repair(row)
    except RecursionError:
        return Parsed(None, "invalid JSON: nested too deeply")
    except ValueError as error:
        return Parsed(None, _reason(error))
    if type(row) is not dict:
        return Parsed(None, f"not an object but {_kind(row)}")
    return Parsed(row, None, (*repairs, REPLACED_SURROGATE) if repaired else tuple(repairs))


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON: {error.msg.removesuffix(' at')} at column {error.pos + 1}"
    return str(error).split(";")[0]


def _unique(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"duplicate key {twice!r}")
    return row


def _refuse(literal: str) -> Any:
    raise ValueError(f"{literal} is not JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise ValueError(f"{literal[:40]} is beyond any float")
    return number


def _repair(value: Any) -> tuple[Any, bool]:
    """Replace lone surrogates in every key and text; returns the value and whether anything changed."""
    if isinstance(value, str):
        mended = repair_text(value)
        return mended, mended != value
    if isinstance(value, dict):
        keys, values = _repair_all(value), _repair_all(value.values())
        return _unique(list(zip(keys[0], values[0], strict=True))), keys[1] or values[1]
    return _repair_all(value) if isinstance(value, list) else (value, False)


def _repair_all(values: Any) -> tuple[list[Any], bool]:
    pairs = [_repair(value) for value in values]
    return [pair[0] for pair in pairs], any(pair[1] for pair in pairs)


def _kind(value: Any) -> str:
    names: dict[type, str] = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
