"""Every command of docs/MIGRATION.md does what the page says, on the files that the page shows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

import cli
from utils.data.streaming import iter_preferences, iter_records
from utils.runs.commit import read_json

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "MIGRATION.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(json|bash)[ ]?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def chapters() -> dict[str, list[tuple[str, str, str]]]:
    """Return the blocks (language, file, text) of every chapter."""
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    return {name: BLOCK.findall(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.mark.parametrize("chapter", chapters())
def test_commands_of_the_page_run(chapter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = 0
    for language, name, text in chapters()[chapter]:
        if language == "json":
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(text, encoding="utf-8")
            continue
        for line in text.splitlines():
            words = shlex.split(line)
            assert words[0] == "posttrain"
            assert cli.main([*words[1:], "--quiet"]) == 0, line
            commands += 1
    assert commands
    for manifest in Path("runs").glob("*/manifest.json"):
        counts = read_json(manifest)["counts"]
        assert counts["in"] == counts["kept"] > 0
    SEEN[chapter]()


def llama_factory() -> None:
    demo = next(iter_records("runs/import/good/demo_zh.jsonl"))
    assert demo.messages[0].content == "把下面的话译成英文。\n天气很好。"
    assert list(read_json(Path("runs/lf-chat/dataset_info.json"))) == ["chat"]
    row = json.loads(Path("runs/lf-chat/chat.jsonl").read_text())
    assert row["conversations"][0] == {"from": "system", "value": "Be brief."}
    assert read_json(Path("runs/lf-prefer/dataset_info.json"))["prefer"]["ranking"] is True
    assert json.loads(Path("runs/lf-prefer/prefer.jsonl").read_text())["rejected"] == "9"


def ms_swift() -> None:
    first = next(iter_records("runs/swift/swift.jsonl"))
    assert [message.content for message in first.messages] == ["只答数字。", "一加一？", "二", "三加四？", "七"]


def trl() -> None:
    assert next(iter_preferences("runs/trl/trl.jsonl")).chosen[0].content == "4"


def data_juicer() -> None:
    assert next(iter_records("runs/clean")).messages[0].role == "document"


SEEN = {"LLaMA-Factory": llama_factory, "ms-swift": ms_swift, "TRL": trl, "data-juicer": data_juicer}
