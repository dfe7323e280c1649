"""Semantic duplicates by semhash over vectors that are given: its index, search and selection, no model of its own.

    PYTHON benchmarks/peers/semhash_vectors.py CORPUS ROWS

PYTHON is of an environment that has semhash; this file needs nothing of this project. The vectors lie beside CORPUS,
`.npy`, a row for each of its lines. Prints `N rows/s` of processor time, for benchmarks/semantic.py.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path

THRESHOLD = 0.95


def main() -> None:
    """Build the index and deduplicate once."""
    import numpy as np
    from semhash import SemHash

    rows = int(sys.argv[2])
    with open(sys.argv[1], encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, rows)]
    vectors = np.load(Path(sys.argv[1]).with_suffix(".npy"))[:rows]
    start = time.process_time()
    found = SemHash.from_embeddings(vectors, texts, model=None).self_deduplicate(threshold=THRESHOLD)
    seconds = time.process_time() - start
    print(f"{len(found.filtered)} removed; {len(texts) / seconds:.0f} rows/s")


if __name__ == "__main__":
    main()
