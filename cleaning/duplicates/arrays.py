"""Arrays on disk: `.npy` files written piece by piece, and pairs of rows in one number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHIFT = np.uint64(32)
_LOWER = np.uint64(0xFFFFFFFF)


class ArrayWriter:
    """Writes an array of unknown length to a `.npy` file.

    Args:
        path: the file.
        dtype: of the numbers.
        width: numbers in a line; None for an array of one dimension.

    """

    def __init__(self, path: Path, dtype: Any, width: int | None = None) -> None:
        self._dtype = np.dtype(dtype)
        self._width = width
        self._file = path.open("wb")
        self.length = 0
        self._header()

    def _header(self) -> None:
        """Write the header; numpy pads it so that a longer first dimension needs no more room."""
        shape = (self.length,) if self._width is None else (self.length, self._width)
        head = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, head)

    def write(self, array: NDArray[Any]) -> None:
        """Append lines."""
        self._file.write(np.ascontiguousarray(array, dtype=self._dtype).data)
        self.length += len(array)

    def close(self) -> None:
        """Write the final length and close the file."""
        self._header()
        self._file.close()


def packed(left: NDArray[np.uint32], right: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return each pair as one number; their order is that of (left, right)."""
    return (left.astype(np.uint64) << _SHIFT) | right.astype(np.uint64)


def unpacked(pairs: NDArray[np.uint64]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the inverse of `packed`."""
    return (pairs >> _SHIFT).astype(np.uint32), (pairs & _LOWER).astype(np.uint32)
