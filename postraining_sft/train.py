"""One SFT run: records in, a model out. The training is TRL's; see the one call in `train`."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postraining_sft.config import DataSource, SftConfig
from postraining_sft.data import SftRows, read_rows
from postraining_sft.ledger import publish_ledger
from postraining_sft.stages import Training, summed, trainings
from utils.errors import UserError
from utils.models.locate import load_model, load_tokenizer, resolve_model
from utils.models.template_files import fit_embeddings
from utils.models.templates import ChatTemplate, open_template
from utils.runs.stage import Stage, run_stage
from utils.training.launch import rows_per_step, steps

if TYPE_CHECKING:
    from transformers import PreTrainedModel, TrainingArguments

    from utils.runs.directory import Run
    from utils.training.meters import Flops

STAGE = Stage("sft", config="postraining_sft.config:SftConfig", module="postraining_sft.train")


def inputs(config: SftConfig) -> list[Path]:
    """Return the start model, the data, and the user's own template and DeepSpeed file."""
    sources = [source for training in trainings(config) for source in training.config.data]
    heldout = [config.eval] if config.eval else []
    return [config.model, *(source.path for source in sources), *heldout, *config.files()]


def check(config: SftConfig) -> None:
    """Refuse what this machine, this model or PEFT cannot do, before any row is read.

    Raises:
        UserError: naming the key.

    """
    from utils.training.arguments import check_keys

    check_keys(config, config.eval)
    if config.peft:
        from utils.training.adapters import peft_config

        described = json.loads((resolve_model(config.model) / "config.json").read_text(encoding="utf-8"))
        peft_config(config.peft, described["model_type"])
    if config.deepspeed:
        from utils.training.sharding import stage_of

        stage_of(config)


def dry_run(config: SftConfig) -> dict[str, Any]:
    """Return rows, tokens and steps."""
    check(config)
    template = open_template(config.model, config.template)
    told: list[dict[str, Any]] = []
    counts = []
    for training in trainings(config):
        rows = read_rows(training.config, training.config.data, template)
        sequences = len(rows.batches(0))
        sizes = {"rows": len(rows.rows), "tokens": rows.rows.tokens, "sequences": sequences}
        told.append({"stage": training.name, **sizes, "steps": steps(training.config, sequences)})
        counts.append(rows.counts)
    whole = {key: sum(one[key] for one in told) for key in ("rows", "tokens", "sequences", "steps")}
    return {**summed(counts), **whole, **({"stages": told} if config.stages else {})}


def work(run: Run, config: SftConfig) -> dict[str, Any]:
    """Train, and commit the decision ledger and the model."""
    check(config)
    template = open_template(config.model, config.template)
    wanted = trainings(config)
    rows = [_read(run, one, template) for one in wanted]
    counts = summed([one.counts for one in rows])
    publish_ledger(run, [one.folder for one in rows], counts)
    heldout = read_rows(config, [DataSource(path=config.eval)], template, run=run, name="eval") if config.eval else None
    if heldout is not None and not len(heldout.rows):
        raise UserError("no held-out row is left to evaluate on", where=str(config.eval))
    start = None
    for training, of_training in zip(wanted, rows, strict=True):
        if run.committed(training.unit) is None:
            train(run, training, template, of_training, heldout, start)
        start = run.path / training.into
    return counts


def _read(run: Run, training: Training, template: ChatTemplate) -> SftRows:
    rows = read_rows(training.config, training.config.data, template, run=run, name=training.rows)
    if not len(rows.rows):
        what = f"no row is left to train on: {rows.counts['by_reason']}"
        mend = "rows need an assistant's turn, and no more tokens than max_length; posttrain sft --preview 3 shows rows"
        raise UserError(what, where=str(training.config.data[0].path), mend=mend)
    rows.log(run.log)
    return rows


