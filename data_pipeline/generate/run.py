"""A model answers every prompt of a file: in the file's order, batch by batch, each committed whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_pipeline.batches import batch_name, batch_seed, revision_of
from data_pipeline.generate.config import GenerateConfig
from data_pipeline.generate.prompts import Asked, Fitted, fitted, read
from data_pipeline.loaded_model import context_length, loaded
from data_pipeline.prompts import content_of
from utils.data.records import MESSAGES, read_parquet, to_dicts, write_parquet
from utils.errors import UserError

if TYPE_CHECKING:
    from utils.models.generate import LocalModel
    from utils.models.templates import ChatTemplate
    from utils.runs.directory import Run

ANSWERS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("lang", pa.string()),
        ("prompt", MESSAGES),
        ("reference", pa.string()),
        ("answer", pa.string()),
        ("finish_reason", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("answer_tokens", pa.int32()),
        ("cut", pa.bool_()),
    ]
)
"""`prompt` is what was asked in the end, a system message of the config and cuts included."""

_PLACE = [("source_file", pa.string()), ("source_row", pa.int64()), ("error", pa.string())]
PART_SCHEMA = pa.schema([*ANSWERS_SCHEMA, *_PLACE])
_BATCHES = 8
"""Forward passes that are committed together: rows of like length share one, so the more the less padding."""


def inputs(config: GenerateConfig) -> list[Path]:
    """Return the prompts, the model and an adapter's base, and a template of the user's own."""
    from utils.models.use import find

    place = find(config.model)
    own = [Path(config.template)] if config.template and config.template.endswith(".jinja") else []
    return [*_sources(config), config.model, *([place.weights] if place.adapter else []), *own]


def dry_run(config: GenerateConfig) -> dict[str, Any]:
    """Return how many rows are asked, how long they are, and the most tokens that can come out."""
    from utils.models.use import check_precision, find, longest, open_template_for_use

    check_precision(config.dtype, load_in_8bit=config.load_in_8bit)
    place = find(config.model)
    template = open_template_for_use(place, config.template, str(config.model))
    room = _room(config, longest(place))
    rows, told = Counter[str](), Counter[str]()
    for asked in read(config):
        prompt = _fitted(template, asked, room, config)
        rows["kept" if prompt.error is None else "quarantined"] += 1
        told.update(prompt_tokens=prompt.tokens if prompt.error is None else 0, cut=prompt.cut)
    counts = {"in": rows.total(), "kept": rows["kept"], "dropped": 0, "quarantined": rows["quarantined"]}
    return {**counts, **told, "most_new_tokens": rows["kept"] * config.max_new_tokens}


def work(run: Run, config: GenerateConfig) -> dict[str, Any]:
    """Answer what is not answered yet, and join the answers."""
    total = sum(1 for _ in read(config))
    if not total:
        raise UserError("no rows", where=str(config.input), mend="point `input` at a file with prompts")
    size = config.batch_size * _BATCHES
    decisive, names = _decisive(run, config), list[str]()
    with run.progress(-(-total // size), "generate") as progress, ExitStack() as stack:
        model: LocalModel | None = None
        for rows in _units(read(config), size):
            names.append(_name(decisive, rows))
            if run.committed(names[-1]) is None:
                model = model or stack.enter_context(_opened(config))
                _answer(run, config, model, names[-1], rows)
            progress.step()
            run.stop.check()
    return _assemble(run, config, names)


def _opened(config: GenerateConfig) -> Any:
    return loaded(
        config.model,
        batch_size=config.batch_size,
        template=config.template,
        dtype=config.dtype,
        load_in_8bit=config.load_in_8bit,
    )


def _units(rows: Iterable[Asked], size: int) -> Iterator[list[Asked]]:
    coming = iter(rows)
    while some := list(islice(coming, size)):
        yield some


def _decisive(run: Run, config: GenerateConfig) -> list[Any]:
    """Return what decides every answer: the keys, and the contents of model, base and template."""
    spec = config.model_dump(mode="json", exclude={"name", "output", "model", "input", "quarantine_limit", "to"})
    return [spec, [revision_of(run, path) for path in inputs(config)[len(_sources(config)) :]]]


def _name(decisive: list[Any], rows: list[Asked]) -> str:
    """Name a unit by all that decides its answers, and by its place: equal prompts may be drawn differently."""
    content = [[asked.file, asked.row, asked.error, asked.prompt and content_of([asked.prompt])] for asked in rows]
    return batch_name("generated", decisive, content)


def _sources(config: GenerateConfig) -> list[Path]:
    return config.input if isinstance(config.input, list) else [config.input]


def _room(config: GenerateConfig, limit: int | None) -> int | None:
    """Return the tokens that a prompt may have; None for a model without a limit."""
    if limit is None:
        return None
    if config.max_new_tokens >= limit:
        what = f"the model takes {limit} tokens in all: {config.max_new_tokens} new ones leave no room for a prompt"
        raise UserError(what, where="max_new_tokens", mend=f"--set max_new_tokens={limit // 2}")
    return limit - config.max_new_tokens


def _fitted(template: ChatTemplate, asked: Asked, room: int | None, config: GenerateConfig) -> Fitted:
    if asked.prompt is None:
        return Fitted(None, error=asked.error)
    return fitted(template, asked.prompt.messages, room, cut=config.over_length == "cut")


def _answer(run: Run, config: GenerateConfig, model: LocalModel, name: str, rows: list[Asked]) -> None:
    """Have a unit's rows answered, and commit it."""
    room = _room(config, context_length(model))
    prompts = [_fitted(model.template, asked, room, config) for asked in rows]
    answers = iter(
        model.answer(
            [prompt.messages for prompt in prompts if prompt.messages is not None],
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            seed=batch_seed(config.seed, name),
        )
    )
    found = []
    for asked, prompt in zip(rows, prompts, strict=True):
        row: dict[str, Any] = {"source_file": asked.file, "source_row": asked.row, "error": prompt.error}
        if asked.prompt is not None:
            row |= {"id": asked.prompt.id, "source": asked.prompt.source, "lang": asked.prompt.lang}
        if asked.prompt is not None and prompt.messages is not None:
            answer = next(answers)
            row |= {"prompt": to_dicts(prompt.messages), "reference": asked.prompt.reference}
            row |= {"answer": answer.text, "finish_reason": answer.finish_reason, "cut": prompt.cut}
            row |= {"prompt_tokens": prompt.tokens, "answer_tokens": answer.tokens}
        found.append(row)
    failed = sum(row["error"] is not None for row in found)
    with run.unit(name) as unit:
        with unit.file(_part(name)) as temporary:
            write_parquet(pa.Table.from_pylist(found, schema=PART_SCHEMA), temporary)
        counts = {"in": len(rows), "kept": len(rows) - failed, "dropped": 0, "quarantined": failed}
        unit.commit({"by_content": True, **counts})


