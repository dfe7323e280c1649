"""A tiny real model: a Llama from its config, a byte-level BPE tokenizer trained from the given text, a chat template.

Byte-level means that any text is representable: a character that the training text lacks becomes its UTF-8 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from utils.models.locate import work_offline

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BOS, EOS, PAD, TURN = "<|begin|>", "<|im_end|>", "<|pad|>", "<|im_start|>"
TEMPLATE = Path(__file__).parent / "templates" / "chatml.jinja"


def make_tiny_model(
    texts: Iterable[str],
    output: Path,
    *,
    hidden: int = 128,
    layers: int = 4,
    heads: int = 4,
    vocab_size: int = 2048,
    max_length: int = 2048,
    seed: int = 42,
) -> Path:
    """Write a randomly initialised model that plain transformers loads.

    The same texts and seed give the same bytes.

    Returns:
        `output`, now holding config, safetensors weights, tokenizer and chat template.

    """
    work_offline()
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    tokenizer = train_tokenizer(texts, vocab_size=vocab_size, max_length=max_length)
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=max_length,
        tie_word_embeddings=True,
        dtype="float32",
        **special,
    )
    with torch.random.fork_rng(devices=[]):  # the caller's random state is none of our business
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(**special)
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return output


def train_tokenizer(texts: Iterable[str], *, vocab_size: int, max_length: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer, with the special tokens that the ChatML template needs."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, BOS, EOS, TURN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        extra_special_tokens=[TURN],
        chat_template=TEMPLATE.read_text(encoding="utf-8"),
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )
