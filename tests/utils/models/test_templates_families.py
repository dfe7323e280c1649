"""The shipped templates on tokenizers of the great families: where the assistant speaks, a token begins."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.utils.models.test_templates_golden import GOLDEN, MESSAGES
from tests.utils.models.tokenizers import FAMILIES
from utils.data.records import Message
from utils.models.pieces import Pieces
from utils.models.preview import coloured
from utils.models.template_files import with_tokens
from utils.models.templates import ChatTemplate, Rendered

FAMILY = {name: make() for name, make in FAMILIES.items()}
BEGIN = {"qwen2": "", "gpt_neox": "</s>"}


@cache
def opened(family: str, name: str) -> ChatTemplate:
    tokenizer = FAMILIES[family]()
    with_tokens(tokenizer, name)
    return ChatTemplate(tokenizer, where=f"{family} {name}")


def custom(family: str, text: str) -> ChatTemplate:
    tokenizer = FAMILIES[family]()
    tokenizer.chat_template = text
    return ChatTemplate(tokenizer, where=family)


def joined(template: ChatTemplate, rendered: Rendered) -> tuple[str, str]:
    """The tokens of a single turn as the vocabulary spells them: those not trained, those trained."""
    spelled = template.tokenizer.convert_ids_to_tokens(rendered.ids)
    border = rendered.mask.index(1)
    assert rendered.mask == [0] * border + [1] * (len(spelled) - border)
    return "".join(spelled[:border]), "".join(spelled[border:])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("name", "case"), GOLDEN)
def test_text_and_spans(family, name, case):
    """Chinese, emoji and line breaks come back whole, on the right side of every border."""
    template = opened(family, name)
    rendered = template.conversation(MESSAGES[case])
    shown = coloured(template, rendered, colour=False).split("\n", 1)[1]
    expected = GOLDEN[name, case].replace("<s>", BEGIN.get(family, "<s>"))
    if family == "llama_legacy":  # a blank after every special token
        shown, expected = shown.replace(" ", ""), expected.replace(" ", "")
    assert shown == expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("name", "case"), GOLDEN)
def test_inference_sees_what_was_trained(family, name, case):
    template = opened(family, name)
    messages = MESSAGES[case]
    whole = template.conversation(messages)
    for place, message in enumerate(messages):
        if message.role == "assistant":
            prompt, answer = template.pair(messages[:place], [message])
            assert template.prompt(messages[:place]) == prompt
            assert whole.ids[: len(prompt) + len(answer)] == prompt + answer
            assert whole.mask[len(prompt) - 1 : len(prompt) + len(answer)] == [0] + [1] * len(answer)
            assert answer[-1] == template.tokenizer.eos_token_id


def test_llama_puts_a_blank_before_the_text_and_nowhere_else():
    template = opened("llama", "belle")
    rendered = template.conversation([Message("user", "yes"), Message("assistant", "yes 早🚀")])
    assert joined(template, rendered) == (
        "▁Human:▁<0x0A>yes<0x0A><0x0A>Assistant:▁<0x0A>",
        "yes▁<0xE6><0x97><0xA9><0xF0><0x9F><0x9A><0x80></s>",
    )


@pytest.mark.parametrize("family", ["llama", "llama_legacy"])
def test_llamas_blank_before_a_word_is_the_answers(family):
    template = opened(family, "llama-2")
    rendered = template.conversation([Message("user", "hi"), Message("assistant", "Bye")])
    begin = "<s>[INST]" if family == "llama" else "<s>▁[INST]"
    assert joined(template, rendered) == (f"{begin}▁hi▁[/INST]", "▁Bye▁</s>")
    first = rendered.ids[rendered.mask.index(1)]
    assert template.tokenizer.convert_ids_to_tokens(first) == "▁Bye"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_blank_before_the_border_stays_in_the_prompt(family):
    """`A: ` and `Bye`: the tokenizers would make ` Bye` of it, which no prompt that ends in a blank can lead to."""
    template = custom(
        family,
        "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] + ' ASSISTANT: ' }}{% else %}"
        "{% generation %}{{ m['content'] + eos_token }}{% endgeneration %}{% endif %}{% endfor %}",
    )
    rendered = template.conversation([Message("user", "hi"), Message("assistant", "Bye.")])
    assert joined(template, rendered)[1] == "Bye.</s>"
    prompt = template.tokenizer("hi ASSISTANT: ", add_special_tokens=False)["input_ids"]
    assert rendered.ids[: len(prompt)] == prompt
    assert rendered.mask[: len(prompt)] == [0] * len(prompt)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=30, deadline=None)
@given(
    words=st.lists(st.sampled_from(["Bye", " yes", "\n", "\n\n", " ", "你好", "早", "👩\u200d🚀", "\x02"]), max_size=9)
)
def test_every_piece_is_its_own_text(family, words):
    """Whatever is cut where: no text is lost, added or moved over a cut."""
    tokenizer = FAMILY[family]
    words = ["x", *words]
    text = "".join(words)
    cuts = [sum(map(len, words[:place])) for place in range(1, len(words))]
    ids, starts = Pieces(tokenizer)(text, cuts)
    assert tokenizer.decode(ids) == text
    assert starts == sorted(starts)
    for end in cuts:
        until = tokenizer.decode([token for token, start in zip(ids, starts, strict=True) if start < end])
        assert until == text[:end]
