"""Other shapes of data before or after cleaning: files in parts, long conversations in parts, question–answer dumps.

`posttrain clean convert split|turns|questions`. What is there already is never written over.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from cleaning.tokens import token_counts
from cleaning.turns import split_turns
from utils.data.formats import Format, Row, RowError, detect
from utils.data.inputs import find_files
from utils.data.parsing import dump_row
from utils.data.partitions import plan_partitions
from utils.data.reading import RawRow, read_partition
from utils.errors import UserError

QUESTIONS = ("question", "title", "query", "ask", "q")
DETAILS = ("description", "desc", "detail", "content", "body")
ANSWERS = ("answers", "answer", "best_answer", "replies", "reply", "response", "a")
_ANSWER_TEXTS = ("content", "answer", "text", "body")

# A JSON string holds no raw line end, so blanks around one are always between tokens.
_LINE_END = re.compile(rb"[ \t]*[\r\n][ \t\r\n]*")


def split_file(source: Path, folder: Path, *, rows: int | None = None, size: int | None = None) -> Iterator[Path]:
    """Cut a file of rows into parts `<stem>-00000.jsonl`, `<stem>-00001.jsonl` …, every row in one of them, in order.

    A part appears whole or not at all. Done again, parts that are there and equal stay; another file under a part's
    name stops it.

    Args:
        source: JSON, JSONL, plain or compressed. Rows that are no JSON are carried along as they are.
        folder: made when missing.
        rows: rows of a part.
        size: bytes of a part, in place of `rows`; a longer row is a part by itself.

    Raises:
        UserError: neither or both are given, a row is too long to be held, Parquet, or a part that differs.

    """
    if (rows is None) == (size is None) or (rows or size or 0) < 1:
        raise UserError("give either rows or bytes of a part, at least 1", where="split")
    if source.suffix == ".parquet":
        raise UserError("Parquet is not split", where=str(source), mend="it is read by row groups, whatever its size")
    stem = source.name.split(".")[0] or "part"
    folder.mkdir(parents=True, exist_ok=True)
    for number, lines in enumerate(_parts(map(_line, _rows(source)), rows, size)):
        yield _publish(folder / f"{stem}-{number:05}.jsonl", lines)


def question_answer(rows: Iterable[Row]) -> Iterator[Row]:
    """Give `{"messages": [question, answer], …}` for each answer of rows of questions and answers.

    The question is the first of `QUESTIONS` that a row has, and what stands under one of `DETAILS`, when it says more,
    follows it on a line of its own. Answers are a text, a list of texts, or a list of objects with a text; other keys
    of the row, and of an answer's object, go along. A row without a question or an answer is given back as it was.
    """
    for row in rows:
        question = next((key for key in QUESTIONS if isinstance(row.get(key), str) and row[key].strip()), None)
        answers = next((key for key in ANSWERS if row.get(key) and key != question), None)
        found = list(_answers(row[answers])) if answers is not None else []
        if question is None or not found:
            yield row
            continue
        used = {question, answers}
        details = next((key for key in DETAILS if key not in used and isinstance(row.get(key), str)), None)
        text = row[question].strip()
        if details is not None:
            used.add(details)
            more = row[details].strip()
            text = f"{text}\n{more}" if more and more != text else text
        rest = {key: value for key, value in row.items() if key not in used}
        for answer, beside in found:
            turns = [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
            yield {**rest, **{key: value for key, value in beside.items() if key not in rest}, "messages": turns}


def long_turns(rows: Iterable[Row], most: int, tokenizer: Path | None = None) -> Iterator[Row]:
    """Give rows, long conversations in parts of at most `most` tokens (`cleaning.turns.split_turns`)."""
    fmt: Format | None = None
    for row in rows:
        fmt = fmt if fmt is not None and fmt.matches(row) else detect(row)
        try:
            texts = [text for _, _, text in fmt.texts(row)]
        except RowError:
            yield row
            continue
        yield from split_turns(row, fmt, _sizes(texts, tokenizer), most)


def run(argv: list[str]) -> int:
    """Carry out `posttrain clean convert`."""
    parser = argparse.ArgumentParser(prog="posttrain clean convert", description=__doc__, allow_abbrev=False)
    kinds = parser.add_subparsers(dest="kind", required=True)
    split = kinds.add_parser("split", help="a file in parts")
    split.add_argument("--rows", type=int, help="rows of a part")
    split.add_argument("--bytes", type=int, help="bytes of a part")
    turns = kinds.add_parser("turns", help="long conversations in parts")
    turns.add_argument("--max-tokens", type=int, required=True, help="tokens of a part")
    turns.add_argument("--tokenizer", type=Path, help="tokenizer.json or a model's folder; else by estimate")
    questions = kinds.add_parser("questions", help="question–answer dumps as chat rows")
    for kind in (split, turns, questions):
        kind.add_argument("input", type=Path)
        kind.add_argument("output", type=Path, help="a folder for split, else a .jsonl file")
    options = parser.parse_args(argv)
    if options.kind == "split":
        for _ in split_file(options.input, options.output, rows=options.rows, size=options.bytes):
            pass
        return 0
    rows = _readable(options.input)
    if options.kind == "turns":
        converted = long_turns(rows, options.max_tokens, options.tokenizer)
    else:
        converted = question_answer(rows)
    _publish(options.output, map(dump_row, converted))
    return 0


def _answers(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the answers that are texts, with what stands beside them."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and one.strip():
            yield one.strip(), {}
        elif isinstance(one, Mapping):
            key = next((key for key in _ANSWER_TEXTS if isinstance(one.get(key), str) and one[key].strip()), None)
            if key is not None:
                yield one[key].strip(), {name: value for name, value in one.items() if name != key}


def _sizes(texts: list[str], tokenizer: Path | None) -> list[int]:
    from cleaning.prose import scanner

    sizes: list[int] = token_counts(texts, scanner().scan(texts).counts, tokenizer).tolist()
    return sizes


def _rows(source: Path) -> Iterator[RawRow]:
    files = find_files(source)
    return chain.from_iterable(read_partition(part) for file in files for part in plan_partitions(file))


def _readable(source: Path) -> Iterator[Row]:
    for raw in _rows(source):
        if raw.row is None:
            raise UserError(f"row {raw.source_row}: {raw.error}", where=str(source), mend="clean it first")
        yield raw.row


def _line(raw: RawRow) -> bytes:
    """Return a row's bytes on one line."""
    if raw.error is not None and "max_row_bytes" in raw.error:  # only its beginning is held
        raise UserError(f"row {raw.source_row}: {raw.error}", where="split")
    return _LINE_END.sub(b" ", raw.raw)


def _parts(lines: Iterable[bytes], rows: int | None, size: int | None) -> Iterator[list[bytes]]:
    """Give lines in groups of so many, or of so many bytes."""
    part: list[bytes] = []
    held = 0
    for line in lines:
        full = len(part) == rows if size is None else bool(part) and held + len(line) + 1 > size
        if full:
            yield part
            part, held = [], 0
        part.append(line)
        held += len(line) + 1
    if part:
        yield part


def _publish(target: Path, lines: Iterable[bytes]) -> Path:
    """Write lines to a file that is not there yet; an equal one stays.

    Raises:
        UserError: another file is there.

    """
    temporary = target.with_name(f"{target.name}.tmp.{os.getpid()}")
    try:
        with temporary.open("wb") as out:
            out.writelines(line + b"\n" for line in lines)
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(temporary, target)
        except FileExistsError:
            if temporary.read_bytes() != target.read_bytes():
                raise UserError("another file is there", where=str(target), mend="give another output") from None
        return target
    finally:
        temporary.unlink(missing_ok=True)
