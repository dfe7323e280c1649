"""Mentions of people as social media write them: `@name` to the next blank or mark."""

from __future__ import annotations

import re
from typing import Literal

from cleaning.characters import HAN, HANGUL, KANA, LATIN_EXTRA, LATIN_WIDE, LETTERS, of
from cleaning.lines import blank_between
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger

# What programs write behind an @ outside of a code block: decorators, annotations, rules of style sheets, entries of
# bibliographies, tags of documentation. A bracket, dot, slash or equals sign behind a name says the same.
_CODE_WORDS = (
    "property|staticmethod|classmethod|abstractmethod|dataclass|override|deprecated|test|before|after|autowired|"
    "component|service|repository|controller|restcontroller|entity|table|column|id|bean|configuration|nullable|"
    "notnull|media|import|keyframes|charset|supports|namespace|layer|param|return|returns|throws|type|typedef|author|"
    "since|see|version|brief|interface|implementation|end|selector|synthesize|class|protocol|using|model|echo|"
    "echo off|article|book|inproceedings|misc|everyone"
)
_MENTION = re.compile(
    r"(?P<before>[ \t]?)(?://@(?<![:\w]//@)|@(?<![A-Za-z0-9_.+%/\-@＠]@))(?P<name>[^\W\d][\w·\-]{0,29})(?![\w·\-]|[(/\[{=@\\]|\.\w)"
    r"(?:[:：](?!//))?(?P<after>[ \t]?)"
)
_CODE = re.compile(rf"(?:{_CODE_WORDS})\b", re.IGNORECASE)
_DEFINITION = re.compile(
    r"[ \t]*\n[ \t]*(?:@\w|def |class |async |public |private |protected |static |final |func |fun )"
)


class Mentions(EditRule):
    """Removes mentions; decorators, addresses and style rules are none, and code is not entered."""

    rule: Literal["mentions"] = "mentions"

    @property
    def trigger(self) -> Trigger:
        """An @ before a letter, with nothing of an address before it."""
        letters = LETTERS | LATIN_EXTRA | LATIN_WIDE | HAN | KANA | HANGUL | of("_")
        return Trigger(pairs=((of("@"), letters),), pattern=r"(?:^|//|[^A-Za-z0-9_.+%/\-@])@[\p{L}_]")

    def apply(self, segments: Segments) -> Edited:
        """Remove mentions, and one of the blanks on both sides of one."""
        texts, counts = [], []
        for text in segments.texts:
            count = 0

            def replacement(match: re.Match[str]) -> str:
                nonlocal count
                if _CODE.match(match["name"]) or _DEFINITION.match(match.string, match.end()):
                    return match.group()
                count += 1
                return blank_between(match)

            texts.append(_MENTION.sub(replacement, text) if "@" in text else text)
            counts.append(count)
        return Edited(texts, counts)
