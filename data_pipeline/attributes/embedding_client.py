"""Calls of an OpenAI-compatible `/v1/embeddings`: verified, not redirected, tried again, within a shared limit.

https://platform.openai.com/docs/api-reference/embeddings/create
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.data.parsing import repair_text
from utils.errors import RetryLaterError, UserError
from utils.models.chat.allow import masked, read_secret
from utils.models.chat.backoff import delays, retry_after
from utils.models.chat.cache import model_directory
from utils.models.chat.limiter import Limiter, sleep

if TYPE_CHECKING:
    import httpx2

    from data_pipeline.attributes.kinds.endpoint_embedding import EndpointEmbedding

_PASSING = {408, 425, 429}  # and 5xx
_LARGEST_RESPONSE = 256 << 20  # bytes: 2048 texts of 4096 numbers
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_SHOWN = 200  # characters of what an endpoint says


class _PassingError(Exception):
    """A call without an answer; another may have one. `wait_s`: what the endpoint asks to wait."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class EmbeddingClient:
    """An opened endpoint."""

    def __init__(self, config: EndpointEmbedding, run: Path, client: httpx2.Client) -> None:
        self._config = config
        self._client = client
        self._secret = read_secret(config.api_key)
        identity = {"model": config.model, "base_url": config.base_url, "api": "embeddings"}
        self._limiter = Limiter(
            model_directory(run, identity), concurrency=64, requests_per_minute=config.requests_per_minute
        )

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 vectors [len(texts), dimensions] of length 1.

        Raises:
            RetryLaterError: no answer after all tries.
            UserError: the endpoint refuses the key, the model, the texts or the address, or gives other vectors.

        """
        body: dict[str, Any] = {"model": self._config.model, "input": [repair_text(text) for text in texts]}
        body["encoding_format"] = "float"
        if self._config.shorten:
            body["dimensions"] = self._config.dimensions
        content, stop = json.dumps(body, ensure_ascii=False).encode(), threading.Event()
        pauses = delays(repr(content[:200]), first_s=_FIRST_WAIT_S, longest_s=_LONGEST_WAIT_S)
        why = ""
        for attempt in range(1, self._config.tries + 1):
            self._limiter.wait(0, stop)
            try:
                return self._vectors(self._post(content), len(texts))
            except _PassingError as error:
                why = str(error)
                wait = error.wait_s or 0.0
                if wait > self._config.patience_s:
                    break
                if error.wait_s:
                    self._limiter.pause(wait)
                if attempt < self._config.tries:
                    sleep(max(next(pauses), wait), stop)
        mend = "the same command later; parts that are done are not asked again"
        raise RetryLaterError(f"no embeddings after {attempt} tries: {why}", where=self._config.label, mend=mend)

    def _post(self, content: bytes) -> Any:
        import httpx2

        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if self._secret is not None:
            headers["authorization"] = f"Bearer {self._secret.get_secret_value()}"
        try:
            url = f"{self._config.base_url}/embeddings"
            with self._client.stream("POST", url, content=content, headers=headers) as response:
                text = _text_of(response)
        except httpx2.TimeoutException as error:
            raise _PassingError("time over") from error
        except httpx2.HTTPError as error:
            raise _PassingError(f"no connection ({type(error).__name__})") from error
        status = response.status_code
        if status in _PASSING or status >= 500:
            asked = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
            raise _PassingError(f"HTTP {status}", asked)
        if 300 <= status < 400:
            mend = "name in base_url the address that it redirects to, if you trust it"
            raise UserError(f"a redirect (HTTP {status}) is refused", where=self._config.label, mend=mend)
        if status != 200:
            said = masked(" ".join(text.split()), self._secret)[:_SHOWN]
            raise UserError(f"HTTP {status}: {said}", where=self._config.label, mend="check key, model and base_url")
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _PassingError("the response is no JSON") from error

    def _vectors(self, response: Any, count: int) -> np.ndarray:
        """Return the vectors in the order of the texts, whatever the order of the response."""
        try:
            by_index = {int(one["index"]): one["embedding"] for one in response["data"]}
            vectors = np.asarray([by_index[number] for number in range(count)], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise _PassingError("the response does not hold one vector per text") from error
        if vectors.ndim != 2 or vectors.shape[1] != self._config.dimensions:
            length = vectors.shape[-1] if vectors.ndim == 2 else "no"
            raise UserError(
                f"the endpoint gives vectors of {length} numbers, not {self._config.dimensions}",
                where=self._config.label,
                mend=f"dimensions: {length}",
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not (lengths > 0).all():
            raise _PassingError("a vector is 0 or no number")
        return (vectors / lengths).astype(np.float32)


def _text_of(response: httpx2.Response) -> str:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > _LARGEST_RESPONSE:
            raise _PassingError("the response is too large")
    return body.decode("utf-8", "replace")


@contextmanager
def open_client(config: EndpointEmbedding, run: Path) -> Iterator[EmbeddingClient]:
    """Open connections that verify certificates, follow no redirect, and take no proxy or password from outside."""
    import httpx2

    with httpx2.Client(
        verify=httpx2.create_ssl_context(trust_env=True),  # SSL_CERT_FILE may name a company's own authority
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(config.timeout_s, connect=min(config.timeout_s, 10.0)),
    ) as client:
        yield EmbeddingClient(config, run, client)
