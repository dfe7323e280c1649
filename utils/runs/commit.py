"""The commit protocol: a file is there whole or not at all, a unit of work is done or not done.

A file is written under a temporary name on the same file system, flushed, and published by a hard link, which fails
when the name exists. A unit's report is published last and is the commit: a reader that finds the report, and files
that match the hashes in it, has all of it. A worker that outlives its driver keeps writing for a while; its temporary
names carry the token of a dead attempt, and what it publishes is the same content or nothing.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.errors import PosttrainError, RetryLaterError, StageFailedError, UserError

SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
_CHUNK = 1 << 20
_NAME_MAX = 255  # bytes of a file name, on every file system that we know
# How polars and numpy say that the disk is full: without an errno.
_FULL = re.compile(r"\(os error (28|122)\)|^\d+ requested and \d+ written$")


def check_name(name: str, *, where: str) -> str:
    """Return a name that is safe in paths and commands, or refuse it (S3)."""
    if not SAFE_NAME.fullmatch(name) or name in {".", ".."}:
        raise UserError(f"the name {name!r} is not allowed", where=where, mend="use 1–128 of A–Z a–z 0–9 . _ -")
    return name


def sha256_file(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(temporary: Path, final: Path) -> bool:
    """Give a finished temporary file its name, unless the name exists.

    Returns:
        True when this call published it; False when the name was taken. The temporary file is gone either way.

    """
    _flush(temporary)
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(temporary, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
            raise
        return _publish_by_rename(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)
        _flush(final.parent)
    return True


def _publish_by_rename(temporary: Path, final: Path) -> bool:
    """Publish where the file system has no links: reserve the name exclusively, then rename over the reservation."""
    try:
        os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    temporary.replace(final)
    return True


def replace_json(path: Path, value: Any) -> None:
    """Write JSON over a file that only its owner writes (state, owner, manifest), whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")
        _flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Return the JSON value in a file, or None when there is no such file.

    Raises:
        UserError: the file holds something else; we write such files whole, so somebody changed it.

    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise UserError(f"not JSON: {error}", where=str(path), mend="move it away, then the same command") from error


def refuse_full_disk(error: Exception, where: Path) -> None:
    """Raise what ends a run with exit code 75 when an error says that the disk is full (F4); else do nothing."""
    if getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT} or _FULL.search(str(error)):
        raise RetryLaterError(
            "no space left on the device", where=str(where), mend="free space, same command"
        ) from error


@contextlib.contextmanager
def disk_full_is_retryable(where: Path) -> Iterator[None]:
    """Turn 'no space left' into exit code 75 (F4)."""
    try:
        yield
    except PosttrainError:
        raise
    except Exception as error:
        refuse_full_disk(error, where)
        raise


@dataclass(slots=True)
class Unit:
    """One unit of work in a run directory, in the driver or in a worker.

    Args:
        root: the run directory.
        name: the unit's name, by content; safe in paths.
        token: the attempt of the driver that asked for it.
        attempt: counts retries of this unit.

    """

    root: Path
    name: str
    token: str
    attempt: int = 0
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __enter__(self) -> Unit:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind: `file` and `directory` clean up after themselves."""

    @contextlib.contextmanager
    def file(self, relative: str) -> Iterator[Path]:
        """Yield a temporary path to write one file to; publish it as `relative` (to the run directory)."""
        final = self.root / relative
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._beside(final)
        try:
            with disk_full_is_retryable(final):
                yield temporary
                self._publish(temporary, final, relative)
        finally:
            temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def directory(self, relative: str) -> Iterator[Path]:
        """Yield a temporary directory; publish every file in it below `relative`."""
        final = self.root / relative
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._beside(final)
        temporary.mkdir()
        try:
            with disk_full_is_retryable(final):
                yield temporary
                for path in sorted(temporary.rglob("*")):
                    if path.is_file():
                        inside = path.relative_to(temporary).as_posix()
                        self._publish(path, final / inside, f"{relative}/{inside}")
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _beside(self, final: Path) -> Path:
        """Return where a file is written before it has its name; a name with no room for our suffix is hashed."""
        suffix = f".tmp.{self.token}.{self.attempt}"
        name = os.fsencode(final.name)
        long = len(name) + len(suffix) > _NAME_MAX
        return final.with_name((hashlib.blake2b(name, digest_size=16).hexdigest() if long else final.name) + suffix)

    def _publish(self, temporary: Path, final: Path, relative: str) -> None:
        digest = sha256_file(temporary)
        size = temporary.stat().st_size
        self._make_way(final, digest)
        if not publish(temporary, final) and sha256_file(final) != digest:
            raise StageFailedError(f"{relative} was published by a newer attempt", where=str(self.root))
        self.files[relative] = {"sha256": digest, "bytes": size}

    def _make_way(self, final: Path, digest: str) -> None:
        """Move the uncommitted leftover of a killed attempt aside, if its content is not what we publish.

        Only the run's present owner may: a worker whose driver is dead has a stale token and leaves things alone.
        """
        if not final.exists() or sha256_file(final) == digest:
            return
        owner = read_json(self.root / "run" / "owner.json") or {}
        if owner.get("token") == self.token:
            aside = self.root / "run" / "rejected" / self.token / final.relative_to(self.root)
            aside.parent.mkdir(parents=True, exist_ok=True)
            final.replace(aside)

    def commit(self, report: dict[str, Any]) -> dict[str, Any]:
        """Publish the report, and with it the unit.

        Args:
            report: counts and whatever the stage wants to know on resume; JSON-able, without times.

        """
        full = {"unit": self.name, "files": self.files, **report}
        final = report_path(self.root, self.name)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f"{final.name}.tmp.{self.token}.{self.attempt}")
        try:
            with disk_full_is_retryable(final):
                temporary.write_text(json.dumps(full, ensure_ascii=False, sort_keys=True), encoding="utf-8")
                digest = sha256_file(temporary)
                self._make_way(final, digest)
                if not publish(temporary, final) and sha256_file(final) != digest:
                    raise StageFailedError(f"unit {self.name} was committed by a newer attempt", where=str(self.root))
        finally:
            temporary.unlink(missing_ok=True)
        return full


def report_path(root: Path, name: str) -> Path:
    """Return the path of a unit's report."""
    return root / "run" / "reports" / f"{name}.json"


def committed(root: Path, name: str) -> dict[str, Any] | None:
    """Return a unit's report when it is complete and every file matches its hash, else None."""
    report = read_report(report_path(root, name))
    whole = report and all(_matches(root / path, seal) for path, seal in report["files"].items())
    return report if whole else None


def read_report(path: Path) -> dict[str, Any] | None:
    """Return what a report says, or None when there is none or it is damaged: then it commits nothing."""
    try:
        report = read_json(path)
    except UserError:
        return None
    return report if isinstance(report, dict) and isinstance(report.get("files"), dict) else None


def _matches(path: Path, seal: dict[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == seal["bytes"] and sha256_file(path) == seal["sha256"]
