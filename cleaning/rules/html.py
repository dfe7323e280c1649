"""Markup that was left in a text: tags and comments go, entities are decoded once, inequality signs stay."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from cleaning.characters import LETTERS, of
from cleaning.html_markdown import is_page, to_markdown
from cleaning.protect import CODE, MATHS, TABLE, spans
from cleaning.rules.base import Edited, EditRule, Segments
from cleaning.trigger import Trigger


def _names(joined: str) -> frozenset[str]:
    return frozenset(joined.split("|"))


_BLOCK = (
    "address|article|aside|blockquote|center|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|h1|h2|h3|h4|h5|h6|header|hr|li|"
    "main|nav|ol|p|pre|section|table|tbody|td|tfoot|th|thead|tr|ul"
)
_INLINE = (
    "a|abbr|acronym|audio|b|big|br|button|canvas|cite|code|col|colgroup|del|dfn|em|embed|font|i|iframe|img|ins|kbd|"
    "link|mark|meta|nobr|noscript|picture|q|s|samp|script|small|span|strike|strong|style|sub|sup|svg|tt|u|video|wbr|"
    "html|head|body|title|label|input|select|option|optgroup|textarea|legend|details|summary|caption|source|track|ruby|"
    "rt|rp"
)
# Names that also stand in angle brackets for other reasons (`List<a>`, `<code>` as a placeholder, `x<b>y`): a lone
# opening tag of these counts only where a closing tag follows.
_NEEDS_PARTNER = _names(
    "a|address|audio|b|body|button|caption|code|details|form|head|header|i|input|label|link|main|mark|option|p|q|rp|rt|"
    "s|section|select|source|summary|table|textarea|title|track|u|video"
)
# Where blocks are closed, a lone opening one is a tag too: its end may stand beyond some code.
_NEEDS_PARTNER_ON_PAGES = _names("a|audio|b|button|code|i|input|label|link|main|mark|option|q|s|source|track|u|video")

_VALUE = r"""(?:"[^"<>]*+"|'[^'<>]*+'|[^\s"'<>=`]++)"""
_BOOLEAN = "hidden|disabled|checked|selected|controls|async|defer|nowrap|noshade"
_ATTRIBUTES = rf"(?:\s++[a-zA-Z_:@][\w:.@-]*+\s*+=\s*+{_VALUE}|\s++(?i:{_BOOLEAN})(?=[\s/>]))"
# Of any name: a set tells those of HTML apart sooner than an expression of a hundred alternatives.
_TAG = re.compile(rf"<(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z1-6]*+)(?P<attributes>{_ATTRIBUTES}*+)\s*+(?P<alone>/?)>")
_BREAKING = _names("br|" + _BLOCK)
_NAMES = _BREAKING | _names(_INLINE)
# What is removed with all that it holds: a sign, an expression, and the end; without these two it cannot match.
_HIDDEN = (
    ("-->", re.compile(r"<!--(?s:.*?)-->"), re.compile("-->")),
    ("</", re.compile(r"<script\b[^<>]{0,2000}+>(?s:.*?)</script\s*+>", re.I), re.compile(r"</script\s*+>", re.I)),
    ("</", re.compile(r"<style\b[^<>]{0,2000}+>(?s:.*?)</style\s*+>", re.I), re.compile(r"</style\s*+>", re.I)),
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_MARKUP = r"</?[a-zA-Z][a-zA-Z1-6]*[\s/>]|-->|&(?:#[0-9xX]|[a-zA-Z][a-zA-Z0-9]{1,31};)"
_FENCES = ("```", "~~~")


def _text_of(entity: re.Match[str]) -> str:
    """Return the character of an entity; `&nbsp;` is a blank here; what is no entity or no character stays."""
    return _decoded(entity.group())


@lru_cache(maxsize=1024)
def _decoded(entity: str) -> str:
    text = html.unescape(entity)
    return " " if text == "\u00a0" else text if text.isprintable() else entity


def _without_hidden(text: str) -> tuple[str, int]:
    """Remove comments, scripts and styles whole; only what lies before the last end of one is searched."""
    removed = 0
    for sign, whole, closing in _HIDDEN:
        if sign not in text:
            continue
        ends = [match.end() for match in closing.finditer(text)]
        if ends:
            head, count = whole.subn("", text[: ends[-1]])
            text, removed = head + text[ends[-1] :], removed + count
    return text, removed


# Raised and lowered signs carry meaning: 2<sup>10</sup> is not 210.
_RAISED = re.compile(r"<(?P<name>su[pb])>(?P<sign>[^<>\n]{1,40}+)</(?P=name)>", re.IGNORECASE)
_PLAIN_SIGN = re.compile(r"[+−-]?\w+")


def _with_signs(text: str) -> tuple[str, int]:
    """Write `2<sup>10</sup>` as `2^10` and `x<sub>i+1</sub>` as `x_(i+1)`."""

    def written(match: re.Match[str]) -> str:
        mark, sign = "^" if match["name"].lower() == "sup" else "_", match["sign"].strip()
        return mark + (sign if _PLAIN_SIGN.fullmatch(sign) else f"({sign})")

    return _RAISED.subn(written, text)


def _is_markup(text: str) -> bool:
    """Tell whether a text is made of tags: of three names and more, a fifth of its characters and more.

    What pages leave around a text (`<div class="x"><p>…</p></div>`) has fewer names.
    """
    tags = list(_TAG.finditer(text))
    size = sum(tag.end() - tag.start() for tag in tags)
    return len({tag["name"].lower() for tag in tags}) >= _MARKUP_NAMES and size >= _MARKUP_SHARE * len(text)


_MARKUP_NAMES, _MARKUP_SHARE = 3, 0.2


def _without_tags(text: str) -> tuple[str, int]:
    last_close: dict[str, int] = {}
    if "</" in text:
        last_close = {match["name"].lower(): match.start() for match in _TAG.finditer(text) if match["close"]}
    needs_partner = _NEEDS_PARTNER_ON_PAGES if is_page(text) else _NEEDS_PARTNER
    removed = 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal removed
        close, name, attributes, alone = match.groups()
        name = name.lower()
        lone = name in needs_partner and not (close or alone or attributes)
        if name not in _NAMES or (lone and last_close.get(name, -1) < match.start()):
            return match.group()
        removed += 1
        opening_cell = name in ("td", "th") and not close
        return "\n" if name in _BREAKING and not opening_cell and _is_break(match) else ""

    return _TAG.sub(replacement, text), removed


def _is_break(match: re.Match[str]) -> bool:
    """Tell whether the text before and after a tag of a block would run together without it."""
    text, start, end = match.string, match.start(), match.end()
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return bool(before.strip()) and (after not in ("", "\n") or not match["close"]) and after != "\n"


def _as_markdown(text: str) -> str:
    """Convert a page; fences of Markdown between its tags stay, unless it has code of its own."""
    code = [] if "<pre" in text else spans(text, frozenset({CODE}))
    fences = [at for at in code if text.startswith(_FENCES, at[0])]
    parts, start = [], 0
    for first, end in [*fences, (len(text), len(text))]:
        free = text[start:first]
        parts += [to_markdown(free) if is_page(free) else free, text[first:end]]
        start = end
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


class Html(EditRule):
    """Removes real tags and comments, decodes entities once; or turns a page's HTML into Markdown."""

    # Addresses stand in tags, and HTML writes their `&` as `&amp;`.
    protected: ClassVar[frozenset[str]] = frozenset({CODE, MATHS, TABLE})

    rule: Literal["html"] = "html"
    to: Literal["text", "markdown"] = "text"
    """`markdown` keeps code, tables, lists, headings, emphasis and links, for conversations saved as HTML. A page is
    then read as a whole: `protect` is false unless it is set, and only fences of Markdown stay."""

    tags: bool = True
    """Remove tags, comments, scripts and styles."""
    entities: bool = True
    """Decode entities."""
    markup_stays: bool = False
    """Leave a text alone that is made of tags (a form, a feed, a component): markup was asked for. For instructions."""

    @model_validator(mode="before")
    @classmethod
    def _read_pages_whole(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("to") == "markdown":
            return {"protect": False, **given}
        return given

    @property
    def trigger(self) -> Trigger:
        """A sign that opens a tag, a comment or an entity."""
        return Trigger(pairs=((of("<"), of("/!") | LETTERS), (of("&"), of("#") | LETTERS)), pattern=_MARKUP)

    def apply(self, segments: Segments) -> Edited:
        """Remove comments, scripts and styles whole, then tags, then decode."""
        texts, counts = [], []
        for text in segments.texts:
            if self.to == "markdown" and is_page(text):
                page, tags = _as_markdown(text), sum(tag["name"].lower() in _NAMES for tag in _TAG.finditer(text))
                texts.append(page)
                counts.append(max(1, tags))
                continue
            opened = self.tags and "<" in text and not (self.markup_stays and _is_markup(text))
            text, hidden = _without_hidden(text) if opened else (text, 0)
            text, signs = _with_signs(text) if opened else (text, 0)
            text, tags = _without_tags(text) if opened else (text, 0)
            hidden += signs
            decoded, entities = _ENTITY.subn(_text_of, text) if self.entities and "&" in text else (text, 0)
            texts.append(decoded)
            counts.append(hidden + tags + (entities if decoded != text else 0))
        return Edited(texts, counts)
