"""Tokenizers of the great families, made on the spot: the same pre-tokenizers, prefixes and offsets, other words."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from transformers import PreTrainedTokenizerBase

SPECIAL = ["<pad>", "<s>", "</s>"]
TEXTS = [
    "Hello there, how are you? I am fine.\n\nUser: hi\n\nAssistant: yes, no\n\nHuman: \nAnswer: \n",
    "USER: Say bye ASSISTANT: Bye. ### Instruction:\nTranslate\n\n### Response:\nGood morning\n\n",
    "你好，世界！再见，朋友。早上好 [INST] 简短 [/INST] <<SYS>>\n<</SYS>>\n\n system user assistant\n",
] * 20


def bytes_only() -> PreTrainedTokenizerBase:
    """A token per byte, and nothing beside it but the special tokens."""
    return _byte_level(vocab_size=0)


def _byte_level(vocab_size: int) -> PreTrainedTokenizerBase:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    _train(tokenizer, vocab_size)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **_names())


def _train(tokenizer: Any, vocab_size: int) -> None:
    from tokenizers import pre_tokenizers, trainers

    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS if vocab_size else [], trainer)


def _names() -> dict[str, Any]:
    return {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "clean_up_tokenization_spaces": False}


@cache
def _learned(made: type) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges that a byte-level tokenizer class learns with its own pre-tokenizer."""
    tokenizer = made()._tokenizer
    _train(tokenizer, 450)
    return _vocabulary(tokenizer)


def _vocabulary(tokenizer: Any) -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def qwen2() -> PreTrainedTokenizerBase:
    """Byte-level BPE, line breaks cut off by the pre-tokenizer, no begin token."""
    from transformers import Qwen2Tokenizer

    vocab, merges = _learned(Qwen2Tokenizer)
    return Qwen2Tokenizer(vocab=vocab, merges=merges, unk_token=None, eos_token="</s>", pad_token="<pad>")


def gpt_neox() -> PreTrainedTokenizerBase:
    """Byte-level BPE whose offsets leave leading blanks out, one token for begin and end."""
    from tokenizers import processors
    from transformers import GPTNeoXTokenizer

    vocab, merges = _learned(GPTNeoXTokenizer)
    names = dict.fromkeys(("unk_token", "bos_token", "eos_token"), "</s>")
    tokenizer = GPTNeoXTokenizer(vocab=vocab, merges=merges, pad_token="<pad>", **names)
    tokenizer._tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=True)
    return tokenizer


def bloom() -> PreTrainedTokenizerBase:
    """Byte-level BPE with BLOOM's pattern: line breaks and blanks are words of their own."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    pattern = Regex(" ?[^(\\s|[.,!?…。，、।۔،])]+")
    words = pre_tokenizers.Split(pattern, behavior="isolated", invert=False)
    symbols = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, symbols])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=True, trim_offsets=False)
    _train(tokenizer, 450)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **_names())


def _sentencepiece() -> Any:
    """BPE over characters with byte fallback, trained as SentencePiece would."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    special = ["<unk>", "<s>", "</s>", "<pad>", *(f"<0x{byte:02X}>" for byte in range(256))]
    texts = [text.replace("\n", " ").replace("早", " ") for text in TEXTS]  # line breaks and 早 stay bytes
    trainer = trainers.BpeTrainer(vocab_size=650, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def llama() -> PreTrainedTokenizerBase:
    """A blank before the text, once; line breaks and unknown characters as bytes."""
    from transformers import LlamaTokenizer

    vocab, merges = _vocabulary(_sentencepiece())
    return LlamaTokenizer(vocab=vocab, merges=merges, pad_token="<pad>")


def llama_legacy() -> PreTrainedTokenizerBase:
    """As older Llama files say it: a blank before the text and after every special token."""
    from tokenizers import Tokenizer, decoders, normalizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer.from_str(_sentencepiece().to_str())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = None
    blanks, strip = decoders.Replace("▁", " "), decoders.Strip(" ", 1, 0)
    tokenizer.decoder = decoders.Sequence([blanks, decoders.ByteFallback(), decoders.Fuse(), strip])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", **_names())


FAMILIES = {"llama": llama, "llama_legacy": llama_legacy, "qwen2": qwen2, "gpt_neox": gpt_neox, "bloom": bloom}