def _part(name: str) -> str:
    return f"run/work/{name}.parquet"


def _assemble(run: Run, config: GenerateConfig, names: list[str]) -> dict[str, Any]:
    """Join the parts in the order of the input; what could not be asked goes to `quarantine/`."""
    numbers: Counter[str] = Counter()
    for name in names:
        report = run.committed(name) or {}
        numbers.update({key: report[key] for key in ("in", "kept", "dropped", "quarantined")})
    ends: Counter[str] = Counter()
    with run.unit("answers") as unit:
        with unit.file(f"answers.{config.to}") as temporary:
            _write(run, names, temporary, config, ends)
        if numbers["quarantined"]:
            with unit.file("quarantine/rows.jsonl") as temporary, temporary.open("w", encoding="utf-8") as stream:
                for table in _parts(run, names):
                    failed = table.filter(pc.is_valid(table["error"])).select([field for field, _ in _PLACE])
                    stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in failed.to_pylist())
        counts = {**numbers, "by_reason": {}, **dict(sorted(ends.items()))}
        unit.commit(counts)
    return counts


def _write(run: Run, names: list[str], path: Path, config: GenerateConfig, ends: Counter[str]) -> None:
    """Write the answers, part by part; count how they ended, their tokens and the cuts."""
    with ExitStack() as stack:
        if config.to == "parquet":
            options: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
            parquet = stack.enter_context(pq.ParquetWriter(path, ANSWERS_SCHEMA, **options))
        else:
            stream = stack.enter_context(path.open("w", encoding="utf-8"))
        for table in _parts(run, names):
            good = table.filter(pc.is_null(table["error"])).select(ANSWERS_SCHEMA.names)
            ends.update(f"finished_{reason}" for reason in good["finish_reason"].to_pylist())
            for column in ("prompt_tokens", "answer_tokens", "cut"):
                ends[column] += pc.sum(good[column]).as_py() or 0
            if config.to == "parquet":
                parquet.write_table(good)
            else:
                stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in good.to_pylist())


def _parts(run: Run, names: list[str]) -> Iterator[pa.Table]:
    for name in names:
        yield read_parquet(run.path / _part(name))
