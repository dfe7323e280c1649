"""Bytes of plain and compressed files in bounded chunks; a broken stream gives what it has, then says so."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from utils.errors import UserError

CHUNK = 1 << 20
MAX_ZIP_RATIO = 200
MAX_ZIP_BYTES = 64 << 30
_RATIO_FREE = 1 << 20  # a member this small cannot hurt, whatever its ratio
_ZSTD_INPUT = 1 << 12  # zstd gives all that its input holds at once, up to 30,000 times as much


class BrokenStreamError(Exception):
    """The stream ends in error after the bytes already given.

    Args:
        reason: what is wrong and where.
        whole: the last line was whole; what is broken came after it.

    """

    def __init__(self, reason: str, *, whole: bool = False) -> None:
        super().__init__(reason)
        self.whole = whole


def file_chunks(path: str | Path, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Give the bytes [start, end) of a file, a chunk at a time."""
    with open(path, "rb") as file:
        file.seek(start)
        left = (end if end is not None else 1 << 62) - start
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk


def gzip_chunks(path: str | Path) -> Iterator[bytes]:
    """Give the bytes of all members of a .gz file.

    Raises:
        BrokenStreamError: the file is cut, damaged, or has something else after its last member.

    """
    with open(path, "rb") as file:
        if not (head := file.read(CHUNK)):
            return
        if not head.startswith(b"\x1f\x8b"):
            raise BrokenStreamError("not gzip data", whole=True)
        yield from _members(file, head, "gzip", b"\x1f\x8b", lambda: zlib.decompressobj(31))


def zstd_chunks(path: str | Path) -> Iterator[bytes]:
    """Give the bytes of all frames of a .zst file; raises as `gzip_chunks` does."""
    import zstandard

    with open(path, "rb") as file:
        if not (head := file.read(_ZSTD_INPUT)):
            return
        if not head.startswith(b"\x28\xb5\x2f\xfd"):
            raise BrokenStreamError("not zstd data", whole=True)
        yield from _members(file, head, "zstd", b"\x28\xb5\x2f\xfd", zstandard.ZstdDecompressor().decompressobj)


def _members(file: BinaryIO, data: bytes, kind: str, magic: bytes, start: Callable[[], Any]) -> Iterator[bytes]:
    size = len(data)
    while data:
        decoder = start()
        yield from _one_member(decoder, file, data, kind, size)
        data = _after_padding(decoder.unused_data, file, size)
        data += file.read(len(magic)) if len(data) < len(magic) else b""
        if data and not data.startswith(magic):
            raise BrokenStreamError(f"garbage after the {kind} data, before byte {file.tell()}", whole=True)


def _one_member(decoder: Any, file: BinaryIO, data: bytes, kind: str, size: int) -> Iterator[bytes]:
    import zstandard

    while data:
        try:
            yield from _decoded(decoder, data, kind)
        except (zlib.error, zstandard.ZstdError) as error:
            raise BrokenStreamError(f"damaged {kind} data before byte {file.tell()}: {error}") from None
        if decoder.eof:
            return
        data = file.read(size)
    raise BrokenStreamError(f"the {kind} data is cut off at byte {file.tell()}")


def _after_padding(data: bytes, file: BinaryIO, size: int) -> bytes:
    """Return what follows the zeros that tapes and block devices add, or nothing at the end of the file."""
    data = data.lstrip(b"\0")
    while not data and (data := file.read(size)):
        data = data.lstrip(b"\0")
    return data


def _decoded(decoder: Any, data: bytes, kind: str) -> Iterator[bytes]:
    if kind == "zstd":
        yield decoder.decompress(data)
        return
    piece = b""
    while data or (len(piece) == CHUNK and not decoder.eof):  # a full piece may leave more inside the decoder
        yield (piece := decoder.decompress(data, CHUNK))
        data = b"" if decoder.eof else decoder.unconsumed_tail  # at the end it may repeat what is in unused_data


def zip_members(path: str | Path) -> list[str]:
    """Return the names of the .jsonl, .ndjson and .json members, in the archive's order; hidden ones are left out.

    Raises:
        UserError: not a zip file, or one that could harm: absolute names, `..`, symlinks, encryption, a ratio over
            200 or more than 64 GiB in all.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"not a readable zip file: {error}", where=str(path), mend="make the archive again") from None
    for info in members:
        if (harm := _harm(info)) is not None:
            raise UserError(f"member {info.filename[:200]!r} {harm}", where=str(path), mend="unpack it yourself")
    if (total := sum(info.file_size for info in members)) > MAX_ZIP_BYTES:
        raise UserError(f"{total} bytes when unpacked, the limit is {MAX_ZIP_BYTES}", where=str(path))
    return [info.filename for info in members if _is_rows(info.filename) and not _is_hidden(info.filename)]


def unread_members(path: str | Path) -> list[str]:
    """Return the names of the members that are of no kind that is read; none of a file that is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError):
        return []
    return [name for name in names if not _is_rows(name) and not _is_hidden(name)]


def _is_rows(member: str) -> bool:
    return member.lower().endswith((".jsonl", ".ndjson", ".json"))


def _is_hidden(member: str) -> bool:
    """Tell of what file managers add beside the files, and of names with a dot."""
    return any(part == "__MACOSX" or part.startswith(".") for part in PurePosixPath(member).parts)


def _harm(info: zipfile.ZipInfo) -> str | None:
    name = info.orig_filename.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":":
        return "has an absolute path"
    if ".." in PurePosixPath(name).parts:
        return "leads out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a symlink"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.file_size > max(_RATIO_FREE, MAX_ZIP_RATIO * info.compress_size):
        return f"unpacks to over {MAX_ZIP_RATIO} times its size"
    return None


def zip_chunks(path: str | Path, member: str) -> Iterator[bytes]:
    """Give the bytes of one member.

    Raises:
        BrokenStreamError: the member is cut or damaged.

    """
    with zipfile.ZipFile(path) as archive:
        try:
            with archive.open(member) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise BrokenStreamError(f"damaged zip member {member!r}: {error}") from None
