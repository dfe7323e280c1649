"""A page's HTML as Markdown: headings, lists, tables, code, emphasis, links; by hand on the parser of Python.

For conversations that were saved as HTML (ShareGPT, after the cleaning of Vicuna). Buttons, scripts and pictures of
the frame go; unknown tags keep their text.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import groupby

_DROPPED = frozenset({"script", "style", "button", "svg", "head", "noscript", "iframe", "select", "textarea"})
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "main",
        "nav",
        "ol",
        "p",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "ul",
    ]
)
_INLINE = frozenset(
    {
        "pre", "blockquote", "li", "tr", "td", "th", "a", "code", "span", "abbr", "big", "cite", "colgroup", "dfn",
        "font", "ins", "kbd", "label", "mark", "picture", "q", "samp", "small", "sub", "sup", "tt", "u", "var",
        "video", "audio", "body", "html", "caption", "time", "math",
    }
)  # fmt: skip
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_EMPHASIS = {"b": "**", "strong": "**", "i": "*", "em": "*", "del": "~~", "s": "~~", "strike": "~~"}
_VOID = frozenset({"br", "hr", "img", "input", "wbr", "col", "meta", "link", "embed"})
_KNOWN = _DROPPED | _BLOCKS | _VOID | set(_HEADINGS) | set(_EMPHASIS) | _INLINE
_BOOLEAN = frozenset({"hidden", "disabled", "checked", "selected", "controls", "async", "defer", "nowrap", "noshade"})
_DEEPEST = 12  # lists within lists are not indented further
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang)-([\w+#.-]+)")
_BLANKS = re.compile(r"[ \t\r\f]+")
# What stands above code in the frame of a chat: `<div><span>python</span><button>Copy code</button></div>`.
_FRAME = re.compile(r"\s*([\w+#.-]{0,20})\s*(?:Copy(?: code)?)?\s*", re.IGNORECASE)
_MARKER = re.compile(r"(?:^|\n) *(?:- |\d+\. )$")
_BLOCK_END = re.compile(r"</(?i:p|div|pre|ol|ul|li|table|h[1-6]|blockquote)\s*>")


def is_page(text: str) -> bool:
    """Tell whether a text is HTML in blocks: one with a few inline tags alone is Markdown, or plain."""
    return _BLOCK_END.search(text) is not None


def to_markdown(text: str) -> str:
    """Return HTML as Markdown. Line ends inside a paragraph stay: a page that is half Markdown needs them."""
    parser = _Converter()
    parser.feed(text)
    parser.close()
    return parser.result()


class _Verbatim(str):
    """Code, in which nothing is tidied."""


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"(?<![ \n])[ \t]+\n", "\n", text))


class _Table:
    def __init__(self) -> None:
        self.rows: list[list[str]] = []

    def markdown(self) -> str:
        rows = [row for row in self.rows if row]
        if not rows:
            return ""
        width = max(map(len, rows))
        lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows]
        return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


class _Converter(HTMLParser):
    """Collects pieces of text; what must be read as a whole (code, cells, links) gets a list of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[list[str]] = [[]]
        self._lists: list[int | None] = []  # number of the next item; None for bullets
        self._tables: list[_Table] = []
        self._links: list[str] = []
        self._dropped: list[str] = []
        self._pre = 0
        self._language = ""

    def result(self) -> str:
        while len(self._pieces) > 1:  # what was never closed
            unclosed = self._pieces.pop()
            self._pieces[-1] += unclosed
        runs = groupby(self._pieces[0], lambda piece: isinstance(piece, _Verbatim))
        return "".join("".join(run) if verbatim else _tidy("".join(run)) for verbatim, run in runs).strip("\n")

    def _add(self, text: str) -> None:
        self._pieces[-1].append(text)

    def _after_marker(self) -> bool:
        written = next((piece for piece in reversed(self._pieces[-1]) if piece), "")
        return _MARKER.search(written) is not None

    def _ends_line(self) -> bool:
        written = next((piece for piece in reversed(self._pieces[-1]) if piece), "\n")
        return written.endswith("\n")

    def _break(self, lines: int) -> None:
        """Start a new line, or paragraph, unless in a cell."""
        if len(self._pieces) > 1 and self._tables:
            self._add(" ")
        elif any(self._pieces[-1]):
            self._add("\n" * lines if not self._ends_line() else "\n" * (lines - 1))

    def handle_data(self, data: str) -> None:
        if self._dropped:
            return
        if self._pre:
            self._add(data)
            return
        if not data.strip() and "\n" in data:  # between two tags
            if not self._after_marker():
                self._break(min(2, data.count("\n")))
            return
        text = _BLANKS.sub(" ", data)
        self._add(text.lstrip(" ") if self._ends_line() else text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED:
            self._dropped.append(tag)
        elif self._dropped:
            return
        elif tag not in _KNOWN or any(value is None and name not in _BOOLEAN for name, value in attrs):
            self.handle_data(self.get_starttag_text() or "")  # `a<b and c>d`, `List<int>`
        elif tag == "pre":
            self._break(2)
            self._pieces.append([])
            self._pre, self._language = self._pre + 1, ""
        elif tag == "code" and self._pre:
            named, frame = _LANGUAGE.search(dict(attrs).get("class") or ""), _FRAME.fullmatch("".join(self._pieces[-1]))
            self._language = named[1] if named else frame[1] if frame else ""
            if frame:
                self._pieces[-1].clear()
        elif not self._pre:
            self._open(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag in _KNOWN and tag not in _VOID:
            self.handle_endtag(tag)

    def _open(self, tag: str, attributes: dict[str, str | None]) -> None:
        if tag in _HEADINGS:
            self._break(2)
            self._add(_HEADINGS[tag])
        elif tag in ("ul", "ol"):
            self._break(1 if self._lists else 2)
            start = attributes.get("start") or "1"
            self._lists.append(int(start) if tag == "ol" and start.isdecimal() else 1 if tag == "ol" else None)
        elif tag == "li":
            self._break(1)
            self._item()
        elif tag == "table":
            self._break(2)
            self._tables.append(_Table())
        elif tag == "tr" and self._tables:
            self._tables[-1].rows.append([])
        elif tag == "blockquote":
            self._break(2)
            self._pieces.append([])
        elif tag in ("td", "th", "a", "code") or tag in _EMPHASIS:
            self._links += [attributes.get("href") or ""] if tag == "a" else []
            self._pieces.append([])
        else:
            self._part(tag)

    def _part(self, tag: str) -> None:
        if tag == "br":
            self._add("\n" if not self._tables else " ")
        elif tag == "hr":
            self._break(2)
            self._add("---\n\n")
        elif tag in _BLOCKS:
            self._paragraph(tag)

    def _item(self) -> None:
        depth = min(max(0, len(self._lists) - 1), _DEEPEST)
        number = self._lists[-1] if self._lists else None
        self._add("   " * depth + ("- " if number is None else f"{number}. "))
        if number is not None:
            self._lists[-1] = number + 1

    def _paragraph(self, tag: str) -> None:
        """Part a block from what stands before it; the first one of a list's item goes on in its line."""
        if not self._after_marker():
            self._break(1 if self._lists or tag in ("dt", "dd") else 2)

    def handle_endtag(self, tag: str) -> None:
        if self._dropped:
            if tag == self._dropped[-1]:
                self._dropped.pop()
        elif tag not in _KNOWN:
            self.handle_data(f"</{tag}>")
        elif tag == "pre" and self._pre:
            self._close_code()
        elif not self._pre:
            self._close(tag)

    def _close_code(self) -> None:
        code, self._pre = "".join(self._pieces.pop()), self._pre - 1
        fence = "`" * max(3, 1 + max(map(len, re.findall(r"`{3,}", code)), default=2))
        self._add(_Verbatim(f"{fence}{self._language}\n{code.strip(chr(10))}\n{fence}"))
        self._break(2)

    def _close(self, tag: str) -> None:
        if tag in ("td", "th", "a", "code") or tag in _EMPHASIS:
            if len(self._pieces) > 1:
                self._close_inline(tag, "".join(self._pieces.pop()))
        elif tag == "blockquote" and len(self._pieces) > 1:
            quoted = "".join(self._pieces.pop()).strip()
            self._add("\n".join(f"> {line}".rstrip() for line in quoted.split("\n")))
            self._break(2)
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self._break(1 if self._lists else 2)
        elif tag == "table" and self._tables:
            table = self._tables.pop()
            self._add(table.markdown())
            self._break(2)
        elif tag in _HEADINGS:
            self._break(2)
        elif tag in _BLOCKS:
            self._break(1 if self._lists else 2)

    def _close_inline(self, tag: str, text: str) -> None:
        if tag in ("td", "th"):
            if self._tables and self._tables[-1].rows:
                self._tables[-1].rows[-1].append(text.strip().replace("|", "\\|"))
            return
        inner = text.strip()
        around = text.partition(inner) if inner else ("", "", text)
        if tag == "a":
            address = self._links.pop() if self._links else ""
            inner = f"[{inner}]({address})" if inner and address.startswith(("http", "mailto:")) else inner
        elif inner and tag == "code":
            inner = f"`{inner}`" if "`" not in inner else f"`` {inner} ``"
        elif inner:
            inner = f"{_EMPHASIS[tag]}{inner}{_EMPHASIS[tag]}"
        self._add(around[0] + inner + around[2])
