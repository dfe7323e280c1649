"""One DPO run: preference pairs in, a model out. The training is TRL's; see the one call in `train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postraining_dpo.config import DpoConfig
from postraining_dpo.data import DpoRows, read_rows
from utils.errors import UserError
from utils.models.locate import load_model, resolve_model
from utils.models.template_files import fit_embeddings
from utils.models.templates import ChatTemplate, open_template
from utils.runs.stage import Stage, run_stage
from utils.training.decisions import count, publish_decisions
from utils.training.launch import rows_per_step, steps

if TYPE_CHECKING:
    from utils.runs.directory import Run

STAGE = Stage("dpo", config="postraining_dpo.config:DpoConfig", module="postraining_dpo.train")


def inputs(config: DpoConfig) -> list[Path]:
    """Return the start model, the reference, the pairs, and the user's own template and DeepSpeed file."""
    extra = [path for path in (config.reference, config.eval) if path]
    return [config.model, *config.pairs, *extra, *config.files()]


def check(config: DpoConfig) -> None:
    """Refuse what this machine, this model or DPO cannot do, before any pair is read.

    Raises:
        UserError: naming the key.

    """
    from utils.training.arguments import check_keys

    if config.peft:
        raise UserError("DPO trains all weights only", where="peft", mend="leave peft out")
    check_keys(config, config.eval)


def dry_run(config: DpoConfig) -> dict[str, Any]:
    """Return pairs, tokens and steps."""
    check(config)
    rows = read_rows(config, config.pairs, open_template(config.model, config.template))
    tokens = sum(number for (_, what), number in rows.per_source.items() if what == "tokens")
    return {
        **count(rows.decisions),
        "pairs": len(rows.pairs),
        "tokens": tokens,
        "steps": steps(config, len(rows.pairs)),
    }


def work(run: Run, config: DpoConfig) -> dict[str, Any]:
    """Train, and commit the decision ledger and the model."""
    check(config)
    template = open_template(config.model, config.template)
    rows = read_rows(config, config.pairs, template)
    if not rows.pairs:
        raise UserError(
            f"no pair is left to train on: {count(rows.decisions)['by_reason']}", where=str(config.pairs[0])
        )
    rows.log(run.log)
    counts = publish_decisions(run, rows.decisions)
    if run.committed("model") is None:
        heldout = read_rows(config, [config.eval], template) if config.eval else None
        if heldout is not None and not heldout.pairs:
            raise UserError("no held-out pair is left to evaluate on", where=str(config.eval))
        train(run, config, template, rows, heldout)
    return counts


def train(run: Run, config: DpoConfig, template: ChatTemplate, rows: DpoRows, heldout: DpoRows | None) -> None:
    """Train with TRL's DPOTrainer, from the newest complete checkpoint if there is one."""
    from trl import DPOConfig, DPOTrainer
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    from utils.training.arguments import attention_of, training_arguments
    from utils.training.care import publish_model, train_with_care
    from utils.training.rows import careful, with_rows
    from utils.training.sharding import whole_weights

    args = DPOConfig(
        **training_arguments(config, run.inner / "checkpoints", evaluate=heldout is not None),
        beta=config.beta,
        loss_type=[config.loss],
        label_smoothing=config.label_smoothing,
        max_length=None,  # over-long pairs are dropped by our rule, with a reason
    )  # before the models: it decides whether weights are sharded as they are read
    attention = attention_of(config)
    with whole_weights(args, needed=bool(config.template)):  # which may have new tokens
        policy = load_model(resolve_model(config.model), attn_implementation=attention)
        reference = load_model(resolve_model(config.reference or config.model), attn_implementation=attention)
        for model in (policy, reference):
            fit_embeddings(model, template.tokenizer)
    trainer = careful(DPOTrainer)(
        model=policy,
        ref_model=reference,
        args=args,
        train_dataset=rows.dataset(),
        eval_dataset=heldout.dataset() if heldout else None,
        data_collator=with_rows(DataCollatorForPreference(pad_token_id=template.tokenizer.pad_token_id)),
        processing_class=template.tokenizer,
    )
    run.log.info(
        "%d pairs, %d per step, %d steps", len(rows.pairs), rows_per_step(config), steps(config, len(rows.pairs))
    )
    train_with_care(run, trainer, rows.ids)
    publish_model(run, trainer, {"pairs": len(rows.pairs), "steps": trainer.state.global_step})


def main() -> int:
    """Run the stage from the command line."""
    return run_stage(STAGE, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
