"""One SFT run: records in, a model out. The training is TRL's; see the one call in `work`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postraining_sft.config import DataSource, SftConfig
from postraining_sft.data import SftRows, read_rows
from utils.errors import UserError
from utils.models.locate import load_model, resolve_model
from utils.models.templates import ChatTemplate, open_template
from utils.runs.stage import Stage, run_stage
from utils.training.decisions import count, publish_decisions
from utils.training.launch import rows_per_step, steps

if TYPE_CHECKING:
    from utils.runs.directory import Run

STAGE = Stage("sft", config="postraining_sft.config:SftConfig", module="postraining_sft.train")


def inputs(config: SftConfig) -> list[Path]:
    """Return the start model and the data."""
    return [config.model, *(source.path for source in config.data), *([config.eval] if config.eval else [])]


def dry_run(config: SftConfig) -> dict[str, Any]:
    """Return rows, tokens and steps."""
    rows = read_rows(config, config.data, open_template(config.model))
    return {
        **count(rows.decisions),
        "rows": len(rows.rows),
        "tokens": sum(len(row.ids) for row in rows.rows),
        "steps": steps(config, len(rows.rows)),
    }


def work(run: Run, config: SftConfig) -> dict[str, Any]:
    """Train, and commit the decision ledger and the model."""
    template = open_template(config.model)
    rows = read_rows(config, config.data, template)
    if not rows.rows:
        raise UserError(
            f"no row is left to train on: {count(rows.decisions)['by_reason']}", where=str(config.data[0].path)
        )
    rows.log(run.log)
    counts = publish_decisions(run, rows.decisions)
    if run.committed("model") is None:
        heldout = read_rows(config, [DataSource(path=config.eval)], template) if config.eval else None
        if heldout is not None and not heldout.rows:
            raise UserError("no held-out row is left to evaluate on", where=str(config.eval))
        train(run, config, template, rows, heldout)
    return counts


def train(run: Run, config: SftConfig, template: ChatTemplate, rows: SftRows, heldout: SftRows | None) -> None:
    """Train with TRL's SFTTrainer, from the newest complete checkpoint if there is one."""
    model = load_model(resolve_model(config.model))
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    from utils.training.arguments import training_arguments
    from utils.training.care import careful, publish_model, train_with_care, with_rows

    trainer = careful(SFTTrainer)(
        model=model,
        args=SFTConfig(
            **training_arguments(config, run.inner / "checkpoints", evaluate=heldout is not None),
            max_length=None,  # rows are cut or dropped by our rule, with a reason
        ),
        train_dataset=rows.dataset(),
        eval_dataset=heldout.dataset() if heldout else None,
        data_collator=with_rows(DataCollatorForLanguageModeling(pad_token_id=template.tokenizer.pad_token_id)),
        processing_class=template.tokenizer,
    )
    run.log.info("%d rows, %d per step, %d steps", len(rows.rows), rows_per_step(config), steps(config, len(rows.rows)))
    train_with_care(run, trainer, rows.ids)
    publish_model(run, trainer, {"rows": len(rows.rows), "steps": trainer.state.global_step})


def main() -> int:
    """Run the stage from the command line."""
    return run_stage(STAGE, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
