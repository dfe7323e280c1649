"""A model is found, loaded and asked as it was trained; its text comes piece by piece, in whole characters."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tests.utils.models.tokenizers import FAMILIES
from utils.data.records import Message
from utils.errors import UserError
from utils.models.generate import LocalModel, _Pieces
from utils.models.template_files import with_tokens
from utils.models.templates import ChatTemplate
from utils.models.use import Around, around, check_precision, find, stop_tokens, write_ends

TEXT = "你好，世界🚀！\nGood morning, 早上好。👩\u200d🚀 end  "
PROMPT = [Message("user", "什么?")]
NOTHING = Around()


def opened(family: str, template: str) -> ChatTemplate:
    tokenizer = FAMILIES[family]()
    with_tokens(tokenizer, template)
    return ChatTemplate(tokenizer, where=family)


def streamed(tokenizer, ids, put=NOTHING):
    said = []
    pieces = _Pieces(SimpleNamespace(tokenizer=tokenizer, around=put), said.append)
    pieces.put(torch.tensor([[1, 2, 3]]))  # the prompt
    for token in ids:
        pieces.put(torch.tensor([token]))
    return said, pieces


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stream_is_the_text_in_whole_characters(family):
    tokenizer = FAMILIES[family]()
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    said, pieces = streamed(tokenizer, [*ids, tokenizer.eos_token_id])
    expected = tokenizer.decode(ids, skip_special_tokens=True)  # in llama_legacy the bytes of characters are special
    pieces.finish(expected)
    assert "".join(said) == expected
    assert family == "llama_legacy" or expected == TEXT
    assert not any("\ufffd" in piece for piece in said)
    assert len(said) > 10, "piece by piece"


def test_a_broken_character_at_the_end_is_said_in_the_end():
    tokenizer = FAMILIES["qwen2"]()
    ids = tokenizer("a🚀", add_special_tokens=False)["input_ids"][:-1]
    said, pieces = streamed(tokenizer, ids)
    assert said == ["a"]
    pieces.finish(tokenizer.decode(ids))
    assert "".join(said) == tokenizer.decode(ids) != "a"


def test_what_the_template_puts_around_an_answer_is_not_said():
    tokenizer = FAMILIES["qwen2"]()
    ids = tokenizer(" yes\n\nno\n\n", add_special_tokens=False)["input_ids"]
    said, pieces = streamed(tokenizer, ids, Around(" ", "\n\n"))
    assert "".join(said) == "yes\n\nno"
    pieces.finish("yes\n\nno")
    assert "".join(said) == "yes\n\nno"


@pytest.mark.parametrize(
    ("name", "before", "after", "end"),
    [
        ("chatml", "", "", "</s>"),
        ("llama-2", " ", " ", "</s>"),
        ("dolly", "", "\n\n", "### End"),
        ("vicuna", " ", "", "</s>"),
    ],
)
def test_where_a_template_ends_an_answer(name, before, after, end):
    template = opened("qwen2", name)
    assert around(template) == Around(before, after, template.tokenizer.convert_tokens_to_ids(end))


def test_the_templates_end_token_stops_though_neither_tokenizer_nor_generation_config_names_it():
    tokenizer = FAMILIES["qwen2"]()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_end|>"]})
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    )
    template = ChatTemplate(tokenizer)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert around(template).end == end
    assert stop_tokens(template, 7, end) == sorted([tokenizer.eos_token_id, 7, end])
    assert stop_tokens(template, [7, 8], None) == sorted([tokenizer.eos_token_id, 7, 8])


def test_a_template_that_refuses_the_probe_has_no_end_of_its_own():
    tokenizer = FAMILIES["qwen2"]()
    tokenizer.chat_template = "{{ raise_exception('a system message first') }}"
    assert around(ChatTemplate(tokenizer)) == Around()


def test_streaming_gives_the_answer_that_answer_gives(tiny_model):
    model = LocalModel(tiny_model, batch_size=1)
    for options in ({"temperature": 0}, {"temperature": 1.0, "top_p": 0.9, "seed": 5}):
        said = []
        answer = model.stream(PROMPT, said.append, max_new_tokens=24, **options)
        assert answer == model.answer([PROMPT], max_new_tokens=24, **options)[0]
        assert "".join(said) == answer.text


def test_a_reader_who_has_enough(tiny_model):
    model = LocalModel(tiny_model)
    said = []
    whole = model.answer([PROMPT], max_new_tokens=24, temperature=0)[0]
    answer = model.stream(PROMPT, said.append, enough=lambda: len(said) >= 2, max_new_tokens=24, temperature=0)
    assert answer.finish_reason == "interrupted"
    assert 2 <= answer.tokens < 24
    assert "".join(said) == answer.text
    assert whole.text.startswith(answer.text.rstrip("\ufffd"))


def test_a_named_template_with_tokens_of_its_own_grows_the_embeddings(tiny_model):
    model = LocalModel(tiny_model, template="dolly")
    assert model.model.get_input_embeddings().weight.shape[0] == len(model.tokenizer)
    assert model.tokenizer.convert_tokens_to_ids("### End") in model.ends
    assert len(model.answer([PROMPT], max_new_tokens=3)) == 1


@pytest.mark.parametrize(("dtype", "name"), [("auto", "float32"), ("bf16", "bfloat16"), ("fp16", "float16")])
def test_precision(tiny_model, dtype, name):
    if torch.cuda.is_available():
        pytest.skip("of a machine without a GPU")
    model = LocalModel(tiny_model, dtype=dtype)
    assert str(model.model.dtype) == f"torch.{name}"
    assert model.answer([PROMPT], max_new_tokens=2)[0].tokens == 2


def test_8_bit_is_refused_without_a_gpu_and_without_its_package(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="8-bit weights need a CUDA GPU"):
        check_precision("auto", load_in_8bit=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="need the package bitsandbytes"):
        check_precision("auto", load_in_8bit=True)
    check_precision("bf16", load_in_8bit=False)


def test_a_model_without_a_generation_config_gets_one_that_ends(tiny_model, tmp_path):
    import json
    import shutil

    shutil.copytree(tiny_model, tmp_path / "m")
    (tmp_path / "m" / "generation_config.json").unlink()
    ends = write_ends(tmp_path / "m")
    written = json.loads((tmp_path / "m" / "generation_config.json").read_text())
    assert written["eos_token_id"] == ends == LocalModel(tiny_model).ends


def test_an_adapter_is_found_with_its_base(tiny_model, tmp_path):
    from utils.models.locate import load_model, resolve_model
    from utils.training.adapters import with_adapter
    from utils.training.config import PeftKeys

    made = with_adapter(load_model(tiny_model), PeftKeys(r=2), seed=1, new_tokens=[])
    made.save_pretrained(tmp_path / "adapter")
    place = find(tmp_path / "adapter")
    assert (place.tokenizer, place.weights, place.adapter) == (tiny_model, tiny_model, tmp_path / "adapter")
    answers = [LocalModel(path).answer([PROMPT], max_new_tokens=4) for path in (tmp_path / "adapter", tiny_model)]
    assert answers[0] == answers[1]  # a fresh LoRA changes nothing
    with pytest.raises(UserError, match=r"an adapter is here, and no model of its own.*posttrain sft merge"):
        resolve_model(tmp_path / "adapter")
    with pytest.raises(UserError, match="no such model directory"):
        find(tmp_path / "nowhere")
