"""Who asks what right now: two processes that want the same answer do not both pay for it (F18)."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from utils.models.chat.limiter import sleep

_POLL_S = 0.05


class Claims:
    """Locks by the hashes of requests: each a byte of an empty file, far out; the kernel frees those of dead processes.

    They hold between processes; within one, equal requests are asked once anyway. One object per file and process:
    closing it gives back all of the process's claims.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @contextmanager
    def hold(self, keys: Sequence[str], stop: threading.Event) -> Iterator[None]:
        """Hold the claims to some hashes, taken in their order, so that nobody waits for each other.

        Raises:
            RetryLaterError: stopped while waiting.

        """
        with ExitStack() as held:
            for place in sorted({int(key[:15], 16) for key in keys}):
                while not self._taken(place):
                    sleep(_POLL_S, stop)
                held.callback(fcntl.lockf, self._descriptor, fcntl.LOCK_UN, 1, place)
            yield

    def _taken(self, place: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):
            return False
        return True


@contextmanager
def open_claims(directory: Path) -> Iterator[Claims]:
    """Open the claims to one model's answers in a run."""
    descriptor = os.open(directory / "claims.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield Claims(descriptor)
    finally:
        os.close(descriptor)
