"""One run directory, one owner (F22).

The owner holds a kernel lock on `run/owner.lock` as long as it lives, so a dead owner on this host needs no guessing.
`run/owner.json` says who it is; across hosts, where the kernel cannot answer, an owner that is not provably dead stays.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import Any

import psutil

from utils.errors import UserError
from utils.runs.commit import read_json, replace_json
from utils.runs.processes import IDENTITY, identity, provably_dead


class Owner:
    """Ownership of a run directory, from `take` to `release`."""

    def __init__(self, root: Path, token: str) -> None:
        self.root = root
        self.token = token
        self._file = root / "run" / "owner.json"
        self._descriptor: int | None = None

    def take(self, verb: str) -> dict[str, Any] | None:
        """Become the owner.

        Returns:
            The entry of the dead owner that was replaced, or None.

        Raises:
            UserError: another process owns the directory; the message names it.

        """
        self._file.parent.mkdir(parents=True, exist_ok=True)
        locked = self._lock()
        former = self._former()
        if not locked or (former is not None and not provably_dead(former)):
            self._close()
            raise self._taken(former if locked else self._named())
        replace_json(self._file, {**identity(psutil.Process(), "driver"), "verb": verb, "token": self.token})
        return former

    def _former(self) -> dict[str, Any] | None:
        """Return who owned the directory last; a damaged note names nobody."""
        try:
            former = read_json(self._file)
        except UserError:
            return None
        return former if isinstance(former, dict) and former.keys() >= IDENTITY else None

    def release(self) -> None:
        """Stop being the owner."""
        self._file.unlink(missing_ok=True)
        self._close()

    def _lock(self) -> bool:
        """Take the kernel lock; True also where the file system has none, and owner.json alone must do."""
        self._descriptor = os.open(self._file.with_name("owner.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in {errno.EWOULDBLOCK, errno.EAGAIN}
        return True

    def _named(self) -> dict[str, Any] | None:
        """Read who holds the lock; an owner that just took it needs a moment to write its name."""
        for _ in range(20):
            if former := self._former():
                return former
            time.sleep(0.05)
        return None

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _taken(self, owner: dict[str, Any] | None) -> UserError:
        who = f"pid {owner['pid']} on {owner['host']} (posttrain {owner['verb']})" if owner else "another process"
        return UserError(
            f"this run directory is in use by {who}",
            where=str(self.root),
            mend=f"wait, choose another output, or: posttrain stop {self.root}",
        )
