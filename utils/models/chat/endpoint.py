"""An OpenAI-compatible endpoint: asked in parallel, within its limits, each answer paid once (F16, F18).

What may pass is tried again: 408, 409, 425, 429, 5xx, no connection, time over, a body that is no answer. A request
that has still no answer then stays pending (`RetryLaterError`, exit code 75); the others are asked and kept all the
same. Any other refusal of one request is that request's error; of the key, the model or the address, the user's.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import RetryLaterError, UserError
from utils.models.chat.backoff import delays
from utils.models.chat.breaker import Breaker
from utils.models.chat.cache import AnswerCache, model_directory, request_hash
from utils.models.chat.claims import Claims, open_claims
from utils.models.chat.cost import Budget, cost_at_most, cost_of, cost_of_line, prompt_tokens_at_most
from utils.models.chat.limiter import Limiter, sleep
from utils.models.chat.protocol import Answer, Request
from utils.models.chat.transport import Failure, Refusal, Transport, open_transport
from utils.models.chat.wire import answer_in, body_of, path_of
from utils.runs.commit import disk_full_is_retryable

if TYPE_CHECKING:
    from utils.models.chat.config import EndpointConfig

_SCHEMA_REFUSED = {400, 415, 422}
_PAYMENT, _FORBIDDEN = 402, 403
_MISCONFIGURED = {401: "api_key", _FORBIDDEN: "api_key's rights", 404: "base_url and model", 405: "base_url"}
_LARGEST_RESPONSE = 16 << 20  # bytes
_ALL_REFUSED = 20  # refused requests without one answer: it is not the requests
_BYTES_PER_TOKEN = 3  # a guess that `settle` corrects


class Endpoint:
    """An opened endpoint.

    `counts` tells what happened: `asked`, `cached`, failed tries by their kind, and answers `without the schema`.
    """

    def __init__(self, config: EndpointConfig, directory: Path, transport: Transport, claims: Claims) -> None:
        limits = config.limits
        self._config, self._transport, self._claims = config, transport, claims
        self._cache = AnswerCache(directory, price=partial(cost_of_line, limits.prices) if limits.prices else None)
        self._budget = Budget(directory, limit=limits.budget, cache=self._cache, name=config.label)
        self._limiter = Limiter(
            directory,
            concurrency=limits.concurrency,
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
        )
        self._breaker = Breaker(
            directory, name=config.label, failures=limits.breaker_failures, rest_s=limits.breaker_rest_s
        )
        self._structured = config.structured and config.api == "chat"
        self._counting = threading.Lock()
        self.counts: Counter[str] = Counter()

    def ask(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer from the cache what was paid before, ask the rest in parallel; equal requests are asked once.

        Raises:
            RetryLaterError: budget, breaker, or requests without an answer after all tries.
            UserError: the endpoint refuses the key, the model or the address.

        """
        keys = [request_hash(request) for request in requests]
        self._cache.refresh()
        found = {key: answer for key in dict.fromkeys(keys) if (answer := self._cache.get(key)) is not None}
        missing = {key: request for key, request in zip(keys, requests, strict=True) if key not in found}
        self._count("cached", len(found))
        self._count("asked", len(missing))
        if missing:
            found |= self._ask_all(missing)
        return [found[key] for key in keys]

    def _ask_all(self, missing: Mapping[str, Request]) -> dict[str, Answer]:
        """Ask in threads; an exception ends the others as soon as their call under way has ended."""
        stop = threading.Event()
        with ThreadPoolExecutor(min(self._config.limits.concurrency, len(missing)), "chat") as pool:
            futures = {key: pool.submit(self._answer, key, request, stop) for key, request in missing.items()}
            try:
                for future in wait(futures.values(), return_when=FIRST_EXCEPTION).done:
                    future.result()
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        outcomes = {key: future.result() for key, future in futures.items()}
        if failures := Counter(outcome.why for outcome in outcomes.values() if isinstance(outcome, Failure)):
            raise self._pending(failures, len(outcomes))
        return {key: outcome for key, outcome in outcomes.items() if isinstance(outcome, Answer)}

    def _pending(self, failures: Counter[str], asked: int) -> RetryLaterError:
        reasons = ", ".join(f"{why} ×{number}" for why, number in failures.most_common(3))
        return RetryLaterError(
            f"{failures.total()} of {asked} requests have no answer after {self._config.limits.tries} tries: {reasons}",
            where=self._config.label,
            mend="the same command later; what is answered is not asked again",
        )

    def _answer(self, key: str, request: Request, stop: threading.Event) -> Answer | Failure:
        """Ask, unless another process has asked meanwhile; what it asks right now is waited for."""
        with self._claims.hold([key], stop):
            self._cache.refresh()
            return self._cache.get(key) or self._answer_of_endpoint(key, request, stop)

    def _answer_of_endpoint(self, key: str, request: Request, stop: threading.Event) -> Answer | Failure:
        """Try until there is an answer, or until the last try has failed."""
        limits = self._config.limits
        most = cost_at_most(limits.prices, request) if limits.prices else 0.0
        pauses = delays(key, first_s=limits.first_wait_s, longest_s=limits.longest_wait_s)
        for attempt in range(limits.tries):
            if attempt:
                sleep(next(pauses), stop)
            with self._budget.hold(most, stop), self._limiter.slot(stop):
                outcome = self._try(key, request, stop)
            if isinstance(outcome, Answer):
                return outcome
            self._note(outcome)
        return outcome

    def _try(self, key: str, request: Request, stop: threading.Event) -> Answer | Failure:
        """Call once the moment has come; keep the answer before anybody sees it."""
        tokens = prompt_tokens_at_most(request) // _BYTES_PER_TOKEN + request.sampling.max_tokens
        self._limiter.wait(tokens, stop)
        self._breaker.check()
        outcome, structured = self._call(request)
        if isinstance(outcome, Failure):
            return outcome
        self._breaker.succeeded()
        if isinstance(outcome, Refusal):
            return self._refused(outcome)
        self._keep(key, request, outcome, structured=structured)
        if outcome.prompt_tokens is not None and outcome.completion_tokens is not None:
            self._limiter.settle(tokens, outcome.prompt_tokens + outcome.completion_tokens)
        return outcome

    def _call(self, request: Request) -> tuple[Answer | Failure | Refusal, bool]:
        """Ask for the schema where there is one, and without it where that is refused; tell which."""
        structured = self._structured and request.schema is not None
        outcome = self._post(request, structured=structured)
        if not structured or not isinstance(outcome, Refusal) or outcome.status not in _SCHEMA_REFUSED:
            return outcome, structured
        outcome = self._post(request, structured=False)
        if isinstance(outcome, Answer):
            self._structured = False  # it was the schema that the endpoint cannot take
        return outcome, False

    def _post(self, request: Request, *, structured: bool) -> Answer | Failure | Refusal:
        body = body_of(self._config, request, structured=structured)
        return self._transport.post(path_of(self._config), body, answer_in)

    def _keep(self, key: str, request: Request, answer: Answer, *, structured: bool) -> None:
        facts: dict[str, Any] = {}
        if self._config.limits.prices:
            facts["cost"], facts["estimated"] = cost_of(self._config.limits.prices, request, answer)
        if request.schema is not None and not structured:
            facts["structured"] = False
            self._count("without the schema")
        self._cache.put(key, answer, **facts)

    def _refused(self, refusal: Refusal) -> Answer:
        """Return the error of this request, unless the refusal is not about this request.

        Raises:
            UserError: key, model or address, or everything is refused; after the first answer, a 403 is one request's
                (content moderation).
            RetryLaterError: the account is empty.

        """
        if refusal.status == _PAYMENT:
            raise RetryLaterError(refusal.why, where=self._config.label, mend="pay, then the same command")
        if refusal.status in _MISCONFIGURED and not (refusal.status == _FORBIDDEN and len(self._cache)):
            mend = f"check {_MISCONFIGURED[refusal.status]}"
            raise UserError(refusal.why, where=self._config.label, mend=mend)
        self._count("refused")
        if self.counts["refused"] >= _ALL_REFUSED and not len(self._cache):
            what = f"it has refused the first {self.counts['refused']} requests, the last with {refusal.why}"
            raise UserError(what, where=self._config.label, mend="check max_tokens_key, extra_body and the model")
        return Answer(error=refusal.why)

    def _note(self, failure: Failure) -> None:
        """Count a failure; let all processes wait as the endpoint asks.

        Raises:
            RetryLaterError: it asks for more than we have patience for.

        """
        self._count(failure.why)
        if failure.outage:
            self._breaker.failed(failure.why)
        if not failure.wait_s:
            return
        if failure.wait_s > self._config.limits.patience_s:
            what = f"{failure.why}, and the endpoint asks to wait {failure.wait_s:.0f} s"
            mend = "the same command later, or raise limits.patience_s"
            raise RetryLaterError(what, where=self._config.label, mend=mend)
        self._limiter.pause(failure.wait_s)

    def _count(self, what: str, number: int = 1) -> None:
        with self._counting:
            self.counts[what] += number


@contextmanager
def open_endpoint(config: EndpointConfig, run_directory: Path) -> Iterator[Endpoint]:
    """Open an endpoint for a run, where its answers and limits are kept; a full disk ends the run with exit code 75."""
    limits = config.limits
    with (
        disk_full_is_retryable(run_directory),
        open_claims(directory := model_directory(run_directory, config.identity)) as claims,
        open_transport(
            config.base_url,
            label=config.label,
            secret=config.api_key,
            timeout_s=limits.timeout_s,
            connections=limits.concurrency,
            largest=_LARGEST_RESPONSE,
        ) as transport,
    ):
        yield Endpoint(config, directory, transport, claims)
