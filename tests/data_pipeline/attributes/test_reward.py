"""Rewards equal a single forward pass by hand, whatever the batch; what is no reward model is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)

import cli
from data_pipeline.attributes.kinds.reward import Reward
from tests.support.tiny import TEXTS, write_jsonl
from utils.errors import UserError
from utils.runs.commit import read_json

TURNS = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
CHATS = [
    ("什么是三原色？", "红、蓝、黄。"),
    ("Name a fruit.", "An apple is a fruit."),
    ("Add two and three.", "Five." * 9),
]


def frame(*chats: tuple[str, ...]) -> pl.DataFrame:
    messages = [
        [{"role": r, "content": c} for r, c in zip(["user", "assistant"], chat, strict=False)] for chat in chats
    ]
    langs = ["zh" if "\u4e00" <= chat[0][:1] <= "\u9fff" else "en" for chat in chats]
    data = {"id": [str(n) for n in range(len(chats))], "lang": langs, "messages": messages}
    return pl.DataFrame(data, schema={"id": pl.String, "lang": pl.String, "messages": TURNS})


def measured(model: Path, rows: pl.DataFrame, **keys: Any) -> list[dict[str, Any]]:
    return Reward(model=model, **keys).measure(rows, {}, 1).to_pylist()


@pytest.fixture(scope="module")
def llama(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model with one output and a chat template."""
    folder = tmp_path_factory.mktemp("llama")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=64, num_labels=1, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(5)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of pairs, without chat template or end token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    folder = tmp_path_factory.mktemp("bert")
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(TEXTS, trainers.WordLevelTrainer(special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=32, model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip
    config = BertConfig(
        vocab_size=len(fast), hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=64, num_labels=2, id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1},
    )  # fmt: skip
    torch.manual_seed(6)
    BertForSequenceClassification(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("batch_tokens", [1, 100, 8192])
def test_a_templated_reward_equals_one_row_at_a_time(llama: Path, batch_tokens: int) -> None:
    model, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(llama).eval(),
        AutoTokenizer.from_pretrained(llama),
    )
    for row, (asked, said) in zip(measured(llama, frame(*CHATS), batch_tokens=batch_tokens), CHATS, strict=True):
        text = f"<|begin|><|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n{said}<|im_end|>\n"
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"][:, :64]
        with torch.no_grad():
            assert row["reward"] == pytest.approx(float(model(ids).logits[0, 0]), abs=1e-5)
        assert row["tokens"] == ids.shape[1]


def test_a_pair_of_texts_and_the_probability_of_a_class(bert: Path) -> None:
    model, tokenizer = (
        AutoModelForSequenceClassification.from_pretrained(bert).eval(),
        AutoTokenizer.from_pretrained(bert),
    )
    for row, (asked, said) in zip(measured(bert, frame(*CHATS), label="good"), CHATS, strict=True):
        given = tokenizer(asked, said, return_tensors="pt")
        assert set(given["token_type_ids"][0].tolist()) == {0, 1}
        with torch.no_grad():
            logits = model(**{k: v[:, :32] for k, v in given.items()}).logits
        assert row["reward"] == pytest.approx(float(logits.softmax(-1)[0, 1]), abs=1e-5)


def test_what_is_cut_is_told(llama: Path) -> None:
    whole, cut = (measured(llama, frame(CHATS[0]), max_tokens=limit)[0] for limit in (None, 10))
    assert (cut["tokens"], cut["tokens_cut"]) == (10, whole["tokens"] - 10)
    assert whole["tokens_cut"] == 0
    (long,) = measured(llama, frame(("数", "一" * 100)))
    assert long["tokens"] == 64
    assert long["tokens_cut"] > 0


def test_no_text_has_no_reward(llama: Path) -> None:
    empty, full = measured(llama, frame((" ", ""), CHATS[0]))
    assert (empty["reward"], empty["error"]) == (None, "no text")
    assert full["error"] is None


def test_no_rows_give_a_table_with_the_same_columns(llama: Path) -> None:
    kind = Reward(model=llama)
    assert kind.measure(frame(), {}, 1).schema == kind.measure(frame(*CHATS), {}, 1).schema


def test_what_is_no_reward_model_is_refused(tiny_model: Path, llama: Path, bert: Path) -> None:
    with pytest.raises(UserError, match=r"no reward model: the weights lack score\.weight"):
        measured(tiny_model, frame(CHATS[0]))
    with pytest.raises(UserError, match="the classes bad, good"):
        measured(bert, frame(CHATS[0]))
    with pytest.raises(UserError, match="the classes bad, good"):
        measured(bert, frame(CHATS[0]), label="best")
    with pytest.raises(UserError, match="one output"):
        measured(llama, frame(CHATS[0]), label="good")


def test_the_summary_by_hand() -> None:
    data = {
        "reward": [5.0, 1.0, 2.0, 3.0, 4.0, 6.0, None],
        "tokens": [50, 10, 20, 30, 40, 8, 0],
        "tokens_cut": [2, 0, 0, 0, 0, 0, 0],
        "lang": ["en"] * 5 + ["zh", "zh"],
        "error": [None] * 6 + ["no text"],
    }
    summary = Reward(model=Path("m")).summary(pl.DataFrame(data))
    english = [{"tokens_up_to": n * 10, "rows": 1, "mean": float(n)} for n in (1, 2, 3, 4, 5)]
    assert summary["by_length"] == {"en": english, "zh": [{"tokens_up_to": 8, "rows": 1, "mean": 6.0}]}
    assert (summary["rows_cut"], summary["errors"]) == (1, {"no text": 1})


def test_the_verb_writes_the_quantiles(llama: Path, tmp_path: Path) -> None:
    rows = [{"instruction": asked, "input": "", "output": said} for asked, said in CHATS]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    keys = [f"input={source}", f"output={tmp_path / 'run'}", "executor=local"]
    keys += [f"attributes=[{{kind: reward, model: {llama}}}]"]
    assert cli.main(["attributes", "--quiet", *(word for key in keys for word in ("--set", key))]) == 0
    summary = read_json(tmp_path / "run/attributes/reward/manifest.json")["summary"]
    assert sum(part["rows"] for parts in summary["by_length"].values() for part in parts) == 3
