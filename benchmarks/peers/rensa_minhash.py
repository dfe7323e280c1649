"""Near-duplicates with rensa's MinHash and LSH, character 5-grams, 128 permutations, unverified.

    PYTHON benchmarks/peers/rensa_minhash.py CORPUS ROWS

PYTHON is of an environment that has rensa; this file needs nothing of this project. Prints `N rows/s`, shingles
included, for benchmarks/dedup.py kernel.
"""

from __future__ import annotations

import itertools
import json
import sys
import time


def main() -> None:
    """Hash, insert and look up every row once."""
    from rensa import RMinHash, RMinHashLSH

    with open(sys.argv[1], encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, int(sys.argv[2]))]
    start = time.process_time()
    index, near = RMinHashLSH(0.7, 128, 16), 0
    for row, text in enumerate(texts):
        signature = RMinHash(num_perm=128, seed=42)
        signature.update([text[at : at + 5] for at in range(max(1, len(text) - 4))])
        near += bool(index.query(signature))
        index.insert(row, signature)
    seconds = time.process_time() - start
    print(f"{near} rows with a neighbour; {len(texts) / seconds:.0f} rows/s")


if __name__ == "__main__":
    main()
