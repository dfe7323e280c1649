"""A circuit breaker: an endpoint that failed many times in a row is left alone for a while, by all processes."""

from __future__ import annotations

import time
from pathlib import Path

from utils.errors import RetryLaterError
from utils.models.chat.locked import shared_state


class Breaker:
    """Open after `failures` failures in a row, for `rest_s` seconds; then one more failure opens it again.

    Args:
        directory: where the state lies that the processes share; it outlives them, so a run that is started again at
            once does not call either.
        name: the endpoint, for the message.
        failures: in a row, over all processes.
        rest_s: seconds without a call.

    """

    def __init__(self, directory: Path, *, name: str, failures: int, rest_s: float) -> None:
        self._state = directory / "breaker.json"
        self._name = name
        self._failures = failures
        self._rest_s = rest_s

    def check(self) -> None:
        """Refuse the call while the breaker is open.

        Raises:
            RetryLaterError: with the seconds left and the last failure.

        """
        with shared_state(self._state) as state:
            left = state.get("open_until", 0.0) - time.time()
            if not 0 < left <= self._rest_s:  # over: the clock was set back, or the rest made shorter
                return
            why = f"{state.get('failures')} failures in a row, the last: {state.get('why')}"
        raise RetryLaterError(why, where=self._name, mend=f"the same command in {left:.0f} s or later")

    def failed(self, why: str) -> None:
        """Count a failure."""
        with shared_state(self._state) as state:
            state.update(failures=state.get("failures", 0) + 1, why=why)
            if state["failures"] >= self._failures:
                state["open_until"] = time.time() + self._rest_s

    def succeeded(self) -> None:
        """Forget the failures."""
        with shared_state(self._state) as state:
            state.clear()
