"""Shipped templates by name, the tokens they need, and that both travel with the model."""

from __future__ import annotations

import shutil

import pytest

from tests.utils.models.tokenizers import bytes_only, gpt_neox
from utils.data.records import Message
from utils.errors import UserError
from utils.models.locate import load_model, load_tokenizer
from utils.models.template_files import FOLDER, fit_embeddings, needed_tokens, shipped, template_file, with_tokens
from utils.models.templates import ChatTemplate, open_template
from utils.models.tiny import make_tiny_model

CHAT = [Message("user", "Hi 你好"), Message("assistant", "好的 ok")]
DOLLY = ["### Instruction:", "### Response:\n", "### End"]


@pytest.mark.parametrize("name", shipped())
def test_every_name_opens_and_masks(tiny_model, name):
    template = open_template(tiny_model, name)
    rendered = template.conversation(CHAT)
    trained = [token for token, on in zip(rendered.ids, rendered.mask, strict=True) if on]
    assert trained[-1] == template.tokenizer.eos_token_id
    assert template.tokenizer.decode(trained, skip_special_tokens=True).strip() == "好的 ok"


def test_without_a_name_it_is_the_models_own(tiny_model):
    assert open_template(tiny_model).conversation(CHAT) == open_template(tiny_model, "qwen").conversation(CHAT)


@pytest.mark.parametrize(("name", "near"), [("vicunna", "vicuna"), ("Llama-3", "llama-3"), ("chat-ml", "chatml")])
def test_unknown_name(tiny_model, name, near):
    with pytest.raises(UserError, match=f"no chat template {name!r}.*nearest: {near}"):
        open_template(tiny_model, name)


def test_file_of_ones_own(tiny_model, tmp_path):
    file = tmp_path / "mine.jinja"
    with pytest.raises(UserError, match="no such chat template file"):
        open_template(tiny_model, str(file))
    shutil.copy(FOLDER / "vicuna.jinja", file)
    assert open_template(tiny_model, str(file)).conversation(CHAT) == open_template(tiny_model, "vicuna").conversation(
        CHAT
    )
    assert template_file(str(file)) == file


@pytest.mark.parametrize(
    "comment",
    ['{"tokens": "<|a|>"}', '{"tokens": [""]}', '{"token": ["<|a|>"]}', "tokens", '["<|a|>"]', '{"tokens": [1]}'],
)
def test_broken_comment(tmp_path, comment):
    file = tmp_path / "mine.jinja"
    file.write_text(f"{{#- posttrain: {comment} -#}}hi")
    with pytest.raises(UserError, match="the template's comment is not as it should be"):
        with_tokens(bytes_only(), str(file))


def test_tokens_are_added_once_and_old_ids_stay():
    tokenizer = bytes_only()
    before = dict(tokenizer.get_vocab())
    text = (FOLDER / "dolly.jinja").read_text()
    assert needed_tokens(tokenizer, text) == DOLLY
    assert with_tokens(tokenizer, "dolly") == 3
    assert needed_tokens(tokenizer, text) == []
    assert with_tokens(tokenizer, "dolly") == 0
    assert {token: place for token, place in tokenizer.get_vocab().items() if token in before} == before
    assert tokenizer.convert_tokens_to_ids(DOLLY) == [len(before), len(before) + 1, len(before) + 2]


def test_own_template_whose_tokens_are_lacking_is_refused_by_their_names(tmp_path):
    make_tiny_model([], tmp_path, hidden=16, layers=1, heads=2, vocab_size=300)
    shutil.copy(FOLDER / "dolly.jinja", tmp_path / "chat_template.jinja")
    with pytest.raises(UserError, match=r"lacks: '### Instruction:', '### Response:\\n', '### End'.*name the template"):
        open_template(tmp_path)


def test_template_and_tokens_travel_with_the_model(tiny_model, tmp_path):
    template = open_template(tiny_model, "dolly")
    model = load_model(tiny_model)
    old = model.get_input_embeddings().weight.detach().clone()
    assert fit_embeddings(model, template.tokenizer) == 3
    assert fit_embeddings(model, template.tokenizer) == 0
    new = model.get_input_embeddings().weight
    assert new[: len(old)].equal(old)
    assert new[-1].allclose(old.mean(dim=0))
    model.save_pretrained(tmp_path)
    template.tokenizer.save_pretrained(tmp_path)
    assert (tmp_path / "chat_template.jinja").read_text() == (FOLDER / "dolly.jinja").read_text()
    again = open_template(tmp_path)
    assert again.conversation(CHAT) == template.conversation(CHAT)
    assert again.tokenizer.convert_tokens_to_ids(DOLLY) == [len(old), len(old) + 1, len(old) + 2]
    assert len(load_model(tmp_path).get_input_embeddings().weight) == len(again.tokenizer)


def test_one_token_for_begin_and_end():
    tokenizer = gpt_neox()
    with_tokens(tokenizer, "llama-3")
    ChatTemplate(tokenizer).require_mask()


def test_turn_that_ends_where_the_model_does_not_stop(tiny_model, tmp_path):
    own = (
        (FOLDER / "chatml.jinja")
        .read_text()
        .replace("message['content'] + eos_token", "message['content'] + '<|pad|>'")
    )
    file = tmp_path / "mine.jinja"
    file.write_text(own)
    with pytest.raises(UserError, match=r"ends with '<\|pad\|>', at which the model does not stop"):
        open_template(tiny_model, str(file))
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = own
    ChatTemplate(tokenizer).require_mask(ends=[tokenizer.pad_token_id])


def test_a_template_file_that_is_no_utf8_is_refused(tmp_path):
    file = tmp_path / "mine.jinja"
    file.write_bytes("{# café #}".encode("latin-1"))
    with pytest.raises(UserError, match=r"mine\.jinja: not a readable chat template"):
        with_tokens(bytes_only(), str(file))
