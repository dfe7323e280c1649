"""What a scorer sees of a row: tf–idf of words and characters, what it condenses to, an embedding, statistics.

Vocabularies are lists of terms in the order of their columns and idf arrays, so that a saved scorer is JSON and
numbers, and nothing in it can run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data_pipeline.attributes.base import text_of
from data_pipeline.attributes.kinds.embedding import embed, normalised
from data_pipeline.scorers.statistics import WORD, statistics

OFFLINE = "offline"
CHARACTERS = 8000  # the beginning of a text that n-grams and embeddings are taken of; statistics are of all of it
VIEWS = ("task", "prompt", "answer")
CONDENSED = ("task", "answer")
_COMPONENTS = 40
_DIMENSIONS = 256
_SEED = 42

# "^" stands before a text, so that how it begins is a term of its own.
_TERMS: dict[str, dict[str, Any]] = {
    "words": {"ngram_range": (1, 2), "token_pattern": rf"{WORD}|[^\w\s]", "min_df": 2, "max_features": 40_000},
    "characters": {"analyzer": "char_wb", "ngram_range": (2, 5), "min_df": 3, "max_features": 40_000},
}


@dataclass(slots=True)
class Space:
    """How texts become features, fitted to the texts of labelled rows and never to their labels.

    Args:
        embedding: `offline`, or the directory of a sentence-transformers model.
        terms: per block of tf–idf (`task.words` …), the terms of its columns.
        arrays: per block its idf; the singular vectors of each condensed view; mean and scale of statistics and
            embedding.

    """

    embedding: str = OFFLINE
    terms: dict[str, list[str]] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def fitted(cls, views: Mapping[str, Sequence[str]], embedding: str) -> tuple[Space, dict[str, Any]]:
        """Return the space of these texts, and their features as `features` gives them."""
        space = cls(embedding)
        found: dict[str, Any] = {}
        for view in VIEWS:
            for kind in _TERMS:
                found[f"{view}.{kind}"] = space._fit_terms(f"{view}.{kind}", views[view])
        for view in CONDENSED:
            found[f"{view}.topics"] = space._fit_topics(view, found)
        for name, values in space._dense(views).items():
            space.arrays[f"{name}.mean"] = values.mean(axis=0)
            space.arrays[f"{name}.scale"] = np.where(values.std(axis=0) > 0, values.std(axis=0), 1.0)
            found[name] = space._scaled(name, values)
        return space, found

    def features(self, views: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Return the blocks of texts: sparse tf–idf float32 [rows, terms], and dense topics, statistics, embedding."""
        found = {name: self._vectorizer(name).transform(_marked(views[name.partition(".")[0]])) for name in self.terms}
        found |= {f"{view}.topics": self._topics(view, found) for view in CONDENSED}
        return found | {name: self._scaled(name, values) for name, values in self._dense(views).items()}

    def _fit_terms(self, name: str, texts: Sequence[str]) -> Any:
        vectorizer = _empty(name)
        try:
            matrix = vectorizer.fit_transform(_marked(texts))
        except ValueError:  # scikit-learn's way to say that no term is left
            return _nothing(len(texts))
        self.terms[name] = list(vectorizer.get_feature_names_out())
        self.arrays[f"{name}.idf"] = vectorizer.idf_
        return matrix

    def _fit_topics(self, view: str, found: Mapping[str, Any]) -> np.ndarray:
        """Learn a view's main directions (latent semantic analysis); none where it has too few terms or rows."""
        from sklearn.utils.extmath import randomized_svd

        matrix = joined(found, _terms_of(view))
        if components := max(0, min(_COMPONENTS, *(side - 1 for side in matrix.shape))):
            _, _, directions = randomized_svd(matrix, components, n_iter=4, random_state=_SEED)
            # Half precision halves the file; training sees the rounded numbers too.
            self.arrays[f"{view}.topics"] = directions.T.astype(np.float16)
        return self._topics(view, found)

    def _topics(self, view: str, found: Mapping[str, Any]) -> np.ndarray:
        rows = joined(found, _terms_of(view))
        directions = self.arrays.get(f"{view}.topics", np.zeros((rows.shape[1], 0)))
        return np.asarray(rows @ directions.astype(np.float32))

    def _vectorizer(self, name: str) -> Any:
        vectorizer = _empty(name, vocabulary=self.terms[name])
        vectorizer.idf_ = self.arrays[f"{name}.idf"]
        return vectorizer

    def _dense(self, views: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
        numbers = statistics(views["task"], views["prompt"], views["answer"])
        vectors = [_embedded(views[view], self.embedding) for view in ("prompt", "answer")]
        return {"statistics": numbers, "embedding": np.hstack(vectors).astype(np.float64)}

    def _scaled(self, name: str, values: np.ndarray) -> np.ndarray:
        scaled = (values - self.arrays[f"{name}.mean"]) / self.arrays[f"{name}.scale"]
        return np.clip(scaled, -4, 4).astype(np.float32)


def views_of(rows: pl.DataFrame) -> dict[str, list[str]]:
    """Return the texts of rows (`messages`) that features are taken of, by view."""
    texts = rows.select(prompt=text_of(answers=False), answer=text_of(answers=True))
    prompts = texts["prompt"].to_list()
    return {
        "task": [prompt.lstrip().partition("\n")[0] for prompt in prompts],
        "prompt": prompts,
        "answer": texts["answer"].to_list(),
    }


def joined(features: Mapping[str, Any], blocks: Sequence[str]) -> Any:
    """Return blocks side by side as a sparse float32 matrix [rows, columns], dense ones weighed down to their size.

    A tf–idf row has length 1; a dense block's is brought to about 1.
    """
    from scipy.sparse import csr_matrix, hstack

    parts = [features[name] for name in blocks if name in features]
    even = [part if hasattr(part, "tocsr") else csr_matrix(part / np.sqrt(part.shape[1])) for part in parts]
    found = hstack(even, format="csr", dtype=np.float32)
    found.sort_indices()  # sums do not depend on whether the texts were those fitted to
    return found


def dense(features: Mapping[str, Any]) -> np.ndarray:
    """Return statistics and topics as float32 [rows, n], for trees."""
    return np.hstack([features["statistics"], *(features[f"{view}.topics"] for view in CONDENSED)]).astype(np.float32)


def _terms_of(view: str) -> list[str]:
    return [f"{view}.{kind}" for kind in _TERMS]


def _marked(texts: Sequence[str]) -> list[str]:
    return ["^ " + text[:CHARACTERS] for text in texts]


def _empty(name: str, vocabulary: list[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    options = dict(_TERMS[name.partition(".")[2]])
    if vocabulary is not None:
        options = {key: value for key, value in options.items() if key in ("analyzer", "ngram_range", "token_pattern")}
    return TfidfVectorizer(sublinear_tf=True, dtype=np.float32, vocabulary=vocabulary, **options)


def _nothing(rows: int) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix((rows, 0), dtype=np.float32)


def _embedded(texts: Sequence[str], embedding: str) -> np.ndarray:
    """Return float32 vectors [rows, dimensions]; 0 for a text without characters."""
    if embedding == OFFLINE:
        begun = pl.Series("text", [text[:CHARACTERS] for text in texts], dtype=pl.String)
        folded = pl.DataFrame(begun).select(normalised(pl.col("text")))["text"].to_list()
        return embed(folded, dimensions=_DIMENSIONS, ngrams=(1, 2, 3), seed=_SEED)
    from data_pipeline.attributes.kinds.sentence_embedding import dimensions, encode, open_sentence_transformer
    from data_pipeline.attributes.scoring_models import held

    model = held(open_sentence_transformer, Path(embedding))
    vectors = np.zeros((len(texts), dimensions(model)), dtype=np.float32)
    if full := [number for number, text in enumerate(texts) if text.strip()]:
        vectors[full] = encode(model, [texts[number] for number in full], 32)
    return vectors
