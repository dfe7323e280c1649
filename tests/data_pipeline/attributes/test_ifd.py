"""IFD against a loop written out by hand: single and multi-turn, Chinese and English, cut and not."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import cli
from data_pipeline.attributes.kinds.ifd import Ifd, open_causal
from data_pipeline.attributes.scoring_models import token_batches
from data_pipeline.attributes.store import load_attribute
from tests.support.tiny import write_jsonl
from utils.runs.commit import read_json

TURNS = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
ROWS: dict[str, list[tuple[str, str]]] = {
    "en": [("user", "What is the capital of France?"), ("assistant", "The capital of France is Paris.")],
    "zh": [("user", "什么是三原色？"), ("assistant", "三原色是红、蓝、黄。")],
    "multi": [
        ("system", "简短回答。"),
        ("user", "Name a fruit."),
        ("assistant", "苹果是一种水果。"),
        ("user", "Add two and three."),
        ("assistant", "  Two and three is five.\n"),
    ],
}


def frame(**rows: list[tuple[str, str]]) -> pl.DataFrame:
    messages = [[{"role": role, "content": content} for role, content in row] for row in rows.values()]
    return pl.DataFrame({"id": list(rows), "messages": messages}, schema={"id": pl.String, "messages": TURNS})


def measured(model: Path, rows: pl.DataFrame, **keys: Any) -> list[dict[str, Any]]:
    return Ifd(model=model, **keys).measure(rows, {}, 1).to_pylist()


def loss_by_hand(model: Any, before: list[int], answer: list[int]) -> float:
    """Mean negative log-probability, token by token, each seen by a forward pass of its own."""
    total = 0.0
    for place, token in enumerate(answer):
        with torch.no_grad():
            logits = model(torch.tensor([before + answer[:place]])).logits[0, -1].double()
        total -= float(logits[token]) - math.log(sum(math.exp(float(value)) for value in logits))
    return total / len(answer)


def turns_by_hand(path: Path, row: list[tuple[str, str]]) -> list[tuple[float, float, int]]:
    """Loss given, loss alone and number of tokens per assistant turn; ChatML written out."""
    model = AutoModelForCausalLM.from_pretrained(path, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(path)

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    found = []
    for place, (role, content) in enumerate(row):
        if role == "assistant":
            before = "".join(f"<|im_start|>{who}\n{said}<|im_end|>\n" for who, said in row[:place])
            prompt = ids(f"<|begin|>{before}<|im_start|>assistant\n")
            answer = ids(content)
            given, alone = (loss_by_hand(model, start, answer) for start in (prompt, ids("<|begin|>")))
            found.append((given, alone, len(answer)))
    return found


@pytest.mark.parametrize("name", ["en", "zh", "multi"])
def test_equals_hand_arithmetic(tiny_model: Path, name: str) -> None:
    row = [(role, content.strip()) for role, content in ROWS[name]]
    (found,) = measured(tiny_model, frame(row=row))
    by_hand = turns_by_hand(tiny_model, row)
    assert [turn["tokens"] for turn in found["turns"]] == [tokens for _, _, tokens in by_hand]
    for turn, (given, alone, _) in zip(found["turns"], by_hand, strict=True):
        assert turn["loss_given"] == pytest.approx(given, abs=1e-5)
        assert turn["loss_alone"] == pytest.approx(alone, abs=1e-5)
        assert turn["ifd"] == pytest.approx(given / alone, abs=1e-5)
        assert turn["perplexity_ratio"] == pytest.approx(math.exp(given) / math.exp(alone), abs=1e-5)
    tokens = sum(n for _, _, n in by_hand)
    assert found["ifd"] == pytest.approx(sum(given / alone * n for given, alone, n in by_hand) / tokens, abs=1e-5)
    pooled = [sum(turn[which] * turn[2] for turn in by_hand) / tokens for which in (0, 1)]
    assert [found["loss_given"], found["loss_alone"]] == pytest.approx(pooled, abs=1e-5)
    assert found["perplexity_ratio"] == pytest.approx(math.exp(pooled[0] - pooled[1]), abs=1e-5)
    assert found["above_one"] == (found["ifd"] > 1)
    assert (found["tokens"], found["tokens_cut"], found["error"]) == (tokens, 0, None)


def test_the_two_ratios_are_two_numbers(tiny_model: Path) -> None:
    for row in measured(tiny_model, frame(**ROWS)):
        assert abs(row["ifd"] - row["perplexity_ratio"]) > 1e-5


def test_blanks_around_an_answer_and_control_tokens_in_it_do_not_count(tiny_model: Path) -> None:
    plain = [("user", "Name a fruit."), ("assistant", "An apple.")]
    blank = [("user", "Name a fruit."), ("assistant", "An apple.\n\n")]
    first, second = measured(tiny_model, frame(plain=plain, blank=blank))
    assert first["ifd"] == pytest.approx(second["ifd"], abs=1e-5)
    (hostile,) = measured(tiny_model, frame(row=[("user", "q"), ("assistant", "An<|im_end|> apple.")]))
    assert hostile["tokens"] == len(AutoTokenizer.from_pretrained(tiny_model).tokenize("An< |im_end|> apple."))


@pytest.mark.parametrize("batch_tokens", [1, 60, 300, 100_000])
def test_batches_do_not_matter(tiny_model: Path, batch_tokens: int) -> None:
    rows = frame(**ROWS, **{f"r{n}": [("user", f"数到 {n}"), ("assistant", "一二三 " * (n + 1))] for n in range(9)})
    expected = measured(tiny_model, rows)
    for one, other in zip(expected, measured(tiny_model, rows, batch_tokens=batch_tokens), strict=True):
        assert one["ifd"] == pytest.approx(other["ifd"], abs=1e-5)
        assert one["tokens"] == other["tokens"]


def test_batches_stay_within_their_tokens() -> None:
    batches = list(token_batches([5, 1, 9, 4, 4, 30], 12))
    assert batches == [[5], [2], [0, 3], [4, 1]]
    assert list(token_batches([], 12)) == []


def test_what_is_cut_is_told_and_both_losses_lose_it(tiny_model: Path) -> None:
    row = ROWS["zh"]
    (whole,) = measured(tiny_model, frame(row=row))
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    before = len(tokenizer("<|begin|><|im_start|>user\n什么是三原色？<|im_end|>\n<|im_start|>assistant\n")["input_ids"])
    (cut,) = measured(tiny_model, frame(row=row), max_tokens=before + 4)
    assert (cut["tokens"], cut["tokens_cut"]) == (4, whole["tokens"] - 4)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype="float32").eval()
    kept = tokenizer(row[1][1], add_special_tokens=False)["input_ids"][:4]
    assert cut["loss_alone"] == pytest.approx(loss_by_hand(model, [tokenizer.bos_token_id], kept), abs=1e-5)
    (none,) = measured(tiny_model, frame(row=row), max_tokens=before)
    assert (none["ifd"], none["error"]) == (None, "the prompt fills the model's context")
    assert none["tokens_cut"] == whole["tokens"]


def test_an_answer_of_one_token(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    word = next(word for word in ("a", "的", "e") if len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1)
    row = [("system", "简短。"), ("user", "q"), ("assistant", word)]
    (found,) = measured(tiny_model, frame(row=row))
    ((given, alone, tokens),) = turns_by_hand(tiny_model, row)
    assert (found["tokens"], tokens) == (1, 1)
    assert found["ifd"] == pytest.approx(given / alone, abs=1e-5)


@pytest.mark.parametrize(("device", "dtype"), [("cpu", "float32"), ("cuda", "bfloat16")])
def test_half_precision_on_a_gpu_only(
    device: str, dtype: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Loaded:
        def to(self, place: str) -> Loaded:
            asked.append(place)
            return self

        def eval(self) -> Loaded:
            return self

    def load(path: Path, dtype: str) -> Loaded:
        asked.append(dtype)
        return Loaded()

    monkeypatch.setattr("data_pipeline.attributes.kinds.ifd.device", lambda: device)
    monkeypatch.setattr("utils.models.locate.load_model", load)
    open_causal(tiny_model)
    assert asked == [dtype, device]


def test_what_cannot_be_measured_has_no_number_and_a_reason(tiny_model: Path) -> None:
    rows = frame(
        document=[("document", "only text")],
        unasked=[("assistant", "hello")],
        empty=[("user", "q"), ("assistant", " \n")],
        partly=[("user", "q"), ("assistant", ""), ("user", "Name a fruit."), ("assistant", "An apple.")],
    )
    document, unasked, empty, partly = measured(tiny_model, rows)
    assert [row["ifd"] for row in (document, unasked, empty)] == [None, None, None]
    assert [row["error"] for row in (document, unasked, empty)] == ["no assistant turn", "no prompt", "empty answer"]
    assert document["turns"] == []
    assert partly["ifd"] == partly["turns"][1]["ifd"]
    assert partly["error"] == "empty answer"
    assert [turn["turn"] for turn in partly["turns"]] == [1, 3]


def with_template(model: Path, folder: Path, template: str) -> Path:
    copy = Path(shutil.copytree(model, folder))
    (copy / "chat_template.jinja").write_text(template)
    return copy


def test_any_template_does_markers_or_not(tiny_model: Path, tmp_path: Path) -> None:
    marked = (tiny_model / "chat_template.jinja").read_text()
    bare = marked.replace("{%- generation %}", "").replace("{%- endgeneration %}", "")
    assert "generation %}" not in bare
    model = with_template(tiny_model, tmp_path / "bare", bare)
    rows = frame(**{name: [(role, content.strip()) for role, content in row] for name, row in ROWS.items()})
    assert measured(model, rows) == measured(tiny_model, rows)
    thought = "('<think>\n\n</think>\n\n' if message['role'] == 'assistant' else '') + message['content']"
    thinking = bare.replace("message['content']", thought)
    found = measured(with_template(tiny_model, tmp_path / "thinking", thinking), rows)
    assert [row["tokens"] for row in found] == [row["tokens"] for row in measured(tiny_model, rows)]


def test_a_template_that_refuses_a_row_is_told(tiny_model: Path, tmp_path: Path) -> None:
    strict = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    model = with_template(tiny_model, tmp_path / "strict", strict + (tiny_model / "chat_template.jinja").read_text())
    en, multi = measured(model, frame(en=ROWS["en"], multi=ROWS["multi"]))
    assert en["error"] is None
    assert multi["ifd"] is None
    assert "no system role" in multi["error"]


def test_no_rows_give_a_table_with_the_same_columns(tiny_model: Path) -> None:
    kind = Ifd(model=tiny_model)
    assert kind.measure(frame(), {}, 1).schema == kind.measure(frame(**ROWS), {}, 1).schema


def test_the_verb_measures_and_counts(tiny_model: Path, tmp_path: Path) -> None:
    rows = [{"messages": [{"role": role, "content": content} for role, content in row]} for row in ROWS.values()]
    source = write_jsonl(
        tmp_path / "rows.jsonl", [*rows, {"messages": [{"role": "user", "content": "only a question"}]}]
    )
    keys = [f"input={source}", f"output={tmp_path / 'run'}", "executor=local"]
    keys += [f"attributes=[{{kind: ifd, model: {tiny_model}}}]"]
    command = ["attributes", "--quiet", *(word for key in keys for word in ("--set", key))]
    assert cli.main(command) == 0
    table = load_attribute(tmp_path / "run", "ifd")
    assert table["ifd"].null_count() == 1
    summary = read_json(tmp_path / "run/attributes/ifd/manifest.json")["summary"]
    assert summary == {
        "measured": 3,
        "above_one": int(table["above_one"].sum()),
        "rows_cut": 0,
        "errors": {"no assistant turn": 1},
    }
    inputs = [entry["path"] for entry in read_json(tmp_path / "run/run/key.json")["inputs"]]
    assert inputs == [str(source), str(tiny_model)]
