"""What a rule looks for; light to import, for configs hold rules."""

from __future__ import annotations

from dataclasses import dataclass

from cleaning.characters import Classes


@dataclass(frozen=True)
class Trigger:
    """What a text must have for a rule to change it: any one of these.

    Args:
        characters: classes that occur anywhere.
        pairs: a character of the first set followed at once by one of the second.
        apart: the same with blanks (U+0020, U+00A0, U+3000) between, one or more; now and then asked in vain.
        runs: a set and how often one and the same character of it stands in a row (2 to 8).
        opens: classes of the text's first character.
        closes: classes of its last one.
        literals: pieces of text, in any case of ASCII letters; each has at least three bytes in UTF-8. Of long
            ones the beginning is looked for.
        digits: so many ASCII digits in a number; single blanks, hyphens and dots inside it do not end it.
        pattern: asked, in the linear-time engine, of the texts that passed the above (of all texts when that is
            empty).

    """

    characters: Classes = frozenset()
    pairs: tuple[tuple[Classes, Classes], ...] = ()
    apart: tuple[tuple[Classes, Classes], ...] = ()
    runs: tuple[tuple[Classes, int], ...] = ()
    opens: Classes = frozenset()
    closes: Classes = frozenset()
    literals: tuple[str, ...] = ()
    digits: int = 0
    pattern: str | None = None

    @property
    def asks_all(self) -> bool:
        """Tell whether the scan excludes no text."""
        named = self.characters or self.pairs or self.apart or self.runs or self.opens or self.closes
        return not (named or self.literals or self.digits)
