"""Small state that the processes of a host share through a file and the kernel's lock on it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Open a file for reading and appending, hold its lock, and give the descriptor; the kernel frees a dead holder's.

    Threads exclude each other too: every call opens the file anew.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def shared_state(path: Path) -> Iterator[dict[str, Any]]:
    """Read a JSON object, let the caller change it in place, and write it back, with nobody else in between.

    For state that may be lost: what is no JSON counts as empty. A file never gets shorter; blanks fill it up.
    """
    with locked(path) as descriptor:
        text = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        state = _object_in(text)
        yield state
        new = json.dumps(state).encode().ljust(len(text))  # one write, never a cut: a kill leaves the old or the new
        if new != text:
            os.pwrite(descriptor, new, 0)


def _object_in(text: bytes) -> dict[str, Any]:
    try:
        state = json.loads(text)
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}
