"""Make a mixed Chinese and English corpus with known dirt and near-duplicates of known edits.

    python benchmarks/corpus.py ROWS FOLDER [--text FILE …] [--seed 7]

Sentences come from the rows of the files named (any format that cleaning reads). Without one they are drawn: words of
random syllables and common characters, distributed as in a language (Zipf), so that no text of anybody is needed; real
sentences are better, for rules meet in them what they will meet.

Writes FOLDER/corpus.jsonl (`id, text, lang`; about 800 bytes a row, 70 % Chinese) and FOLDER/pairs.json:
[original, copy, share of edits]. The edits are not the similarity: take the exact Jaccard of each pair.
Row i depends on the seed and i alone, so a million rows take the memory of one.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

CHINESE = 0.7
COPIES = 0.15
EDITS = (0, 0.002, 0.01, 0.02, 0.03, 0.05, 0.08)
_SENTENCE = {"zh": re.compile(r"[^。！？\n]{4,}[。！？]*\n*"), "en": re.compile(r"[^.!?\n]{8,}[.!?]*\s*")}
_FILLER = {
    "zh": list("的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对"),
    "en": ["the", "of", "and", "to", "in", "a", "is", "that", "it", "was", "for", "on", "are", "with", "as", "his"],
}
_ONSETS, _RHYMES = "bdfgklmnprstv", ("a", "e", "i", "o", "u", "an", "en", "or")


class Sentences(NamedTuple):
    """What rows are made of."""

    zh: Sequence[str]
    en: Sequence[str]


def read_sentences(files: Sequence[Path]) -> Sentences:
    """Return the different sentences of the rows of files."""
    from utils.data.streaming import iter_records

    found: dict[str, dict[str, None]] = {"zh": {}, "en": {}}
    for file in files:
        for record in iter_records(file):
            text = "\n".join(message.content for message in record.messages)
            if record.lang in found:
                found[record.lang].update(dict.fromkeys(_SENTENCE[record.lang].findall(text)))
    return Sentences(list(found["zh"]), list(found["en"]))


def draw_sentences(number: int, seed: int) -> Sentences:
    """Return sentences of made-up words, as many for each language."""
    rng = random.Random(f"sentences-{seed}")
    common = [bytes((0xA0 + row, 0xA0 + cell)).decode("gb2312") for row in range(16, 55) for cell in range(1, 95)]
    syllables = [a + b for a in _ONSETS for b in _RHYMES]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 3))) for _ in range(20_000)]
    rng.shuffle(common)

    def drawn(items: Sequence[str], least: int, most: int) -> list[str]:
        size = rng.randint(least, most)
        return [items[min(len(items) - 1, int(len(items) ** rng.random()) - 1)] for _ in range(size)]

    zh = [f"{''.join(drawn(common, 4, 14))}，{''.join(drawn(common, 4, 18))}。" for _ in range(number)]
    en = [" ".join(drawn(words, 6, 22)).capitalize() + ". " for _ in range(number)]
    return Sentences(zh, en)


class Maker:
    """Rows by number."""

    def __init__(self, sentences: Sentences, rows: int, seed: int) -> None:
        self._sentences, self.rows, self._seed = sentences, rows, seed
        self.originals = int(rows * (1 - COPIES))

    def row(self, number: int) -> tuple[str, str, tuple[int, float] | None]:
        """Return a row's text, language, and for a copy its original and share of edits."""
        rng = random.Random(f"{self._seed}-{number}")
        if number < self.originals:
            lang = "zh" if rng.random() < CHINESE else "en"
            return self._dirty(rng, self._text(rng, lang)), lang, None
        original, share = rng.randrange(self.originals), rng.choice(EDITS)
        text, lang, _ = self.row(original)
        return (self._edited(rng, text, share, lang) if share else text), lang, (original, share)

    def _text(self, rng: random.Random, lang: str) -> str:
        want = min(4000, max(20, math.exp(rng.gauss(5.3, 0.8)) * (1 if lang == "zh" else 2.5)))
        pool, parts, size = getattr(self._sentences, lang), [], 0
        while size < want:
            parts.append(rng.choice(pool))
            size += len(parts[-1])
        return "".join(parts)

    def _dirty(self, rng: random.Random, text: str) -> str:
        """Add what web pages carry, each kind to a few rows in a hundred."""
        for share, dirt in (
            (0.06, lambda t: f"{t} 详见 https://www.example.net/a/{rng.randrange(10**6)}?x={rng.randrange(99)}&y=b 。"),
            (0.04, lambda t: f"{t} 电话13{rng.randrange(10)}{rng.randrange(10**8):08d}。"),
            (0.03, lambda t: f"{t} email: user{rng.randrange(10**5)}@mail{rng.randrange(99)}.com.cn 。"),
            (0.05, lambda t: f'<div class="c{rng.randrange(99)}"><p>{t}</p></div>'),
            (0.06, lambda t: t.replace("。", "。。。", 2).replace(".", "....", 1) + "！！！！"),
            (0.02, lambda t: t[:60].encode().decode("latin-1") + t),
            (0.03, lambda t: f"{t}ＡＢＣ１２３（全角）①②【括号】「引号」"),
            (0.02, lambda t: f"{t}好的好的知道了好的好的知道了好的好的知道了"),
            (0.01, lambda t: f"{t} 微信号：abc_{rng.randrange(99)}12345"),
            (0.04, lambda t: t.replace("，", "，  ", 3)),
            (0.02, lambda t: f"{t} \U0001f600\U0001f680 "),
        ):
            if rng.random() < share:
                text = dirt(text)
        return text

    def _edited(self, rng: random.Random, text: str, share: float, lang: str) -> str:
        """Replace, insert and remove characters (Chinese) or words (English)."""
        units = list(text) if lang == "zh" else text.split(" ")
        for _ in range(max(1, int(len(units) * share))):
            at, kind = rng.randrange(len(units)), rng.random()
            if kind < 0.5:
                units[at] = rng.choice(_FILLER[lang])
            elif kind < 0.75:
                units.insert(at, rng.choice(_FILLER[lang]))
            elif len(units) > 1:
                del units[at]
        return ("" if lang == "zh" else " ").join(units)


def make(rows: int, folder: Path, files: Sequence[Path] = (), seed: int = 7) -> Path:
    """Write a corpus; return its file."""
    sentences = read_sentences(files) if files else draw_sentences(50_000, seed)
    maker, pairs, size = Maker(sentences, rows, seed), [], 0
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as out:
        for number, (text, lang, copy) in enumerate(_rows(maker)):
            out.write(json.dumps({"id": number, "text": text, "lang": lang}, ensure_ascii=False) + "\n")
            size += len(text.encode())
            if copy:
                pairs.append((copy[0], number, copy[1]))
    (folder / "pairs.json").write_text(json.dumps(pairs))
    print(f"{rows:,} rows, {len(pairs):,} copies, {size / max(1, rows):.0f} bytes a row", file=sys.stderr)
    return folder / "corpus.jsonl"


def _rows(maker: Maker) -> Iterator[tuple[str, str, tuple[int, float] | None]]:
    return (maker.row(number) for number in range(maker.rows))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("rows", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="files whose rows give the sentences")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    make(given.rows, given.folder, given.text, given.seed)


if __name__ == "__main__":
    main()
