"""Long conversations in rows of whole exchanges; lengths counted by hand, a token per byte.

In ChatML the begin token is 1, an exchange of one letter each way 22 (`<|im_start|>user↵a</s>↵` 9,
`<|im_start|>assistant↵b</s>` 13), the line break before the next 1, a system message of one letter 11.
"""

from __future__ import annotations

import pytest

from tests.utils.models.tokenizers import bytes_only
from utils.data.records import Message
from utils.models.template_files import with_tokens
from utils.models.templates import ChatTemplate, exchanges_of


def chatml() -> ChatTemplate:
    tokenizer = bytes_only()
    with_tokens(tokenizer, "chatml")
    return ChatTemplate(tokenizer)


def turns(*letters: str) -> list[Message]:
    """User and assistant in turn."""
    return [Message("assistant" if place % 2 else "user", letter) for place, letter in enumerate(letters)]


ABC = turns("a", "b", "c", "d", "e", "f")


@pytest.mark.parametrize(
    ("limit", "rows"),
    [
        (69, [ABC]),
        (68, [ABC[:4], ABC[4:]]),
        (46, [ABC[:4], ABC[4:]]),
        (45, [ABC[:2], ABC[2:4], ABC[4:]]),
        (23, [ABC[:2], ABC[2:4], ABC[4:]]),
    ],
)
def test_rows_hold_as_many_exchanges_as_fit(limit, rows):
    template = chatml()
    split = template.split(ABC, limit)
    assert split == [template.conversation(row) for row in rows]
    assert [len(row.ids) for row in split] == [23 * (len(row) // 2) for row in rows]


def test_every_row_begins_with_the_system_message():
    template = chatml()
    system = Message("system", "s")
    split = template.split([system, *ABC], 57)
    assert split == [template.conversation([system, *ABC[:4]]), template.conversation([system, *ABC[4:]])]
    assert [len(row.ids) for row in split] == [57, 34]
    assert [len(row.ids) for row in template.split([system, *ABC], 56)] == [34, 34, 34]


def test_an_exchange_that_is_too_long_is_a_row_of_its_own():
    """28 tokens more than 23: the caller sees that it is over the limit; what stands around it is not lost."""
    template = chatml()
    chat = turns("a", "b", "c", "d" * 29, "e", "f")
    split = template.split(chat, 40)
    assert split == [template.conversation(chat[:2]), template.conversation(chat[2:4]), template.conversation(chat[4:])]
    assert [len(row.ids) for row in split] == [23, 51, 23]


def test_nothing_said_is_lost_or_doubled():
    template = chatml()
    chat = turns("问", "答", "c", "deee", "f", "g", "h")
    said = [template.tokenizer.eos_token.join(["答", "deee", "g", ""])]
    for limit in (1, 30, 50, 60, 100):
        rows = template.split(chat, limit)
        trained = [token for row in rows for token, on in zip(row.ids, row.mask, strict=True) if on]
        assert [template.tokenizer.decode(trained)] == said


def test_several_turns_of_one_speaker_stay_together():
    chat = [Message(role, role[0]) for role in ("assistant", "user", "user", "assistant", "assistant", "user")]
    system, exchanges = exchanges_of([Message("system", "s"), *chat])
    assert [message.role for message in system] == ["system"]
    assert exchanges == [chat[:1], chat[1:5], chat[5:]]


def test_nobody_answers():
    assert chatml().split(turns("a"), 100) == []
    assert chatml().split([Message("system", "s")], 100) == []


def test_inputs_too():
    assert all(set(row.mask) == {1} for row in chatml().split(ABC, 46, train_on_inputs=True))
