"""Text to token ids in pieces: a piece is tokenised as it would be at inference, where what comes later is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BEFORE = "\x02"  # stands before a piece; never merged with what follows, as no vocabulary has it but as a byte


class Pieces:
    """Tokenises text that is cut at given places.

    SentencePiece tokenizers put a blank before a text. A piece that goes on after another must not get one, so it is
    tokenised after a character that is taken away again.

    The tokenizer's own library is asked: transformers would warn of every row that is longer than the model takes.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer: Any = getattr(tokenizer, "backend_tokenizer", None)
        if self._tokenizer is None:
            raise UserError(
                "this tokenizer does not say where in the text its tokens begin",
                where=str(tokenizer.name_or_path),
                mend="save it as tokenizer.json (a fast tokenizer)",
            )
        before = self._ids(_BEFORE)
        alone, after = self._ids("a"), self._ids(_BEFORE + "a")
        self._before = before if after[: len(before)] == before and after[len(before) :] != alone else []

    def __call__(self, text: str, cuts: Iterable[int] = ()) -> tuple[list[int], list[int]]:
        """Token ids, and the character that each begins at. No token reaches across a cut.

        A token that is a part of a character's bytes begins where the character does. Some tokenizers do not count a
        token's leading blanks: it may begin late here, but always in its own piece.
        """
        if not text:
            return [], []
        borders = list(pairwise([0, *sorted({cut for cut in cuts if 0 < cut < len(text)}), len(text)]))
        before = [[] if begin == 0 else self._before for begin, _ in borders]
        asked = [(_BEFORE if put else "") + text[begin:end] for put, (begin, end) in zip(before, borders, strict=True)]
        ids: list[int] = []
        starts: list[int] = []
        for (begin, end), put, piece in zip(borders, before, self._encoded(asked), strict=True):
            shift = begin - len(_BEFORE) if put else begin
            ids += piece.ids[len(put) :]
            starts += [shift + start for start, _ in piece.offsets[len(put) :]]
            for last in range(len(starts) - 1, -1, -1):  # blanks that are not counted, at the end of a piece
                if starts[last] < end:
                    break
                starts[last] = end - 1
        return ids, starts

    def _ids(self, text: str) -> list[int]:
        return list(self._encoded([text])[0].ids)

    def _encoded(self, texts: list[str]) -> list[Any]:
        """Encode whole texts: a tokenizer.json may come with truncation or padding, and others may set them."""
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._tokenizer.encode_special_tokens = False
        encoded: list[Any] = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return encoded
