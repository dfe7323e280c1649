"""One limit for all processes of a host: requests and tokens per minute, and calls at the same time.

Calls are spaced evenly, without bursts: a call reserves the next free moment, so that no window of a minute holds more
than the limit. A pause that the endpoint asks of one process (Retry-After) holds for all of them.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.errors import RetryLaterError
from utils.models.chat.locked import shared_state

_POLL_S = 0.02


class Limiter:
    """The shared limit of one endpoint.

    Args:
        directory: where the state lies that the processes share.
        concurrency: calls at the same time.
        requests_per_minute: None for no limit.
        tokens_per_minute: prompt and answer together; None for no limit.

    """

    def __init__(
        self,
        directory: Path,
        *,
        concurrency: int,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        self._state = directory / "limits.json"
        self._slots = [directory / "slots" / f"{slot:03d}.lock" for slot in range(concurrency)]
        self._request_s = 60 / requests_per_minute if requests_per_minute else 0.0
        self._token_s = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._slots[0].parent.mkdir(parents=True, exist_ok=True)

    def wait(self, tokens: int, stop: threading.Event) -> None:
        """Wait for this call's moment.

        Args:
            tokens: what prompt and answer will take at most; see `settle`.
            stop: ends the waiting.

        Raises:
            RetryLaterError: stopped.

        """
        sleep(self._reserve(tokens), stop)
        while (pause := self._pause_left()) > 0:  # asked for while this call was waiting
            sleep(pause, stop)

    def settle(self, reserved: int, used: int) -> None:
        """Give back what a call reserved and did not use."""
        if self._token_s:
            with shared_state(self._state) as state:
                state["tokens_at"] = state.get("tokens_at", 0.0) - (reserved - used) * self._token_s

    def pause(self, seconds: float) -> None:
        """Let nobody call for so many seconds."""
        with shared_state(self._state) as state:
            state["pause_until"] = max(state.get("pause_until", 0.0), time.monotonic() + seconds)
            state["pause_s"] = seconds

    @contextmanager
    def slot(self, stop: threading.Event) -> Iterator[None]:
        """Hold one of the places for calls at the same time; a dead process frees its places.

        Raises:
            RetryLaterError: stopped while waiting.

        """
        descriptor = self._free_slot()
        while descriptor is None:
            sleep(_POLL_S, stop)
            descriptor = self._free_slot()
        try:
            yield
        finally:
            os.close(descriptor)

    def _free_slot(self) -> int | None:
        for path in self._slots:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            else:
                return descriptor
        return None

    def _reserve(self, tokens: int) -> float:
        """Take the next free moment; return the seconds until then."""
        if not (self._request_s or self._token_s):
            return 0.0
        now = time.monotonic()
        with shared_state(self._state) as state:
            if state.get("reserved_at", now) > now:  # another boot's clock
                state.clear()
            state["reserved_at"] = now
            requests_at, tokens_at = (max(now, state.get(name, 0.0)) for name in ("requests_at", "tokens_at"))
            start = max(requests_at, tokens_at)
            state["requests_at"] = start + self._request_s
            state["tokens_at"] = start + tokens * self._token_s
        return start - now

    def _pause_left(self) -> float:
        with shared_state(self._state) as state:
            left: float = state.get("pause_until", 0.0) - time.monotonic()
            if left > state.get("pause_s", 0.0):  # another boot's clock
                state["pause_until"] = left = 0.0
        return left


def sleep(seconds: float, stop: threading.Event) -> None:
    """Wait, unless stopped.

    Raises:
        RetryLaterError: stopped.

    """
    if stop.wait(seconds) if seconds > 0 else stop.is_set():
        raise RetryLaterError("stopped while waiting for the endpoint", mend="the same command")
