"""Calls of an OpenAI-compatible `/v1/embeddings`: verified, not redirected, tried again, each text paid once.

https://platform.openai.com/docs/api-reference/embeddings/create
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.data.parsing import repair_text
from utils.errors import RetryLaterError, UserError
from utils.models.chat.backoff import delays
from utils.models.chat.cache import model_directory
from utils.models.chat.claims import Claims, open_claims
from utils.models.chat.limiter import Limiter, sleep
from utils.models.chat.paid import PaidLog
from utils.models.chat.transport import Failure, MalformedResponseError, Refusal, Transport, open_transport
from utils.runs.commit import disk_full_is_retryable

if TYPE_CHECKING:
    from data_pipeline.attributes.kinds.endpoint_embedding import EndpointEmbedding

_LARGEST_RESPONSE = 256 << 20  # bytes: 2048 texts of 4096 numbers
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_CONNECTIONS = 1  # a part of the rows asks batch after batch


class EmbeddingClient:
    """An opened endpoint; its vectors are kept in the run, before anybody sees them."""

    def __init__(self, config: EndpointEmbedding, directory: Path, transport: Transport, claims: Claims) -> None:
        self._config = config
        self._transport = transport
        self._claims = claims
        self._paid = PaidLog(directory / "embeddings.jsonl")
        self._limiter = Limiter(directory, concurrency=1, requests_per_minute=config.requests_per_minute)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 vectors [len(texts), dimensions] of length 1; a text that was sent before is not sent again.

        Raises:
            RetryLaterError: no answer after all tries; what is answered is kept.
            UserError: the endpoint refuses the key, the model, the texts or the address, or gives other vectors.

        """
        by_key = {_key(text): text for text in map(repair_text, texts)}
        missing = iter([key for key in by_key if self._paid.line(key) is None])
        while batch := list(itertools.islice(missing, self._config.batch_size)):
            self._pay({key: by_key[key] for key in batch})
        kept = {key: self._kept(key) for key in by_key}
        return np.stack([kept[_key(repair_text(text))] for text in texts])

    def _pay(self, batch: Mapping[str, str]) -> None:
        """Ask for a batch, unless another process has meanwhile; what it asks right now is waited for."""
        stop = threading.Event()
        with self._claims.hold(list(batch), stop):
            self._paid.refresh()
            asked = [key for key in batch if self._paid.line(key) is None]
            if not asked:
                return
            vectors = self._ask([batch[key] for key in asked], stop)
            texts = [base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii") for vector in vectors]
            self._paid.write({key: {"vector": text} for key, text in zip(asked, texts, strict=True)})

    def _kept(self, key: str) -> np.ndarray:
        line = self._paid.line(key) or {}
        return np.frombuffer(base64.b64decode(line["vector"]), dtype="<f4")

    def _ask(self, texts: Sequence[str], stop: threading.Event) -> np.ndarray:
        """Try until there are vectors."""
        config = self._config
        body: dict[str, Any] = {"model": config.model, "input": list(texts), "encoding_format": "float"}
        if config.shorten:
            body["dimensions"] = config.dimensions
        read = partial(_vectors, count=len(texts))
        pauses = delays(_key(texts[0]), first_s=_FIRST_WAIT_S, longest_s=_LONGEST_WAIT_S)
        why = ""
        for attempt in range(1, config.tries + 1):
            self._limiter.wait(0, stop)
            outcome = self._transport.post("/embeddings", body, read)
            if isinstance(outcome, Refusal):
                raise UserError(outcome.why, where=config.label, mend="check key, model and base_url")
            if not isinstance(outcome, Failure):
                return self._of_length_one(outcome)
            why, wait = outcome.why, outcome.wait_s or 0.0
            if wait > config.patience_s:
                break
            if wait:
                self._limiter.pause(wait)
            if attempt < config.tries:
                sleep(next(pauses), stop)
        mend = "the same command later; what is answered is not asked again"
        raise RetryLaterError(f"no embeddings after {attempt} tries: {why}", where=config.label, mend=mend)

    def _of_length_one(self, vectors: np.ndarray) -> np.ndarray:
        if vectors.shape[1] != self._config.dimensions:
            what = f"the endpoint gives vectors of {vectors.shape[1]} numbers, not {self._config.dimensions}"
            raise UserError(what, where=self._config.label, mend=f"dimensions: {vectors.shape[1]}")
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _key(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _vectors(response: Any, count: int) -> np.ndarray:
    """Return the vectors [count, any] in the order of the texts, whatever the order of the response."""
    try:
        by_index = {int(one["index"]): one["embedding"] for one in response["data"]}
        vectors = np.asarray([by_index[number] for number in range(count)], dtype=np.float64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MalformedResponseError("the response does not hold one vector per text") from error
    if vectors.ndim != 2:
        raise MalformedResponseError("the response does not hold one vector per text")
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(vectors, axis=1)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise MalformedResponseError("a vector is 0 or no number")
    return vectors


@contextmanager
def open_client(config: EndpointEmbedding, run: Path) -> Iterator[EmbeddingClient]:
    """Open an endpoint for a run, where its vectors and limits are kept."""
    with (
        disk_full_is_retryable(run),
        open_claims(directory := model_directory(run, config.identity)) as claims,
        open_transport(
            config.base_url,
            label=config.label,
            secret=config.api_key,
            timeout_s=config.timeout_s,
            connections=_CONNECTIONS,
            largest=_LARGEST_RESPONSE,
        ) as transport,
    ):
        yield EmbeddingClient(config, directory, transport, claims)
