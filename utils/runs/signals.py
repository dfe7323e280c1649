"""SIGTERM and Ctrl-C: the first asks for an orderly end, the second ends at once (F3)."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from utils.errors import InterruptedRunError


class StopFlag:
    """Turns true at the first signal; work looks at it between units."""

    def __init__(self) -> None:
        self.requested = False
        self.signum = signal.SIGTERM
        self._at_second: Callable[[], None] | None = None

    def install(self, at_second: Callable[[], None] | None = None) -> None:
        """Handle SIGTERM and SIGINT. Call again after a library has put its own handlers in (Ray does).

        Args:
            at_second: called at the second signal, before the process ends at once.

        """
        self._at_second = at_second or self._at_second
        if threading.current_thread() is not threading.main_thread():
            return  # a rank in a worker of Ray Train: Python gives signals to the main thread only
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._handle)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self.requested:
            if self._at_second:
                self._at_second()
            os._exit(128 + signum)
        self.requested = True
        self.signum = signal.Signals(signum)
        # os.write, because a handler may interrupt a logging call that holds its lock
        os.write(2, b"stopping: what is in work is finished and committed; a second signal stops at once\n")

    def check(self) -> None:
        """Raise when a signal has asked for the end.

        Raises:
            InterruptedRunError: the run is resumable.

        """
        if self.requested:
            raise InterruptedRunError("interrupted; what is committed stays", signum=self.signum)


def follow_parent(parent_pid: int, *, poll_s: float = 0.5) -> None:
    """End this process in an orderly way when the process that started it dies.

    A killed driver cannot tell its children; without this, a step would run on beside the resumed driver.
    """

    def watch() -> None:
        while os.getppid() == parent_pid:
            time.sleep(poll_s)
        os.kill(os.getpid(), signal.SIGTERM)

    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGTERM)
    threading.Thread(target=watch, name="follow-parent", daemon=True).start()