def train(
    run: Run,
    training: Training,
    template: ChatTemplate,
    rows: SftRows,
    heldout: SftRows | None,
    start: Path | None = None,
) -> None:
    """Train, from the newest complete checkpoint if there is one, and commit the model.

    Args:
        run: the run.
        training: which of its trainings.
        template: of the model.
        rows: to train on.
        heldout: to evaluate on.
        start: model, or adapter, of the stage before.

    """
    from postraining_sft.samples import Answers
    from utils.training.care import publish_model, train_with_care
    from utils.training.sharding import forget

    config, folder = training.config, training.folder(run)
    trainer, flops = make_trainer(training, folder, template, rows, heldout, start)
    sequences = len(trainer.train_dataset)
    name = f"stage {training.name}: " if training.name else ""
    said = "%s%d rows in %d sequences, %d per step, %d steps"
    run.log.info(said, name, len(rows.rows), sequences, rows_per_step(config), steps(config, sequences))
    path = folder / "samples.jsonl"
    answers = [Answers(run, trainer, template, config.samples, path, training.name)] if config.samples else []
    train_with_care(run, trainer, rows.ids, folder=folder, stage=training.name, flops=flops, more=answers)
    publish_model(
        run,
        trainer,
        {"rows": len(rows.rows), "steps": trainer.state.global_step},
        unit=training.unit,
        into=training.into,
        folders=training.told(run),
    )
    del trainer, answers
    gc.collect()
    forget()


def make_trainer(
    training: Training,
    folder: Path,
    template: ChatTemplate,
    rows: SftRows,
    heldout: SftRows | None,
    start: Path | None,
) -> tuple[Any, Flops | None]:
    """Return TRL's SFTTrainer with our rows in our order, and what its model computes; arguments as in `train`."""
    from trl import SFTConfig, SFTTrainer

    from postraining_sft.batching import in_order
    from postraining_sft.losses import losses_apart
    from postraining_sft.packing import require_packing
    from utils.training.arguments import attention_of, training_arguments
    from utils.training.meters import flops_of
    from utils.training.rows import careful

    config = training.config
    args = SFTConfig(
        **training_arguments(config, folder / "checkpoints", evaluate=heldout is not None),
        max_length=None,  # rows are cut or dropped by our rule, with a reason
    )  # before the model: it decides whether weights are sharded as they are read
    model = open_model(config, template, args, start)
    attention = attention_of(config)
    pad, flat = template.tokenizer.pad_token_id, attention.startswith("flash")
    batches = rows.batches(pad, flat=flat)
    kind = in_order(losses_apart(careful(SFTTrainer), config.document_weight), batches)
    flops = flops_of(model, recomputes=config.gradient_checkpointing)
    trainer = kind(
        model=model,
        args=args,
        train_dataset=batches.dataset(),
        eval_dataset=heldout.batches(pad, flat=flat).dataset(sort=True) if heldout else None,
        data_collator=batches.collate,
        processing_class=template.tokenizer,
    )
    if config.batching == "packed":
        require_packing(model, attention)  # which is on its device now
    return trainer, flops


def open_model(
    config: SftConfig, template: ChatTemplate, args: TrainingArguments, start: Path | None
) -> PreTrainedModel:
    """Load what is trained: the start model, or the model or adapter of the stage before.

    Args:
        config: of the training.
        template: whose tokenizer may have more tokens than the start model has.
        args: made already; with ZeRO-3 the weights are sharded as they are read.
        start: of the stage before.

    """
    from utils.training.adapters import load_adapter, with_adapter
    from utils.training.arguments import attention_of
    from utils.training.sharding import whole_weights

    base = resolve_model(config.model)
    before = set(load_tokenizer(base).get_vocab().values())
    new_tokens = sorted(set(template.tokenizer.get_vocab().values()) - before)
    half = {"bf16": "bfloat16", "fp16": "float16"}.get(config.precision, "float32")
    dtype = half if config.peft else "float32"  # frozen weights need no more
    read = base if start is None or config.peft else start
    with whole_weights(args, needed=bool(new_tokens)):
        model = load_model(read, attn_implementation=attention_of(config), dtype=dtype)
        if new_tokens:
            fit_embeddings(model, template.tokenizer)
        if config.peft and start is None:
            model = with_adapter(model, config.peft, seed=config.seed, new_tokens=new_tokens)  # type: ignore[assignment]
        elif config.peft and start is not None:
            model = load_adapter(model, start, trainable=True)  # type: ignore[assignment]
    return model


def report(run: Run, config: SftConfig, manifest: dict[str, Any]) -> None:
    """Draw report.html."""
    from postraining_sft.report import draw

    draw(run, config, manifest)


def main() -> int:
    """Run the stage from the command line."""
    return run_stage(STAGE, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
