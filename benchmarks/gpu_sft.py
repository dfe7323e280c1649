"""SFT on one GPU: ours and TRL used plainly, on Llamas of real size with random weights. No Ray, nothing downloaded.

    python -m benchmarks.gpu_sft [--case 1b 8b-lora] [--rows N] [--rounds 3] [--write]

`1b` has the shape of Llama-3.2-1B and trains all weights in bf16 mixed precision; `8b-lora` that of Llama-3.1-8B and
trains a LoRA on all linear layers over bf16 weights, with checkpointing. Rows fill the length. It prints tokens per
second (TGS), MFU (docs/TRAINING.md has the formula) and memory. A machine without a GPU is told so; `--case tiny` runs
there and only proves that the script works. `--write`: into docs/BENCHMARKS.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import posttrain_root  # noqa: F401  first: puts our folder before a foreign utils/
from benchmarks.sft import Case, benchmark

_SHAPE_1B = {"hidden": 2048, "layers": 16, "heads": 32, "kv_heads": 8, "intermediate": 8192, "vocab": 128_256}
_SHAPE_8B = {"hidden": 4096, "layers": 32, "heads": 32, "kv_heads": 8, "intermediate": 14_336, "vocab": 128_256}
_LONG = {"length": 2048, "median": 2048, "precision": "bf16", "batching": "by_length"}

CASES = (
    Case("1b", **_SHAPE_1B, **_LONG, rows=320, batch=8),  # type: ignore[arg-type]
    Case("8b-lora", **_SHAPE_8B, **_LONG, rows=160, batch=4, lora=True, checkpointing=True),  # type: ignore[arg-type]
)
TINY = Case("tiny", hidden=32, layers=2, heads=4, kv_heads=2, intermediate=64, vocab=700, length=64, median=64, rows=24)


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; return the exit code."""
    import torch

    if not torch.cuda.is_available() and "tiny" not in argv:
        print("no GPU here; --case tiny proves that the script works", file=sys.stderr)
        return 2
    cases = (TINY,) if "tiny" in argv else CASES
    return benchmark(argv, cases, "gpu sft", ("ours", "trl"), __doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
