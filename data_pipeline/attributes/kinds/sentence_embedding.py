"""Embeddings by a sentence-transformers model that lies on this machine. Nothing is downloaded, no remote code runs."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from data_pipeline.attributes.base import AttributeKeys, text_of
from data_pipeline.attributes.kinds.embedding import vector_column
from data_pipeline.attributes.scoring_models import device, held
from utils.errors import StageFailedError, UserError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_NAME_PARTS = 2  # owner/name


class SentenceEmbedding(AttributeKeys):
    """A float16 vector of length 1 per row in `embedding`; null for a row without text.

    `tokens` counts what the model read, `tokens_cut` what its maximum left out; special tokens count with `tokens`.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["rows", "all"]] = "rows"
    needs: ClassVar[tuple[str, ...]] = ()
    summarised: ClassVar[tuple[str, ...]] = ("tokens", "tokens_cut")

    kind: Literal["sentence_embedding"] = "sentence_embedding"
    model: Path
    """A sentence-transformers directory, with safetensors; or a name (`BAAI/bge-small-zh-v1.5`) whose files lie in the
    local cache of huggingface_hub. Nothing is downloaded."""
    backend: Literal["torch", "onnx"] = "torch"
    """`onnx` runs the model's own `model.onnx`; it needs the package optimum-onnx, which is not one of ours."""
    text: Literal["all", "prompt", "answer"] = "all"
    """What is embedded: all turns, or without or only the assistant's."""
    prefix: str = ""
    """Put before every text, for models that were trained with one (`query: `)."""
    batch_size: int = Field(default=32, ge=1)
    """Texts per forward pass."""

    @property
    def key(self) -> str:
        """The attribute's name."""
        return self.name or self.kind

    @property
    def reads(self) -> list[Path]:
        """The model."""
        return [local_directory(self.model)]

    def measure(self, rows: pl.DataFrame, given: Mapping[str, pa.Table], seed: int) -> pa.Table:
        """Return `id, embedding, tokens, tokens_cut`, one row per row."""
        answers = {"all": None, "prompt": False, "answer": True}[self.text]
        texts = rows.select(text=text_of(answers=answers))["text"].to_list()
        opening = open_onnx if self.backend == "onnx" else open_sentence_transformer
        model = held(opening, local_directory(self.model))
        full = [number for number, text in enumerate(texts) if text.strip()]
        asked = [self.prefix + texts[number] for number in full]
        lengths = np.zeros(len(texts), dtype=np.int64)
        lengths[full] = token_counts(model, asked)
        vectors = np.zeros((len(texts), dimensions(model)), dtype=np.float32)
        if asked:
            vectors[full] = encode(model, asked, self.batch_size)
        limit = model.max_seq_length or 1 << 62
        return pa.table(
            {
                "id": pa.array(rows["id"].to_list(), pa.string()),
                "embedding": vector_column(vectors),
                "tokens": pa.array(np.minimum(lengths, limit)),
                "tokens_cut": pa.array(np.maximum(lengths - limit, 0)),
            }
        )

    def summary(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return how many rows lost tokens, and how many."""
        cut = table["tokens_cut"]
        return {"tokens": int(table["tokens"].sum()), "tokens_cut": int(cut.sum()), "rows_cut": int((cut > 0).sum())}


def local_directory(model: Path) -> Path:
    """Return the directory that a path or a name means: of a name, what the local cache of huggingface_hub holds.

    Raises:
        UserError: there is neither such a directory nor such a name in the cache.

    """
    if model.exists():
        return model
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    if not model.is_absolute() and len(model.parts) <= _NAME_PARTS and model.parts[:1] != ("..",):
        owner = () if len(model.parts) == _NAME_PARTS else ("sentence-transformers",)
        folder = cache / "--".join(("models", *owner, *model.parts))
        reference = folder / "refs" / "main"
        if reference.is_file() and (found := folder / "snapshots" / reference.read_text().strip()).is_dir():
            return found
    raise UserError(
        "no such model directory, and no model of that name in the local cache",
        where=str(model),
        mend=f"name a directory, or put the model into {cache}; nothing is downloaded here",
    )


def open_sentence_transformer(path: Path) -> SentenceTransformer:
    """Load a model from its directory: float32 on a processor, on a GPU in the type that its weights have.

    Raises:
        UserError: it is not there, is no such model, or holds pickled weights.

    """
    pickled = [file for file in sorted(path.rglob("*.bin")) if not any(file.parent.glob("*.safetensors"))]
    if pickled:
        raise UserError(
            "pickled weights are not loaded",
            where=str(pickled[0]),
            mend="save the model again with save_pretrained of a current sentence-transformers",
        )
    kind = {"dtype": "float32"} if device() == "cpu" else {}
    return _open(path, model_kwargs={"use_safetensors": True, **kind})


def open_onnx(path: Path) -> SentenceTransformer:
    """Load a model's ONNX file, by optimum.

    Raises:
        UserError: optimum is not installed, or the directory holds no ONNX file.

    """
    if importlib.util.find_spec("optimum") is None or importlib.util.find_spec("onnxruntime") is None:
        raise UserError(
            "backend: onnx needs optimum and onnxruntime, which are not installed",
            where=str(path),
            mend="pip install optimum-onnx[onnxruntime], or backend: torch",
        )
    if not any(path.rglob("*.onnx")):
        raise UserError("no *.onnx in this model directory", where=str(path), mend="export one, or backend: torch")
    return _open(path, backend="onnx")


def _open(path: Path, **keys: Any) -> SentenceTransformer:
    from utils.models.locate import work_offline

    if not (path / "modules.json").is_file():
        raise UserError(
            "no sentence-transformers model here: modules.json is missing",
            where=str(path),
            mend="name the directory of a saved or downloaded model",
        )
    work_offline()
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(str(path), device=device(), local_files_only=True, trust_remote_code=False, **keys)
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"this model cannot be loaded: {error}", where=str(path)) from error


def dimensions(model: SentenceTransformer) -> int:
    """Return the length of a model's vectors."""
    return int(model.get_embedding_dimension() or encode(model, ["a"], 1).shape[1])


def token_counts(model: SentenceTransformer, texts: Sequence[str]) -> list[int]:
    """Return each text's tokens, special ones included, before anything is cut."""
    if not texts:
        return []
    if not callable(model.tokenizer):  # a static embedding's, which cuts nothing
        return [len(one.ids) for one in model.tokenizer.encode_batch(list(texts), add_special_tokens=False)]
    encoded = model.tokenizer(list(texts), truncation=False, padding=False, return_attention_mask=False, verbose=False)
    return [len(ids) for ids in encoded["input_ids"]]


def encode(model: SentenceTransformer, texts: Sequence[str], batch_size: int) -> np.ndarray:
    """Return float32 vectors [len(texts), dimensions] of length 1.

    Raises:
        StageFailedError: the model gives something that is no number.

    """
    vectors = model.encode(
        list(texts), batch_size=batch_size, show_progress_bar=False, convert_to_numpy=True, normalize_embeddings=True
    )
    if not np.isfinite(vectors).all():
        raise StageFailedError("the embedding model gives vectors that are not numbers", mend="look at its weights")
    return np.asarray(vectors, dtype=np.float32)
