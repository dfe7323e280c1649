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
from cleaning.roles import texts_of
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
# What is removed with all that it holds, and its end, without which it cannot match. No flag for the whole of an
# expression: a search is fast for one that begins with fixed characters.
_HIDDEN = (
    (re.compile(r"<!--(?s:.*?)-->"), re.compile("-->")),
    (re.compile(r"<(?i:script)\b[^<>]{0,2000}+>(?s:.*?)</(?i:script)\s*+>"), re.compile(r"</(?i:script)\s*+>")),
    (re.compile(r"<(?i:style)\b[^<>]{0,2000}+>(?s:.*?)</(?i:style)\s*+>"), re.compile(r"</(?i:style)\s*+>")),
)
_HIDDEN_END = re.compile("</[sS][cCtT]")
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
    if "-->" not in text and not _HIDDEN_END.search(text):
        return text, removed
    for whole, closing in _HIDDEN:
        ends = [match.end() for match in closing.finditer(text)]
        if ends:
            head, count = whole.subn("", text[: ends[-1]])
            text, removed = head + text[ends[-1] :], removed + count
    return text, removed


# Raised and lowered signs carry meaning: 2<sup>10</sup> is not 210.
_RAISED = re.compile(r"<(?i:(?P<name>su[pb])>(?P<sign>[^<>\n]{1,40}+)</(?P=name)>)")
_PLAIN_SIGN = re.compile(r"[+−-]?\w+")


def _with_signs(text: str) -> tuple[str, int]:
    """Write `2<sup>10</sup>` as `2^10` and `x<sub>i+1</sub>` as `x_(i+1)`."""

    def written(match: re.Match[str]) -> str:
        mark, sign = "^" if match["name"].lower() == "sup" else "_", match["sign"].strip()
        return mark + (sign if _PLAIN_SIGN.fullmatch(sign) else f"({sign})")

    return _RAISED.subn(written, text)


def _without_tags(text: str) -> tuple[str, int]:
    """Remove tags; those of blocks become line ends where lines would run together.

    From the end to the head: at an opening tag one knows which closing ones follow.
    """
    parts, rest, removed = [], len(text), 0
    closed = set()
    for tag in reversed(list(_TAG.finditer(text))):
        close, name, attributes, alone = tag.groups()
        name = name.lower()
        if name not in _NAMES:
            continue
        if close:
            closed.add(name)
        elif not (attributes or alone or name in closed) and _needs_partner(name, text):
            continue
        start, end = tag.span()
        parts.append(text[end:rest])
        rest, removed = start, removed + 1
        if name in _BREAKING and (close or name not in ("td", "th")) and _is_break(text, start, end, bool(close)):
            parts.append("\n")
    return ("".join([text[:rest], *reversed(parts)]) if removed else text), removed


def _needs_partner(name: str, text: str) -> bool:
    return name in _NEEDS_PARTNER_ON_PAGES or (name in _NEEDS_PARTNER and not is_page(text))


def _is_break(text: str, start: int, end: int, closes: bool) -> bool:
    """Tell whether the text before and after a tag of a block would run together without it."""
    if start == 0 or text[start - 1].isspace():
        return False
    after = text[end : end + 1]
    return after != "\n" and not (closes and not after)


# Tags that are what a text shows, not how: without them a picture, a form, a cell's place, the lines of code or the
# address of a link is lost.
_SHOWN = _names(
    "audio|canvas|code|embed|form|iframe|img|input|picture|pre|script|select|source|style|svg|table|td|textarea|"
    "th|tr|video"
)
_LINK = re.compile(r"\shref\s*=\s*[\"']?(?:https?:|mailto:)", re.IGNORECASE)
# A tag that stands in a sentence like a word: `wrap it in <strong> and </strong>`, `a "<div>" holds others`.
_AS_WORD = re.compile(r"""[ \t"'“‘「（(]<[a-zA-Z][a-zA-Z1-6]{0,15}>(?=[ \t"'”’」）),，。、])""")
_INDENTED = re.compile(r"\n[ \t]+<[a-zA-Z][^<>\n]*>[ \t]*(?=\n)")
_WORDS = re.compile(r"[^\s!-/:-@\[-`{-~。，、；：！？…·—“”‘’「」『』（）《》【】]")
_MARKUP_NAMES, _MARKUP_SHARE, _MARKUP_LINES = 3, 0.2, 2


def _is_markup(text: str) -> bool:
    """Tell whether the tags of a text are what it is about: markup that was asked for, or spoken of.

    It is made of tags (of three names and more, a fifth of its characters and more; or on lines of their own, indented
    as a source is), or one of them shows something, or stands for itself. What pages leave around a text (`<div
    class="x"><p>…</p></div>`) has fewer names.
    """
    tags = [tag for tag in _TAG.finditer(text) if tag["name"].lower() in _NAMES]
    size = sum(tag.end() - tag.start() for tag in tags)
    names = {tag["name"].lower() for tag in tags}
    shown = any(not tag["close"] and tag["name"].lower() in _SHOWN for tag in tags)
    linked = any(tag["name"] in "aA" and _LINK.search(tag["attributes"]) for tag in tags)
    as_word = any(match.group()[2:-1].lower() in _NAMES - _names("br|hr") for match in _AS_WORD.finditer(text))
    made_of_tags = len(names) >= _MARKUP_NAMES or len(_INDENTED.findall(text)) >= _MARKUP_LINES
    return shown or linked or as_word or (made_of_tags and size >= _MARKUP_SHARE * len(text))


def _stays(text: str) -> bool:
    """Tell whether a text is about its markup, or would be left without a word."""
    return _is_markup(text) or not _WORDS.search(_without_tags(_without_hidden(text)[0])[0])


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
    """Leave a text alone that is about its tags (a form, a component, a picture, a sentence that names one) or has no
    word besides. For instructions, where no answer may be emptied."""

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
        for text, stays in zip(segments.texts, self._stay(segments), strict=True):
            if self.to == "markdown" and is_page(text):
                page, tags = _as_markdown(text), sum(tag["name"].lower() in _NAMES for tag in _TAG.finditer(text))
                texts.append(page)
                counts.append(max(1, tags))
                continue
            edited, removed = text, 0
            if self.tags and "<" in text and not stays:
                edited, hidden = _without_hidden(edited)
                edited, signs = _with_signs(edited)
                edited, tags = _without_tags(edited)
                removed = hidden + signs + tags
            decoded, entities = _ENTITY.subn(_text_of, edited) if self.entities and "&" in edited else (edited, 0)
            texts.append(decoded)
            counts.append(removed + (entities if decoded != edited else 0))
        return Edited(texts, counts)

    def _stay(self, segments: Segments) -> list[bool]:
        """Tell which segments keep their tags: all of a text or none, however code parts it."""
        stay = [False] * len(segments.texts)
        if self.markup_stays and self.tags:
            for start, end in texts_of(segments):
                # A letter stands for the code, or the formula, between two segments.
                stay[start:end] = [_stays("x".join(segments.texts[start:end]))] * (end - start)
        return stay
