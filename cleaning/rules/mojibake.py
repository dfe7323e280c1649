r"""Text that was read in the wrong encoding: `ä½ å¥½` for 你好, `â€œhiâ€\x9d` for “hi”, `FaÃ§ade` for Façade."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal

from cleaning.characters import LEAD, TAIL
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

# What the bytes 80–BF of UTF-8 look like as Latin-1 (themselves) or as Windows-1252 (these, in order; `\0`: nothing).
_WINDOWS = "€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ"
_TAIL = "\u0080-\u00bf" + _WINDOWS.replace("\0", "")
_TO_BYTE = {ord(shown): 0x80 + at for at, shown in enumerate(_WINDOWS) if shown != "\0"}
_TWO, _THREE, _FOUR = rf"[\u00c2-\u00df][{_TAIL}]", rf"[\u00e0-\u00ef][{_TAIL}]{{2}}", rf"[\u00f0-\u00f4][{_TAIL}]{{3}}"

DAMAGE = f"{_TWO}|{_THREE}|{_FOUR}"
"""One character of UTF-8 in the wrong encoding; a byte A0 that became a blank is left to ftfy."""
_DAMAGE = re.compile(rf"[\u00c2-\u00f4][{_TAIL}]")
# Two long sequences side by side are no language: these are decoded at once, at a hundredth of ftfy's cost.
_CERTAIN = re.compile(rf"(?:{_THREE}|{_FOUR}){{2,}}+")
_CJK = re.compile("[\u3001-\u9fff]")


@cache
def _options() -> Any:
    """Return ftfy's mending of encodings and nothing else.

    Its defaults also straighten quotes, make `，（` into `,(`, decode entities, take ligatures apart, end lines anew
    and write U+FFFD where bytes are lost (https://ftfy.readthedocs.io/en/latest/config.html).
    """
    from ftfy import TextFixerConfig

    return TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        replace_lossy_sequences=False,
        fix_c1_controls=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )


def _decoded(run: re.Match[str]) -> str:
    shown = run.group()
    try:
        return _as_bytes(shown).decode()
    except UnicodeDecodeError:
        return shown


def _as_bytes(shown: str) -> bytes:
    try:
        return shown.encode("latin-1")
    except UnicodeEncodeError:
        return shown.translate(_TO_BYTE).encode("latin-1")


def _mended(line: str) -> str:
    """Let ftfy judge a line that looks damaged.

    One with CJK in it is in no encoding of single bytes as a whole: ftfy then mends complete characters of UTF-8 alone
    (`decode_inconsistent_utf8`), which its expression finds or not at a tenth of the cost.
    """
    from ftfy import fix_encoding
    from ftfy.chardata import UTF8_DETECTOR_RE

    if not _DAMAGE.search(line) or (_CJK.search(line) and not UTF8_DETECTOR_RE.search(line)):
        return line
    return fix_encoding(line, _options())


class Mojibake(EditRule):
    """Repairs UTF-8 that was read as Latin-1 or Windows-1252; what cannot be repaired stays (`mojibake_ratio`)."""

    rule: Literal["mojibake"] = "mojibake"

    @property
    def trigger(self) -> Trigger:
        """The first byte of a character in UTF-8 and another one, as the wrong encoding shows them."""
        return Trigger(pairs=((LEAD, TAIL),))

    def apply(self, segments: Segments) -> Edited:
        """Decode what is certain, then let ftfy judge each line that still looks damaged."""
        texts, counts = [], []
        for text in segments.texts:
            mended = text
            if _DAMAGE.search(text):
                mended = _CERTAIN.sub(_decoded, text)
                if _DAMAGE.search(mended):
                    mended = "".join(map(_mended, mended.splitlines(keepends=True)))
            texts.append(mended)
            counts.append(len(_DAMAGE.findall(text)) if mended != text else 0)
        return Edited(texts, counts)
