"""Makes the sample that ships with the project: dirty instruction rows, dirty documents, and the truth about both.

    python -m cleaning.sample_maker.make

Seeded, and written by us from the first word to the last. The same seed gives the same rows; text files are the same
byte for byte. Rows that have nothing to do with each other have a Jaccard of at most 0.45.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import posttrain_root
from cleaning.sample_maker import files
from cleaning.sample_maker.banks import LANGS
from cleaning.sample_maker.documents import Documents
from cleaning.sample_maker.edge import edge_rows
from cleaning.sample_maker.files import Placed, Shape
from cleaning.sample_maker.instructions import Instructions
from cleaning.sample_maker.pieces import Draft
from cleaning.sample_maker.resemblance import Crowd

SEED = 20240607
TRUTH = "sample_truth"

INSTRUCTIONS: dict[str, tuple[str, Shape]] = {
    "alpaca_zh.json": ("zh", files.alpaca),
    "chat_en.jsonl.gz": ("en", files.chat),
    "dolly_en.parquet": ("en", files.dolly),
    "instructions_zh.jsonl": ("zh", files.alpaca),
    "questions_en.jsonl": ("en", files.data_list),
    "talks.jsonl": ("zh en", files.sharegpt),
}
DOCUMENTS: dict[str, tuple[str, Shape]] = {
    "pages_en.jsonl.gz": ("en", files.document),
    "pages_mixed.parquet": ("zh en", files.document),
    "pages_zh.jsonl": ("zh", files.content),
}
_ONLY_PAIRS = (files.alpaca, files.dolly)
_BROKEN = {  # a byte that is no UTF-8, after a blank line that is no row; a question without its answer
    "talks.jsonl": (b'\n{"id": "talk-x", "conversations": [{"from": "human", "value": "What is a caf\xe9?"}]}',),
    "questions_en.jsonl": (b'{"id": "30", "data": ["Who answers this one?"]}',),
}
_BROKEN_PAGES = {  # GBK instead of UTF-8
    "pages_zh.jsonl": (b'{"title": "\xb3\xb1\xcf\xab", "content": "\xd4\xc2\xc7\xf2\xb5\xc4\xd2\xfd\xc1\xa6"}',),
}


def instructions(seed: int = SEED) -> Placed:
    """Return the instruction rows in their files."""
    placed = _dealt(Instructions, INSTRUCTIONS, seed)
    for lang, name in (("zh", "instructions_zh.jsonl"), ("en", "questions_en.jsonl")):
        dict(placed)[name][:0] = edge_rows(lang)
    for name, lines in _BROKEN.items():
        dict(placed)[name][40:40] = _broken("en", lines)
    files.settle(placed)
    return placed


def documents(seed: int = SEED) -> Placed:
    """Return the documents in their files."""
    placed = _dealt(Documents, DOCUMENTS, seed)
    for name, lines in _BROKEN_PAGES.items():
        dict(placed)[name][5:5] = _broken(DOCUMENTS[name][0], lines)
    files.settle(placed)
    return placed


def make(folder: Path) -> None:
    """Write `sample/`, `sample_documents/` and `sample_truth/` into a folder."""
    for name, placed, shapes in (
        ("sample", instructions(), INSTRUCTIONS),
        ("sample_documents", documents(), DOCUMENTS),
    ):
        for file, rows in placed:
            files.write(folder / name, file, rows, shapes[file][1])
        files.write_truth(folder / TRUTH / f"{name}.jsonl", _truth(placed))
        files.write_truth(folder / TRUTH / f"{name}_pairs.jsonl", files.pairs(placed))


def _truth(placed: Placed) -> list[dict[str, Any]]:
    return [draft.truth(name, number) for name, rows in placed for number, draft in enumerate(rows)]


def _broken(lang: str, lines: tuple[bytes, ...]) -> list[Draft]:
    return [Draft(lang, [], status="quarantined", dirt=["broken"], raw=line) for line in lines]


def _dealt(maker: type[Instructions] | type[Documents], shapes: dict[str, tuple[str, Shape]], seed: int) -> Placed:
    """Make the rows of both languages and deal them out to the files of their language."""
    crowd, drafts = Crowd(), []
    for lang in LANGS:
        drafts += maker(lang, random.Random(f"{seed}-{maker.__name__}-{lang}"), crowd).rows()  # noqa: S311

    def takes(name: str, draft: Draft) -> bool:
        langs, shape = shapes[name]
        return draft.lang in langs and (len(draft.turns) < 3 or shape not in _ONLY_PAIRS)

    return files.dealt(drafts, list(shapes), takes, random.Random(f"{seed}-files"))  # noqa: S311


if __name__ == "__main__":
    make(posttrain_root.ROOT / "cleaning")
