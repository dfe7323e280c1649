"""`posttrain sft --preview N`: what would be trained on, without a run."""

from __future__ import annotations

import pytest

import cli
from tests.support.tiny import write_config, write_jsonl

LONG = [turn for n in range(4) for turn in (("user", f"ask {n}"), ("assistant", "word " * 8))]


def row(*turns: tuple[str, str]) -> dict:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


@pytest.fixture
def config(tiny_model, tmp_path):
    chat = write_jsonl(tmp_path / "chat.jsonl", [row(("user", "你好"), ("assistant", "好的")), row(*LONG)])
    texts = write_jsonl(tmp_path / "texts.jsonl", [{"text": ""}, {"text": "文"}, {"text": "a"}])
    keys = {"model": tiny_model, "output": tmp_path / "out", "max_length": 90, "over_length": "split"}
    return write_config(tmp_path / "sft.yaml", {**keys, "data": [str(chat), str(texts)]})


def test_rows_of_every_source_in_turn_with_marks(config, tmp_path, capsys):
    assert cli.main(["sft", "--config", str(config), "--preview", "4"]) == 0
    blocks = capsys.readouterr().out.split("\n\n====")
    headings = [block.split(" ====", 1)[0].split(": ", 1)[1] for block in blocks]
    assert headings[:2] == ["kept", "dropped, empty"]
    assert headings[2].startswith("kept, split, ")
    assert headings[2].endswith("tokens in all, max_length 90")
    assert headings[3] == "kept"
    assert "user\n你好<|im_end|>\n<|im_start|>assistant\n«好的<|im_end|>»" in blocks[0]
    assert blocks[2].count(" trained\n") >= 2
    assert "«<|begin|>文<|im_end|>»" in blocks[3]
    assert "4 records: 3 kept as " in blocks[3]
    assert blocks[3].rstrip().endswith("with loss; 1 dropped")
    assert not (tmp_path / "out").exists()


def test_colours_on_a_terminal_only(config, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert cli.main(["sft", "--preview", "1", "--config", str(config)]) == 0
    assert "\033[1;32m好的<|im_end|>\033[0m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert cli.main(["sft", "--preview", "1", "--config", str(config)]) == 0
    assert "\033" not in capsys.readouterr().out


def test_all_there_is_and_stages_by_their_name(config, capsys):
    data = '[{"name": "one", "data": ["DATA"]}]'.replace("DATA", str(config.with_name("texts.jsonl")))
    chosen = ["--set", "data=[]", "--set", f"stages={data}", "--set", "over_length=keep"]
    assert cli.main(["sft", "--config", str(config), *chosen, "--preview", "99"]) == 0
    shown = capsys.readouterr().out
    assert "==== one: " in shown
    assert "3 records: 2 kept as 2 rows" in shown


def test_a_number_below_one_is_refused(config, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["sft", "--config", str(config), "--preview", "0"])
    assert "at least 1" in capsys.readouterr().err
