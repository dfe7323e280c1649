"""Count a blacklist's phrases in a corpus with flashtext, or with pyahocorasick.

    PYTHON benchmarks/peers/phrases.py flashtext|pyahocorasick CORPUS PHRASES ROWS

PYTHON is of an environment that has them; this file needs nothing of this project. Prints `N rows/s` with N in
megabytes per second, for benchmarks/cleaning.py blacklist.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable


def flashtext(phrases: list[str]) -> Callable[[str], int]:
    """Return a counter by flashtext."""
    from flashtext import KeywordProcessor

    processor = KeywordProcessor()
    for phrase in phrases:
        processor.add_keyword(phrase)
    return lambda text: len(processor.extract_keywords(text))


def pyahocorasick(phrases: list[str]) -> Callable[[str], int]:
    """Return a counter by pyahocorasick."""
    import ahocorasick

    automaton = ahocorasick.Automaton()
    for phrase in phrases:
        automaton.add_word(phrase, 1)
    automaton.make_automaton()
    return lambda text: sum(1 for _ in automaton.iter(text))


def main() -> None:
    """Read the command line."""
    name, corpus, dictionary, rows = sys.argv[1:5]
    with open(dictionary, encoding="utf-8") as lines:
        phrases = [line.rsplit("=>", 1)[0].strip() for line in lines]
    count = {"flashtext": flashtext, "pyahocorasick": pyahocorasick}[name]([phrase for phrase in phrases if phrase])
    with open(corpus, encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, int(rows))]
    size = sum(len(text.encode()) for text in texts) / 1e6
    start = time.process_time()
    hits = sum(map(count, texts))
    print(f"{name}: {hits} hits, {size / (time.process_time() - start):.2f} rows/s")


if __name__ == "__main__":
    main()
