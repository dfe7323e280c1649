"""What a row looks like to the trainer: its text, and in colour what it learns from it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from utils.models.templates import ChatTemplate, Rendered

_TRAINED, _OTHER, _END = "\033[1;32m", "\033[2m", "\033[0m"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed: a terminal must not obey data


def coloured(template: ChatTemplate, rendered: Rendered, *, colour: bool | None = None) -> str:
    """Return a row's text with the trained tokens in green and the others dim, after a line with their numbers.

    Args:
        template: the template that the row was rendered with.
        rendered: the row.
        colour: by default only on a terminal, unless NO_COLOR is set. Without, trained text stands between « and ».

    """
    if colour is None:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    shown = [f"{len(rendered.ids)} tokens, {sum(rendered.mask)} trained\n"]
    for text, trained in _runs(template.tokenizer, rendered):
        text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
        if colour:
            shown.append(f"{_TRAINED if trained else _OTHER}{text}{_END}")
        else:
            shown.append(f"«{text}»" if trained else text)
    return "".join(shown)


def _runs(tokenizer: PreTrainedTokenizerBase, rendered: Rendered) -> Iterator[tuple[str, bool]]:
    """Text of neighbouring tokens with one mask, and whether they are trained.

    Decoded together, because a character may be several tokens; and after all that stands before, because some
    tokenizers take a blank away at the beginning of what they decode.
    """
    place, before = 0, ""
    for trained, run in groupby(rendered.mask):
        place += sum(1 for _ in run)
        text = str(tokenizer.decode(rendered.ids[:place], clean_up_tokenization_spaces=False))
        yield text[len(before) :], bool(trained)
        before = text
