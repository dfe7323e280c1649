"""Logs and progress: plain lines to stderr and to the run's log file, secrets redacted (S9)."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

_SECRET_NAME = re.compile(r"(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_SECRET_SHAPE = re.compile(r"\b(sk-[A-Za-z0-9_-]{8,}|hf_[A-Za-z0-9]{8,}|ghp_[A-Za-z0-9]{8,}|AKIA[A-Z0-9]{12,})")
_MASK = "***"
_LINE_EVERY_S = 5.0


def redact(text: str) -> str:
    """Replace secrets in a text: values of secret-looking environment variables, and well-known key shapes."""
    for name, value in os.environ.items():
        if len(value) >= 8 and "/" not in value and _SECRET_NAME.search(name) and value in text:
            text = text.replace(value, _MASK)
    return _SECRET_SHAPE.sub(_MASK, text)


def redact_tree(value: Any) -> Any:
    """Redact every string in a JSON-able value."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): redact_tree(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact_tree(inner) for inner in value]
    return value


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing of a line that does not fit on the disk: stderr has it too, and what fails says so itself."""


def open_log(verb: str, path: Path | None, *, quiet: bool = False) -> logging.Logger:
    """Return the run's logger.

    Args:
        verb: shown on every line.
        path: the log file, appended to; None for no file.
        quiet: only warnings to stderr.

    """
    log = logging.getLogger(f"posttrain.{verb}")
    close_log(log)
    log.setLevel(logging.INFO)
    log.propagate = False
    formatter = _Redacting("%(asctime)s %(name)s %(levelname)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S")
    stream = logging.StreamHandler(sys.stderr)
    stream.setLevel(logging.WARNING if quiet else logging.INFO)
    handlers: list[logging.Handler] = [stream]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(_LogFile(path, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(formatter)
        log.addHandler(handler)
    return log


def close_log(log: logging.Logger) -> None:
    """Close a logger's handlers."""
    for handler in list(log.handlers):
        with contextlib.suppress(OSError):  # what it still held does not fit on the disk
            handler.close()
        log.removeHandler(handler)


class Progress:
    """A bar on a terminal; elsewhere a plain line every few seconds and one at the end."""

    def __init__(self, log: logging.Logger, total: int, what: str, *, quiet: bool = False) -> None:
        self._log = log
        self._total = total
        self._what = what
        self._count = 0
        self._started = self._said = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty() and not quiet:
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=what, file=sys.stderr, leave=False)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
        if kind is None:
            self._say()

    def step(self, count: int = 1) -> None:
        """Count work done."""
        self._count += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._said >= _LINE_EVERY_S:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        seconds = self._said - self._started
        self._log.info("%s: %d of %d, %.1f s", self._what, self._count, self._total, seconds)
