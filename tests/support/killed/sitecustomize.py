"""On the path of a process under test: end it, and all of its group, at the Nth change of a file below a directory.

KILL_AT=N, KILL_BELOW=DIR, KILL_COUNT=FILE. Creations, links, renames and removals are counted in FILE over the driver
and its workers alike. With KILL_AT=0 nothing is ended and FILE says how many changes there are.
"""

import fcntl
import os
import signal
import sys

_BELOW = os.environ.get("KILL_BELOW", "")
_AT = int(os.environ.get("KILL_AT", "0"))
_COUNT = os.environ.get("KILL_COUNT", "")
_EVENTS = {"os.link": 1, "os.rename": 1, "os.remove": 0, "os.mkdir": 0, "open": 0}


def _changes(event, arguments):
    path = arguments[_EVENTS[event]]
    if not isinstance(path, str | os.PathLike) or not os.path.abspath(path).startswith(_BELOW):
        return False
    return event != "open" or bool((arguments[2] or 0) & (os.O_CREAT | os.O_TRUNC))


def _count_one():
    descriptor = os.open(_COUNT, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        number = int(os.read(descriptor, 20) or b"0") + 1
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, str(number).encode())
    finally:
        os.close(descriptor)
    return number


def _hook(event, arguments):
    if event in _EVENTS and _changes(event, arguments) and _count_one() == _AT:
        os.killpg(int(os.environ["KILL_GROUP"]), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


if _BELOW and _COUNT:
    os.environ.setdefault("KILL_GROUP", str(os.getpgrp()))  # workers have groups of their own and inherit the driver's
    _BELOW = os.path.abspath(_BELOW)
    sys.addaudithook(_hook)
