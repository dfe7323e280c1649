"""Keep one node's processes for as long as the driver holds the other end of stdin. Run as a script, by its path.

A killed driver, or a broken ssh connection, closes stdin: then, and at SIGTERM, the command gets SIGTERM, and what is
left of it after the grace SIGKILL. ssh alone would leave the processes of the other machine running.

    node.py SECONDS FOLDER COMMAND…

The folder is where the ranks report to the driver. Where it is not seen, the output is not shared (F21).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

NOT_SHARED = 72
"""Exit code (EX_OSFILE): this machine does not see the driver's folder."""
_SEEN_WITHIN_S = 15.0
"""A network file system may keep saying for some seconds that a new folder is not there."""


def main(grace_s: float, folder: Path, command: list[str]) -> int:
    """Run the command; return its exit code, 128 + N after signal N."""
    until = time.monotonic() + _SEEN_WITHIN_S
    while not folder.is_dir():
        if time.monotonic() > until:
            return NOT_SHARED
        time.sleep(0.2)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, which says what is to be done
    threading.Thread(target=_until_closed, args=(ending,), daemon=True).start()
    threading.Thread(target=_end, args=(child, ending, grace_s), daemon=True).start()
    code = _wait(child)
    return 128 - code if code < 0 else code


def _wait(child: subprocess.Popen[bytes]) -> int:
    while True:  # a wait without end would keep the signal handler from running
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(timeout=0.2)


def _until_closed(ending: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    ending.set()


def _end(child: subprocess.Popen[bytes], ending: threading.Event, grace_s: float) -> None:
    ending.wait()
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(child.pid).children(recursive=True)
        child.terminate()  # torchrun hands it on to its ranks, once, and waits for them
        _, left = psutil.wait_procs([psutil.Process(child.pid), *family], timeout=grace_s)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
