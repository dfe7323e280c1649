"""The entry script: a folder of rows in, a map out; the exit code of what failed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def show(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "utils/tsne_cluster_show.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=500)


def test_a_folder_of_rows_becomes_a_map(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "行"
    folder.mkdir()
    lines = [{"instruction": f"第{n}个问题", "input": "", "output": f"answer {n}"} for n in range(30)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / "a.jsonl").write_text(text, encoding="utf-8")
    done = show(root, "--input_dir", str(folder), "--output_dir", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out/map").glob("map.*")} == {"map.html", "map.png", "map.parquet"}
    assert "t-SNE" in done.stderr


def test_an_empty_folder_ends_with_one_line(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = show(root, "--input_dir", str(tmp_path / "empty"), "--output_dir", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "no rows" in done.stderr
    assert not (tmp_path / "out/map").exists()
