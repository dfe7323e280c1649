"""A folder of rows → a map of its clusters: `python utils/tsne_cluster_show.py --input_dir DIR --output_dir DIR`.

An entry script, as cli.py is: it runs `posttrain attributes` (offline embedding, clusters) and `posttrain view`, in
`attributes/` and `map/` below the output. Both resume; the map is `map/map.html`, `map.png` and `map.parquet`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "posttrain.py"


def main(argv: list[str]) -> int:
    """Measure and draw; return the exit code of the first command that did not end well, else of the last."""
    parser = argparse.ArgumentParser(prog="tsne_cluster_show.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--input_dir", type=Path, required=True, help="rows in any supported format")
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--scatter_num", type=int, default=100_000, help="most points to draw")
    options = parser.parse_args(argv)
    measured = options.output_dir / "attributes"
    code = posttrain("attributes", input=options.input_dir, output=measured, executor="local")
    if code not in (0, 3):  # 3: done, with many unreadable rows in quarantine/
        return code
    points = options.scatter_num
    drawn = posttrain(
        "view", attributes=measured, output=options.output_dir / "map", points=points, name=_name(options)
    )
    return drawn or code


def _name(options: argparse.Namespace) -> str:
    """Return the folder's name as far as a run may be called so."""
    name = options.input_dir.resolve().name
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)[
        :128
    ]


def posttrain(verb: str, **keys: object) -> int:
    """Run a stage as a command of its own; return its exit code."""
    settings = [word for key, value in keys.items() for word in ("--set", f"{key}={json.dumps(value, default=str)}")]
    return subprocess.run([sys.executable, "-P", str(PROGRAM), verb, *settings], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
