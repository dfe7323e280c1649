"""The errors that mean something to a user, and the exit code of each.

Everything else is a defect of ours and ends with exit code 1 and a traceback in the log.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PosttrainError(Exception):
    """An error with a place and a mend.

    Args:
        what: one sentence, with the offending value in it.
        where: file, line or key.
        mend: the command or edit that mends or resumes it.

    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        """One line: where, what, and how to go on."""
        line = f"{self.where}: {self.what}" if self.where else self.what
        line = f"{line} → {self.mend}" if self.mend else line
        return " ".join(line.split())

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a worker process, keyword arguments included."""
        return (_rebuild, (type(self), self.what, self.where, self.mend))


def _rebuild(kind: type[PosttrainError], what: str, where: str | None, mend: str | None) -> PosttrainError:
    return kind(what, where=where, mend=mend)


class UserError(PosttrainError):
    """Bad config or input."""

    exit_code = 2


class RetryLaterError(PosttrainError):
    """Nothing is wrong but the moment: no disk space, a rate limit."""

    exit_code = 75


class StageFailedError(PosttrainError):
    """The work itself failed; what was committed stays."""

    exit_code = 1


class InterruptedRunError(PosttrainError):
    """A signal asked the run to end; it can be resumed."""

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None, signum: int = 15) -> None:
        super().__init__(what, where=where, mend=mend)
        self.exit_code = 128 + signum


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return what to offer in place of a name that is not known, `nearest: …`; None when nothing resembles it."""
    by_folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return f"nearest: {by_folded[near[0]]}" if near else None
