"""Answers to fixed prompts while a model trains: the likeliest tokens, so that only the weights make a difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from utils.data.records import Message
from utils.models.templates import ChatTemplate
from utils.runs.directory import Run
from utils.training.metrics import keep_steps

TOKENS = 96
"""Longest answer."""


class Answers(TrainerCallback):
    """Has the model answer before the first step and at every evaluation; without held-out rows, at every checkpoint.

    Every rank asks the same, in step with the others, because the weights may be spread over all of them.
    """

    def __init__(
        self, run: Run, trainer: Trainer, template: ChatTemplate, prompts: list[str], path: Path, stage: str | None
    ) -> None:
        self.run = run
        self.named = {"stage": stage} if stage else {}
        self.trainer: Any = trainer
        self.template = template
        self.prompts = prompts
        self.path = path

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Ask the start model; when a run is resumed, drop what is asked again."""
        if self.run.leader:
            keep_steps(self.path, state.global_step or -1)
        if state.global_step == 0:
            self._ask(0)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Ask."""
        self._ask(state.global_step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Ask, where nothing is evaluated; not at a checkpoint that a signal called for, which is in a hurry."""
        due = state.global_step % args.save_steps == 0 or state.global_step >= state.max_steps
        if self.trainer.eval_dataset is None and due:
            self._ask(state.global_step)

    def _ask(self, step: int) -> None:
        model = self.trainer.model
        model.eval()
        lines = [
            {"step": step, **self.named, "prompt": prompt, "answer": self._answer(model, prompt)}
            for prompt in self.prompts
        ]
        model.train()
        if self.run.leader:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def _answer(self, model: Any, prompt: str) -> str:
        tokenizer: Any = self.template.tokenizer
        ids = torch.tensor([self.template.prompt([Message("user", prompt)])], device=self.trainer.args.device)
        with torch.inference_mode(), self.trainer.compute_loss_context_manager():
            output = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=TOKENS,
                do_sample=False,
                use_cache=True,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        return str(tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True))
