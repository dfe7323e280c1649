"""`posttrain sft merge`: a LoRA and its base become one plain model, which needs no PEFT."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.errors import StageFailedError, UserError
from utils.models.locate import folder_of
from utils.runs.commit import disk_full_is_retryable

if TYPE_CHECKING:
    import torch

DTYPES = ("auto", "fp32", "bf16", "fp16")
_PROBE = [[5, 17, 3, 11, 2, 29, 7, 13], [23, 2, 5]]
"""Token ids, any: over them the logits before and after are compared."""
_WORST = 1e-3
"""A difference of logits in fp32, as a share of the largest, that no rounding explains."""


def command(argv: list[str]) -> int:
    """Run `posttrain sft merge RUN --output DIR`."""
    parser = argparse.ArgumentParser(
        prog="posttrain sft merge", description="A LoRA and its base become one plain model.", allow_abbrev=False
    )
    parser.add_argument("run", type=Path, help="a finished LoRA run, or its adapter's directory")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new directory for the model")
    parser.add_argument("--dtype", choices=DTYPES, default="auto", help="of the weights; auto: as the base has them")
    parser.add_argument("--json", action="store_true", help="the outcome as JSON on stdout")
    options = parser.parse_args(argv)
    with new_folder(options.output) as folder:
        found = merge(options.run, folder, dtype=options.dtype)
    found = {"output": str(options.output), **found}
    said = "{output}: merged in fp32, saved in {dtype}; logits differ by at most {difference:.1e}\n".format_map(found)
    sys.stdout.write(json.dumps(found) + "\n" if options.json else said)
    return 0


def merge(source: Path, output: Path, *, dtype: str = "auto") -> dict[str, Any]:
    """Write a LoRA and its base as one plain model.

    The sum is made in fp32 and compared with the adapter beside its base before it is saved.

    Args:
        source: a finished run, or an adapter's directory.
        output: an empty directory.
        dtype: of the saved weights; `auto` is the base's own.

    Returns:
        `dtype`, and `difference`: the largest difference of the logits, in fp32.

    Raises:
        UserError: no adapter there, or one that is no change of weights.
        StageFailedError: the merged model computes something else.

    """
    import torch
    from transformers import AutoConfig

    from utils.models.locate import load_model, load_tokenizer
    from utils.models.template_files import fit_embeddings
    from utils.models.use import TORCH_NAMES, find, with_saved_adapter, write_ends
    from utils.training.adapters import merged

    adapter, place = require_lora(source), find(source)
    tokenizer = load_tokenizer(place.tokenizer)
    stored = AutoConfig.from_pretrained(place.weights, trust_remote_code=False, local_files_only=True).dtype
    kind = TORCH_NAMES.get(dtype) or str(stored or "float32").removeprefix("torch.")
    base = load_model(place.weights, dtype="float32").eval()
    fit_embeddings(base, tokenizer)
    beside = with_saved_adapter(base, adapter).eval()
    before = _logits(beside)
    plain: Any = merged(beside)
    difference = _apart(before, _logits(plain), source)
    plain.to(getattr(torch, kind)).save_pretrained(output)
    tokenizer.save_pretrained(output)
    write_ends(output)
    return {"dtype": kind, "difference": difference}


def require_lora(source: Path) -> Path:
    """Return the adapter's folder; refuse what cannot be merged, before any weight is read.

    Raises:
        UserError: with the reason.

    """
    from utils.training.adapters import is_adapter

    folder = folder_of(source)
    if not is_adapter(folder):
        mend = f"use {folder} as it is; posttrain sft export {source} --output DIR makes it ready to publish"
        raise UserError(
            "nothing to merge: all weights were trained, or this is no adapter", where=str(source), mend=mend
        )
    kind = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")).get("peft_type")
    if kind != "LORA":
        why = f"a {kind} adapter cannot be merged: it is trained positions before the text, no change of weights"
        raise UserError(why, where=str(source), mend="use it beside its base: posttrain chat and generate load both")
    return folder


def _logits(model: Any) -> list[torch.Tensor]:
    """Return the logits of each row of the probe, (tokens, vocabulary), in fp32."""
    import torch

    with torch.inference_mode():
        rows = [torch.tensor([row]) for row in _PROBE]
        return [model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].float() for ids in rows]


def _apart(before: Sequence[torch.Tensor], after: Sequence[torch.Tensor], source: Path) -> float:
    largest = max(float(logits.abs().max()) for logits in before)
    apart = max(float((one - other).abs().max()) for one, other in zip(before, after, strict=True))
    if not apart <= _WORST * max(1.0, largest):
        raise StageFailedError(f"the merged model's logits differ by {apart:.2e}", where=str(source))
    return apart


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Yield a folder beside `output` that takes its name when it is whole; what a killed attempt left goes first.

    Raises:
        UserError: there is something already.

    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError("there is something already", where=str(output), mend="name a new directory")
    folder = output.parent / f".{output.name}.unfinished"
    shutil.rmtree(folder, ignore_errors=True)
    with disk_full_is_retryable(output):
        try:
            folder.mkdir(parents=True)
            yield folder
            folder.replace(output)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
