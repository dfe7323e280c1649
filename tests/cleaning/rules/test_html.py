"""HTML as text and as Markdown; the cases of tags alone are with all rules."""

from __future__ import annotations

import pytest

from tests.support.cleaning import clean

PAGE = (
    '<div class="markdown prose"><p>Here is <strong>an example</strong> of <code>a&lt;b</code>, see '
    '<a href="https://x.org/a?b=1&amp;c=2">the docs</a>:</p><pre><div class="bg-black"><div><span>python</span>'
    '<button>Copy code</button></div><div><code class="hljs language-python"><span>def</span> f(a, b):\n'
    "    <span>if</span> a &lt; b:\n        <span>return</span> 1\n\n\n    return None\n</code></div></div></pre>"
    "<ol><li><p>First step</p><ul><li>sub a</li><li>sub <em>b</em></li></ul></li><li>Second</li></ol>"
    "<table><thead><tr><th>Name</th><th>Value</th></tr></thead><tbody><tr><td>a|b</td><td>$1</td></tr></tbody></table>"
    "<h3>Title</h3><blockquote><p>Quote</p></blockquote><p>x &lt; y &amp; z<br>end</p></div>"
)
MARKDOWN = """Here is **an example** of `a<b`, see [the docs](https://x.org/a?b=1&c=2):

```python
def f(a, b):
    if a < b:
        return 1


    return None
```

1. First step
   - sub a
   - sub *b*
2. Second

| Name | Value |
| --- | --- |
| a\\|b | $1 |

### Title

> Quote

x < y & z
end"""

TO_MARKDOWN = {"rule": "html", "to": "markdown"}


def test_a_page_becomes_markdown_with_code_lists_and_tables() -> None:
    assert clean(PAGE, TO_MARKDOWN) == MARKDOWN
    assert clean(MARKDOWN, TO_MARKDOWN) == MARKDOWN


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<p>Hi</p>```html\n<p>x</p>\n```<p>there</p>", "Hi\n\n```html\n<p>x</p>\n```\n\nthere"),
        ("no <b>block</b> &lt; 3", "no block < 3"),
        ("- a\n- b\n\n<div>c</div>", "- a\n- b\n\nc"),
        ("<p>若a<b且c>d，List<int></p>", "若a<b且c>d，List<int>"),
        ("<ul>\n  <li>\n <p>a</p></li>\n <li>b</li>\n</ul>", "- a\n- b"),
        ("<p>one<script>x()</script></p><p>two <img src='a.png'></p>", "one\n\ntwo"),
        ("<p>open <b>never closed</p><p>next", "open never closed\n\nnext"),
    ],
)
def test_pieces_of_pages(before: str, after: str) -> None:
    assert clean(before, TO_MARKDOWN).strip() == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="https://x.com/a?b=1&amp;c=2">link</a>', "link"),
        ('<p>Go to <a href="http://x.com">x</a> or http://y.com/?a=1&amp;b=2</p>', "Go to x or http://y.com/?a=1&b=2"),
        ("<title>T</title><label for='a'>L</label>", "TL"),
        ("a</p>\n<p>b `c` d</p>", "a\nb `c` d"),
    ],
)
def test_addresses_in_tags_and_tags_around_code(before: str, after: str) -> None:
    assert clean(before, "html") == after


@pytest.mark.parametrize("text", ["usage: cp <source> <title>", "a<b and c>d", "x <input> y", "http://a.com/?a<b"])
def test_words_in_angle_brackets_stay(text: str) -> None:
    assert clean(text, "html") == text


def test_long_hostile_pages_are_quick() -> None:
    for piece in ("<p>", "</p><p>", "<ul><li>", "<b>", "<pre></p>", "&#", "<a href=", "<table><tr></p>"):
        clean(piece * 5_000 + "</p>", TO_MARKDOWN)


def test_tags_and_entities_apart() -> None:
    text = "<b>a</b> &lt; b"
    assert clean(text, {"rule": "html", "entities": False}) == "a &lt; b"
    assert clean(text, {"rule": "html", "tags": False}) == "<b>a</b> < b"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2<sup>10</sup> = 1024", "2^10 = 1024"),
        ("x<sup>2</sup>+y<sub>1</sub>=10<sup>-3</sup>", "x^2+y_1=10^-3"),
        ("a<sub>i+1</sub>", "a_(i+1)"),
    ],
)
def test_raised_and_lowered_signs_keep_their_meaning(before: str, after: str) -> None:
    assert clean(before, "html") == after


def test_a_text_made_of_tags_stays_on_request() -> None:
    rule = {"rule": "html", "markup_stays": True}
    form = '<form action="/login" method="post">\n<input type="text" name="u">\n<button>Go</button>\n</form>'
    jsx = "function App() {\n  return (\n    <div>\n      <h1>Hi</h1>\n      <p>Hello</p>\n    </div>\n  );\n}"
    assert clean(form, rule) == form and clean(jsx, rule) == jsx
    assert clean("<p>A long paragraph that somebody copied from a page.</p>", rule).startswith("A long")


ASKED = {"rule": "html", "markup_stays": True, "entities": False}


@pytest.mark.parametrize(
    "text",
    [
        '<img src="https://a.b/c.jpg" alt="Bird">',
        'ASCII art of a cat\n\n<img src="https://a.b/c.png" alt="a cat">',
        "<div></div>",
        "<br>",
        "<p>...</p>",
        "Use <strong> to make it bold.",
        "Wrap the text between <strong> and </strong>.",
        "“<h1>”是一级标题，<h2>是二级标题。",
        "Here it is:\n<pre><code>int x = 1;\n</code></pre>",
        "<tr>\n  <th>Title</th>\n  <td>Island</td>\n</tr>",
        'Read it here: <a href="https://a.b/c.pdf" rel="nofollow">Whitepaper</a>',
        '<div>\n  <div className="chat">\n    <div>\n      Hello\n    </div>\n  </div>\n</div>',
        "<ul>\n<li>`x`</li>\n</ul>\n<form>",
    ],
)
def test_an_answer_that_is_about_its_tags_stays(text: str) -> None:
    assert clean(text, ASKED) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1. <strong>Graduating:</strong> the opposite.", "1. Graduating: the opposite."),
        ("Dear Patient,<br>Thank you.", "Dear Patient,\nThank you."),
        ("side dishes!</s> \nWhat are some?", "side dishes! \nWhat are some?"),
        ("</blockquote>\n\n**Canjeero**", "\n\n**Canjeero**"),
        ("<p>👍 🥳</p>", "👍 🥳"),
        ("<p>答案是 <b>42</b>。</p>", "答案是 42。"),
    ],
)
def test_what_pages_left_in_an_answer_goes(before: str, after: str) -> None:
    assert clean(before, ASKED) == after
    assert clean(after, ASKED) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a<SCRIPT>x</Script >b<Style>y</STYLE>c", "abc"),
        ("2<SUP>n+1</sup> x<Sub>i</SUB>", "2^(n+1) x_i"),
        ("<b>a</b><b>c", "a<b>c"),
        ("<P>a</P>b<form>c<i>d", "a\nb\nc<i>d"),
        ("b<form>c", "b<form>c"),
    ],
)
def test_tags_in_capitals_and_without_a_partner(before: str, after: str) -> None:
    assert clean(before, "html") == after
