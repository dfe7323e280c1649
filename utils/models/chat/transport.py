"""One call of an endpoint: an answer, a failure that may pass, or a refusal that will not."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from utils.errors import UserError
from utils.models.chat.allow import masked, masked_tree, read_secret
from utils.models.chat.backoff import retry_after
from utils.runs.config import SecretRef
from utils.runs.logs import redact

if TYPE_CHECKING:
    import httpx2

_TOO_MANY = 429
_PASSING = {408, 409, 425, _TOO_MANY}  # and 5xx
_CONNECT_S = 10.0
_SHOWN = 200  # characters of what an endpoint says
Read = TypeVar("Read")


class MalformedResponseError(ValueError):
    """The endpoint sent something that is no answer."""


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
    """Calls of one endpoint over kept connections.

    Args:
        client: what calls.
        base_url: allowed by `check_url`.
        label: the endpoint, for messages.
        secret: the key's reference.
        timeout_s: of a whole call.
        largest: bytes of a response.

    """

    def __init__(
        self,
        client: httpx2.Client,
        base_url: str,
        *,
        label: str,
        secret: SecretRef | None,
        timeout_s: float,
        largest: int,
    ) -> None:
        self._client = client
        self._base_url = base_url
        self._label = label
        self._secret = read_secret(secret)
        self._timeout_s = timeout_s
        self._largest = largest

    def post(self, path: str, body: dict[str, Any], read: Callable[[Any], Read]) -> Read | Failure | Refusal:
        """Send a body, read what comes back.

        Args:
            path: below the base URL.
            body: sent as JSON.
            read: what makes an answer of parsed JSON, or raises MalformedResponseError.

        Raises:
            UserError: a redirect, or a certificate that cannot be trusted.

        """
        import httpx2

        from utils.models.chat.deadline import begin  # loaded with the client

        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if self._secret is not None:
            headers["authorization"] = f"Bearer {self._secret.get_secret_value()}"
        content = json.dumps(body, ensure_ascii=False).encode()
        begin(self._timeout_s)
        try:
            with self._client.stream("POST", self._base_url + path, content=content, headers=headers) as response:
                return self._outcome(response, self._text_of(response), read)
        except httpx2.TimeoutException:
            return Failure("time over")
        except MalformedResponseError as error:
            return Failure(str(error))
        except httpx2.HTTPError as error:
            self._refuse_certificate(error)
            return Failure(f"no connection ({type(error).__name__})")

    def _outcome(self, response: httpx2.Response, text: str, read: Callable[[Any], Read]) -> Read | Failure | Refusal:
        status = response.status_code
        if 200 <= status < 300:
            return read(self._parsed(text))
        if 300 <= status < 400:
            mend = "name in base_url the address that it redirects to, if you trust it"
            raise UserError(f"a redirect (HTTP {status}) is refused", where=self._label, mend=mend)
        if status in _PASSING or status >= 500:
            asked = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
            return Failure(f"HTTP {status}", asked, outage=status != _TOO_MANY)
        said = " ".join(masked(text, self._secret).split())
        return Refusal(status, redact(said[:_SHOWN]))

    def _text_of(self, response: httpx2.Response) -> str:
        """Return a body that is not too large; unpacking a small one could fill the memory, and none was asked for."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise MalformedResponseError("the response is compressed, which was not asked for")
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > self._largest:
                raise MalformedResponseError("the response is too large")
        return body.decode("utf-8", "replace")

    def _parsed(self, text: str) -> Any:
        """Return what the JSON holds, without our key, which may have stood escaped in it."""
        try:
            return masked_tree(json.loads(text), self._secret)
        except (ValueError, RecursionError) as error:
            raise MalformedResponseError("the response is no JSON") from error

    def _refuse_certificate(self, error: BaseException | None) -> None:
        """Raise where the end of the chain is a certificate; trying again would not mend it."""
        while error is not None:
            if isinstance(error, ssl.SSLCertVerificationError):
                mend = "SSL_CERT_FILE=FILE names an authority of your own; nothing was sent"
                raise UserError(f"its certificate is refused: {error.verify_message}", where=self._label, mend=mend)
            error = error.__cause__ or error.__context__


@contextmanager
def open_transport(
    base_url: str, *, label: str, secret: SecretRef | None, timeout_s: float, connections: int, largest: int
) -> Iterator[Transport]:
    """Open connections that verify certificates, follow no redirect, and take no proxy or password from outside."""
    import httpx2

    from utils.models.chat.deadline import TimelyBackend

    transport = httpx2.HTTPTransport(
        verify=httpx2.create_ssl_context(trust_env=True),  # SSL_CERT_FILE may name a company's own authority
        trust_env=False,  # data goes to the named host and nowhere else
        limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
    )
    transport._pool._network_backend = TimelyBackend(transport._pool._network_backend)  # it has no other door
    timeout = httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S))
    with httpx2.Client(transport=transport, trust_env=False, follow_redirects=False, timeout=timeout) as client:
        yield Transport(client, base_url, label=label, secret=secret, timeout_s=timeout_s, largest=largest)
