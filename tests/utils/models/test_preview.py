"""The rendered text with what is trained on in colour, or between « and »."""

from __future__ import annotations

import re

from tests.utils.models.tokenizers import bytes_only
from utils.data.records import Message
from utils.models.preview import coloured
from utils.models.template_files import with_tokens
from utils.models.templates import ChatTemplate

CHAT = [Message("user", "你好"), Message("assistant", "早🚀")]


def template() -> ChatTemplate:
    tokenizer = bytes_only()
    with_tokens(tokenizer, "user-assistant")
    return ChatTemplate(tokenizer)


def test_colours():
    """Before the answer 25: begin, `User: `, 6 bytes, 2 line breaks, `Assistant:`; then a blank, 7 bytes, the end."""
    assert coloured(template(), template().conversation(CHAT), colour=True) == (
        "34 tokens, 9 trained\n\033[2m<s>User: 你好\n\nAssistant:\033[0m\033[1;32m 早🚀</s>\033[0m"
    )


def test_no_terminal_no_colours(monkeypatch, capsys):
    plain = "34 tokens, 9 trained\n<s>User: 你好\n\nAssistant:« 早🚀</s>»"
    assert coloured(template(), template().conversation(CHAT)) == plain
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\033[1;32m" in coloured(template(), template().conversation(CHAT))
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured(template(), template().conversation(CHAT)) == plain


def test_cut_inside_a_character():
    cut = template().conversation(CHAT).cut(31)  # three bytes of 早, two of four of the rocket
    assert re.fullmatch(
        "31 tokens, 6 trained\n<s>User: 你好\n\nAssistant:« 早\ufffd+»", coloured(template(), cut, colour=False)
    )


def test_a_terminal_does_not_obey_data():
    chat = [Message("user", "a\033[2Jb\r\x9bc\td"), CHAT[1]]
    shown = coloured(template(), template().conversation(chat), colour=False)
    assert "User: a\\x1b[2Jb\\x0d\\x9bc\td\n" in shown


def test_document_is_trained_on_whole():
    assert coloured(template(), template().document("文"), colour=False) == "5 tokens, 5 trained\n«<s>文</s>»"
