"""A real SFTTrainer over a few mixed rows of a tiny model; as a program, one of several ranks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.support.tiny import chats, write_jsonl


def mixed(count: int = 12) -> list[dict[str, Any]]:
    """Conversations, and documents of other lengths."""
    documents = [{"messages": [{"role": "document", "content": "一个文档 of words. " * (n % 4 + 1)}]} for n in range(7)]
    return [*chats(count), *documents]


def sft_trainer(model: Path, output: Path, **keys: Any) -> tuple[Any, list[int]]:
    """Make the trainer.

    Returns:
        The trainer, and the row numbers that it trained on, filled as it goes.

    """
    from trl import SFTConfig, SFTTrainer

    from postraining_sft.batching import in_order
    from postraining_sft.config import DataSource, SftConfig
    from postraining_sft.data import read_rows
    from postraining_sft.losses import losses_apart
    from utils.models.locate import load_model, load_tokenizer
    from utils.models.templates import ChatTemplate
    from utils.training.arguments import training_arguments

    class Plain(SFTTrainer):
        """TRL's trainer without our care: it takes rows as they are, and notes their numbers."""

        def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
            return dataset

        def _prepare_inputs(self, inputs: dict[str, Any]) -> Any:
            seen = inputs.pop("row", None)
            if seen is not None and self.model.training:
                trained_on.extend(seen.tolist())
            return super()._prepare_inputs(inputs)

    trained_on: list[int] = []
    output.mkdir(parents=True, exist_ok=True)
    data = write_jsonl(output / "rows.jsonl", mixed())
    config = SftConfig.model_validate({"model": model, "output": output, "data": [data], **keys})
    template = ChatTemplate(load_tokenizer(model))
    rows = read_rows(config, [DataSource(path=data)], template)
    batches = rows.batches(template.tokenizer.pad_token_id)
    trainer = losses_apart(in_order(Plain, batches), config.document_weight)(
        model=load_model(model, attn_implementation="eager"),
        args=SFTConfig(
            **(training_arguments(config, output) | {"save_total_limit": None, "eval_strategy": "no"}), max_length=None
        ),
        train_dataset=batches.dataset(),
        eval_dataset=batches.dataset(sort=True),
        data_collator=batches.collate,
        processing_class=template.tokenizer,
    )
    trainer.rows = rows
    return trainer, trained_on


def main(model: str, output: str, keys: str) -> None:
    """Train as one rank, and leave the log and the weights of rank 0."""
    import torch

    trainer, _ = sft_trainer(
        Path(model), Path(output) / f"rank-{torch.distributed.is_initialized()}", **json.loads(keys)
    )
    trainer.train()
    trainer.evaluate()
    if trainer.is_world_process_zero():
        (Path(output) / "log.json").write_text(json.dumps(trainer.state.log_history), encoding="utf-8")
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(Path(output) / "model")


if __name__ == "__main__":
    main(*sys.argv[1:])
