"""A sentence-transformers model built here, saved, and loaded without a network; what it cuts is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import cli
from data_pipeline.attributes.kinds.embedding import vectors_of
from data_pipeline.attributes.kinds.sentence_embedding import SentenceEmbedding
from data_pipeline.attributes.store import load_attribute
from tests.support.tiny import TEXTS, write_jsonl
from utils.errors import UserError
from utils.models.locate import work_offline
from utils.runs.commit import read_json

LIMIT = 16


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with mean pooling, which reads 16 tokens."""
    work_offline()
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("sentence")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=word_tokenizer(), pad_token="[PAD]", unk_token="[UNK]")
    size = len(tokenizer)
    config = BertConfig(
        vocab_size=size, hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=64,
    )  # fmt: skip
    torch.manual_seed(3)
    BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=LIMIT)
    pooling = Pooling(24)
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder / "model"))
    return folder / "model"


def word_tokenizer() -> Any:
    """Words and Chinese characters, without special tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(TEXTS, trainers.WordLevelTrainer(special_tokens=["[PAD]", "[UNK]"]))
    return tokenizer


def frame(*texts: str) -> pl.DataFrame:
    turns = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    messages = [[{"role": "user", "content": text}] for text in texts]
    ids = [str(number) for number in range(len(texts))]
    return pl.DataFrame({"id": ids, "messages": messages}, schema={"id": pl.String, "messages": turns})


def by_hand(path: Path, text: str) -> np.ndarray:
    """Mean of the last hidden states of the first 16 tokens, by transformers alone."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    bert = AutoModel.from_pretrained(path).eval()
    with torch.no_grad():
        states = bert(torch.tensor([tokenizer(text)["input_ids"][:LIMIT]])).last_hidden_state[0]
    mean = states.mean(0).numpy()
    return np.asarray(mean / np.linalg.norm(mean))


def test_vectors_equal_plain_transformers_and_have_length_one(model: Path) -> None:
    table = SentenceEmbedding(model=model, batch_size=2).measure(frame(*TEXTS), {}, 1)
    assert str(table.schema.field("embedding").type) == "fixed_size_list<item: halffloat>[24]"
    vectors, valid = vectors_of(table)
    assert valid.all()
    for vector, text in zip(vectors, TEXTS, strict=True):
        assert vector == pytest.approx(by_hand(model, text), abs=1e-3)  # float16 holds three digits
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=2e-3)


def test_what_is_cut_is_told_and_a_row_without_text_has_no_vector(model: Path) -> None:
    long = "fruit " * 20
    table = SentenceEmbedding(model=model).measure(frame("apple fruit", " \n", long, long + "Paris"), {}, 1)
    assert table["tokens"].to_pylist() == [2, 0, 16, 16]
    assert table["tokens_cut"].to_pylist() == [0, 0, 4, 5]
    assert table["embedding"].is_null().to_pylist() == [False, True, False, False]
    vectors, _ = vectors_of(table)
    assert vectors[1] == pytest.approx(vectors[2], abs=1e-3)


def test_batches_and_a_second_time_do_not_matter(model: Path) -> None:
    rows = frame(*TEXTS, *[f"{text} fruit" * (n + 1) for n, text in enumerate(TEXTS)])
    one, again, small = (SentenceEmbedding(model=model, batch_size=size).measure(rows, {}, 1) for size in (32, 32, 1))
    assert one.equals(again)
    assert vectors_of(one)[0] == pytest.approx(vectors_of(small)[0], abs=1e-3)


def test_prefix_and_part_of_the_row(model: Path) -> None:
    messages = [[{"role": "user", "content": "a fruit"}, {"role": "assistant", "content": "苹果"}]]
    row = pl.DataFrame({"id": ["0"], "messages": messages})
    asked = SentenceEmbedding(model=model, text="prompt", prefix="name ").measure(row, {}, 1)
    assert asked.equals(SentenceEmbedding(model=model).measure(frame("name a fruit"), {}, 1))
    answered = SentenceEmbedding(model=model, text="answer").measure(row, {}, 1)
    assert answered.equals(SentenceEmbedding(model=model).measure(frame("苹果"), {}, 1))


