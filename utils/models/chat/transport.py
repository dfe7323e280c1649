"""One call: an answer, a failure that may pass, or a refusal that will not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from utils.errors import UserError
from utils.models.chat.allow import masked, read_secret
from utils.models.chat.backoff import retry_after
from utils.models.chat.protocol import Answer
from utils.models.chat.wire import MalformedResponseError, answer_in, path_of
from utils.runs.logs import redact

if TYPE_CHECKING:
    import httpx2

    from utils.models.chat.config import EndpointConfig

_TOO_MANY = 429
_PASSING = {408, 425, _TOO_MANY}  # and 5xx
_LARGEST_RESPONSE = 16 << 20  # bytes
_CONNECT_S = 10.0
_SHOWN = 200  # characters of what an endpoint says


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without an answer, which may pass.

    Args:
        why: in a few words, to be counted.
        wait_s: seconds that the endpoint asks for.
        outage: whether it speaks against the endpoint; a rate limit does not.

    """

    why: str
    wait_s: float | None = None
    outage: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """The endpoint does not want this request (HTTP 4xx); nothing was paid."""

    status: int
    said: str

    @property
    def why(self) -> str:
        """The error of an answer that was refused."""
        return f"HTTP {self.status}: {self.said}"


class Transport:
    """Calls of one endpoint over kept connections."""

    def __init__(self, config: EndpointConfig, client: httpx2.Client) -> None:
        self._config = config
        self._client = client
        self._secret = read_secret(config.api_key)

    def post(self, body: dict[str, Any]) -> Answer | Failure | Refusal:
        """Send a body, read what comes back.

        Raises:
            UserError: a redirect.

        """
        import httpx2

        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if self._secret is not None:
            headers["authorization"] = f"Bearer {self._secret.get_secret_value()}"
        content = json.dumps(body, ensure_ascii=False).encode()
        url = self._config.base_url + path_of(self._config)
        try:
            with self._client.stream("POST", url, content=content, headers=headers) as response:
                return self._outcome(response, masked(_text_of(response, self._config.limits.timeout_s), self._secret))
        except (httpx2.TimeoutException, TimeoutError):
            return Failure("time over")
        except _TooLargeError:
            return Failure("the response is too large")
        except httpx2.HTTPError as error:
            return Failure(f"no connection ({type(error).__name__})")

    def _outcome(self, response: httpx2.Response, text: str) -> Answer | Failure | Refusal:
        status = response.status_code
        if status == 200:
            return _read(text)
        if 300 <= status < 400:
            mend = "name in base_url the address that it redirects to, if you trust it"
            raise UserError(f"a redirect (HTTP {status}) is refused", where=self._config.label, mend=mend)
        if status in _PASSING or status >= 500:
            asked = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
            return Failure(f"HTTP {status}", asked, outage=status != _TOO_MANY)
        return Refusal(status, redact(" ".join(text.split())[:_SHOWN]))


class _TooLargeError(Exception):
    """A body without end."""


def _text_of(response: httpx2.Response, limit_s: float) -> str:
    """Return a body that is neither too large nor too slow: the client limits each read, this all of them."""
    begun, body = time.monotonic(), bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > _LARGEST_RESPONSE:
            raise _TooLargeError
        if time.monotonic() - begun > limit_s:
            raise TimeoutError
    return body.decode("utf-8", "replace")


def _read(text: str) -> Answer | Failure:
    try:
        return answer_in(json.loads(text))
    except MalformedResponseError as error:
        return Failure(str(error))
    except (ValueError, RecursionError):
        return Failure("the response is no JSON")


@contextmanager
def open_transport(config: EndpointConfig) -> Iterator[Transport]:
    """Open connections that verify certificates, follow no redirect, and take no proxy or password from outside."""
    import httpx2

    limits = config.limits
    with httpx2.Client(
        verify=httpx2.create_ssl_context(trust_env=True),  # SSL_CERT_FILE may name a company's own authority
        trust_env=False,  # data goes to the named host and nowhere else
        follow_redirects=False,
        timeout=httpx2.Timeout(limits.timeout_s, connect=min(limits.timeout_s, _CONNECT_S)),
        limits=httpx2.Limits(max_connections=limits.concurrency, max_keepalive_connections=limits.concurrency),
    ) as client:
        yield Transport(config, client)
