"""How many tokens texts have: by a tokenizer on disk, or by an estimate that needs none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import UserError

if TYPE_CHECKING:
    import numpy as np

# Counted on common multilingual tokenizers: Chinese and other scripts without blanks take about two tokens for three
# characters, all else one for four.
ESTIMATE = "0.65 × (Han, kana, Hangul and other non-Latin letters) + 0.25 × other characters"

_BATCH = 1000


def describe(tokenizer: Path | None) -> str:
    """Return how tokens are counted, as reports name it."""
    return f"estimate, no tokenizer: {ESTIMATE}" if tokenizer is None else f"tokenizer {tokenizer.name}"


def token_counts(texts: Sequence[str], counts: np.ndarray, tokenizer: Path | None = None) -> np.ndarray:
    """Return int64 (n,): the tokens of every text.

    Args:
        texts: n texts.
        counts: int32 (n, len(scan.COUNTS)), of these texts.
        tokenizer: a `tokenizer.json`, or a folder that transformers can load; None: the estimate.

    Raises:
        UserError: there is no tokenizer at the path.

    """
    if tokenizer is None:
        return estimated(counts)
    import numpy as np

    encode = _encoder(tokenizer)
    lengths = [n for at in range(0, len(texts), _BATCH) for n in encode(list(texts[at : at + _BATCH]))]
    return np.array(lengths, np.int64)


def estimated(counts: np.ndarray) -> np.ndarray:
    """Return the estimate, int64 (n,), from counts of the scan, int32 (n, len(scan.COUNTS))."""
    from cleaning.scan import AT

    wide = counts[:, [AT["han"], AT["other_script"]]].sum(axis=1, dtype="int64")
    return (65 * wide + 25 * (counts[:, AT["characters"]] - wide)) // 100


@lru_cache(maxsize=2)
def _encoder(path: Path) -> Any:
    """Return the function that gives the number of tokens of each of a list of texts; loaded once per process."""
    if path.is_file():
        return _from_file(path)
    if path.is_dir():
        return _from_folder(path)
    raise UserError(f"no tokenizer at {path}", where="tokenizer", mend="give a tokenizer.json or a model's folder")


def _from_file(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        loaded = Tokenizer.from_file(str(path))
    except Exception as error:  # the library has no exception of its own
        raise UserError(f"not a tokenizer.json: {error}", where=str(path)) from error
    loaded.no_truncation()
    loaded.no_padding()
    return lambda texts: [len(found.ids) for found in loaded.encode_batch(texts, add_special_tokens=False)]


def _from_folder(path: Path) -> Any:
    """Only what lies in the folder is read: no network, no code that came with a model."""
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(str(path), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UserError(f"no tokenizer in the folder: {str(error).splitlines()[0]}", where=str(path)) from error
    return lambda texts: [len(ids) for ids in loaded(texts, add_special_tokens=False)["input_ids"]]
