"""One form for texts that a reader would call the same."""

from __future__ import annotations

import unicodedata


def normal(text: str) -> str:
    """Return the text in NFKC (full-width digits become plain ones), blanks folded, none at the ends."""
    return " ".join(unicodedata.normalize("NFKC", text).split())
