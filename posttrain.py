"""The program: `posttrain …`, `python -m posttrain …` and `python -P posttrain.py …` all start here."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # under -P it is missing, and another checkout would be found

import posttrain_root  # noqa: F401  puts our folder before a foreign utils/, for good


def main() -> None:
    """Start the command line; exit with its code."""
    import cli

    sys.exit(cli.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