def test_a_static_model_cuts_nothing(tmp_path: Path) -> None:
    work_offline()
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    SentenceTransformer(modules=[StaticEmbedding(word_tokenizer(), embedding_dim=12)], device="cpu").save(str(tmp_path))
    table = SentenceEmbedding(model=tmp_path).measure(frame("fruit " * 50, "Paris"), {}, 1)
    assert table["tokens"].to_pylist() == [50, 1]
    assert table["tokens_cut"].to_pylist() == [0, 0]
    assert vectors_of(table)[0].shape == (2, 12)


def test_no_rows_give_a_table_with_the_same_columns(model: Path) -> None:
    kind = SentenceEmbedding(model=model)
    assert kind.measure(frame(), {}, 1).schema == kind.measure(frame("a"), {}, 1).schema


def test_what_cannot_be_loaded_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"modules\.json is missing"):
        SentenceEmbedding(model=tmp_path).measure(frame("a"), {}, 1)
    with pytest.raises(UserError, match=r"no such model directory.*nothing is downloaded"):
        SentenceEmbedding(model=tmp_path / "nowhere").measure(frame("a"), {}, 1)
    pickled = Path(shutil.copytree(model, tmp_path / "pickled"))
    weights = next(pickled.rglob("model.safetensors"))
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(UserError, match="pickled weights are not loaded"):
        SentenceEmbedding(model=pickled).measure(frame("a"), {}, 1)


@pytest.mark.parametrize(("name", "folder"), [("Own/tiny", "models--Own--tiny"),
                                               ("tiny", "models--sentence-transformers--tiny")])  # fmt: skip
def test_a_name_means_what_the_local_cache_holds(
    name: str, folder: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"no model of that name in the local cache.*nothing is downloaded"):
        _ = SentenceEmbedding(model=Path(name)).reads
    (tmp_path / folder / "refs").mkdir(parents=True)
    (tmp_path / folder / "refs" / "main").write_text("0123abc")
    snapshot = Path(shutil.copytree(model, tmp_path / folder / "snapshots" / "0123abc"))
    named = SentenceEmbedding(model=Path(name))
    assert named.reads == [snapshot]
    assert named.measure(frame("a fruit"), {}, 1).equals(
        SentenceEmbedding(model=model).measure(frame("a fruit"), {}, 1)
    )


def test_onnx_says_what_is_missing(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="onnx needs optimum and onnxruntime, which are not installed"):
        SentenceEmbedding(model=model, backend="onnx").measure(frame("a"), {}, 1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with pytest.raises(UserError, match=r"no \*\.onnx"):
        SentenceEmbedding(model=model, backend="onnx").measure(frame("a"), {}, 1)


def test_code_in_the_model_directory_does_not_run(model: Path, tmp_path: Path) -> None:
    hostile = Path(shutil.copytree(model, tmp_path / "hostile"))
    (hostile / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    modules = json.loads((hostile / "modules.json").read_text())
    modules[0]["type"] = "evil.Evil"
    (hostile / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match="cannot be loaded"):
        SentenceEmbedding(model=hostile).measure(frame("a"), {}, 1)
    assert not (tmp_path / "ran").exists()


def test_the_verb_clusters_by_it(model: Path, tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", [{"instruction": t, "input": "", "output": t} for t in TEXTS])
    attributes = (
        f"[{{kind: sentence_embedding, model: {model}}}, {{kind: cluster, embedding: sentence_embedding, k: 2}}]"
    )
    keys = [f"input={source}", f"output={tmp_path / 'run'}", "executor=local", f"attributes={attributes}"]
    assert cli.main(["attributes", "--quiet", *(word for key in keys for word in ("--set", key))]) == 0
    assert load_attribute(tmp_path / "run", "cluster")["cluster"].null_count() == 0
    summary = read_json(tmp_path / "run/attributes/sentence_embedding/manifest.json")["summary"]
    assert summary["rows_cut"] == (load_attribute(tmp_path / "run", "sentence_embedding")["tokens_cut"] > 0).sum() > 0
