"""An export is copied to where a URL says, by fsspec: the files in order, the marker last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from utils.errors import PosttrainError, RetryLaterError, UserError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?=://)")


def shown(url: str) -> str:
    """Return a URL without what may be secret: user, password, query, fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def check_url(url: str) -> None:
    """Refuse a place that cannot be written to, before any work is done.

    Raises:
        UserError: no URL, or fsspec does not know the protocol, or its package is not installed.

    """
    _opened(url)


def push(folder: Path, files: Mapping[str, Mapping[str, Any]], marker: str, url: str) -> int:
    """Copy a whole export.

    Everything else is there, and of the right size, before the marker is written; a marker of an earlier export is not
    replaced. So a reader that finds the marker finds all of it.

    Args:
        folder: the export.
        files: its files but for the marker, with sizes; README.md goes last of them.
        marker: name of the file that goes last of all.
        url: a directory, anywhere that fsspec writes to.

    Returns:
        How many files were sent: none when this export is there already.

    Raises:
        UserError: something else lies there.
        RetryLaterError: it broke off; the same command goes on.

    """
    fs, root = _opened(url)
    with _told(url):
        there = _names(fs, root)
        if marker in there and (earlier := _json(fs.cat_file(f"{root}/{marker}"))) is not None:
            if earlier != _json((folder / marker).read_bytes()):
                raise UserError("another export lies there", where=shown(url), mend="name another place")
            return 0
        if foreign := sorted(there - files.keys() - {marker}):
            what = f"the place holds other files, such as {foreign[0]}"
            raise UserError(what, where=shown(url), mend="name a place of its own")
        fs.makedirs(root, exist_ok=True)
        for name in sorted(files, key=lambda name: (name == "README.md", name)):
            fs.put_file(str(folder / name), f"{root}/{name}")
        fs.invalidate_cache()
        for name, seal in files.items():
            if fs.info(f"{root}/{name}")["size"] != seal["bytes"]:
                raise RetryLaterError(f"{name} did not arrive whole", where=shown(url), mend="the same command again")
        fs.put_file(str(folder / marker), f"{root}/{marker}")
    return len(files) + 1


def _json(text: bytes) -> Any:
    """Return what a marker says; None for one that was cut short."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _names(fs: Any, root: str) -> set[str]:
    """Return what lies in a directory there; nothing when there is none."""
    try:
        return {str(path).rstrip("/").rpartition("/")[2] for path in fs.ls(root, detail=False)} - {""}
    except FileNotFoundError:
        return set()


def _opened(url: str) -> tuple[Any, str]:
    """Return the file system and the directory's path in it."""
    import fsspec

    if not _SCHEME.match(url):
        raise UserError("no URL", where=f"--push {shown(url)}", mend="s3://bucket/path, file:///path, …")
    with _told(url):
        fs, root = fsspec.core.url_to_fs(url)
    if not str(root).strip("/"):
        raise UserError("the URL names no directory", where=shown(url), mend="add one: …/my-model")
    return fs, str(root).rstrip("/")


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn what a storage says into one line, without what may be secret in it."""
    try:
        yield
    except PosttrainError:
        raise
    except ImportError as error:
        raise UserError(_said(error, url), where=shown(url), mend="install that package") from None
    except (ValueError, PermissionError) as error:
        raise UserError(_said(error, url), where=shown(url), mend="correct the URL or its credentials") from None
    except Exception as error:  # each storage has errors of its own
        raise RetryLaterError(_said(error, url), where=shown(url), mend="the same command goes on") from None


def _said(error: Exception, url: str) -> str:
    """Return an error's first line without the parts of the URL that may be secret."""
    text = (str(error).splitlines() or [""])[0].replace(url, shown(url))
    parts = urlsplit(url)
    values = [pair.partition("=")[2] for pair in parts.query.split("&")]
    for secret in {
        parts.netloc.rpartition("@")[0],
        parts.username,
        parts.password,
        parts.query,
        parts.fragment,
        *values,
    }:
        if secret:
            text = text.replace(secret, "***")
    return f"{type(error).__name__}: {text}"
