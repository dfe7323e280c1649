"""Keys that every training run has, SFT and DPO alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from utils.runs.config import Name, RunConfig, StrictModel


class PeftKeys(StrictModel):
    """Train a small part beside frozen weights. Keys not named here go to PEFT's config of the method as they are."""

    model_config = ConfigDict(extra="allow")  # utils.training.adapters refuses those that PEFT does not know

    method: Literal["lora", "prefix", "p_tuning", "prompt"] = "lora"
    """`merge` (docs/TRAINING.md) makes a plain model of a LoRA; the other methods stay beside their model."""
    r: int = Field(default=16, ge=1)
    """LoRA: rank."""
    alpha: float = Field(default=16, gt=0)
    """LoRA: the update is scaled by alpha ÷ r."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """LoRA: on the update's input."""
    target_modules: list[str] | Literal["all-linear", "attention"] = "all-linear"
    """LoRA: names of layers; `attention` is the query and value projections, as the architecture calls them."""
    virtual_tokens: int = Field(default=16, ge=1)
    """Prefix, p-tuning, prompt: trained positions before every text."""


class DeepSpeedKeys(StrictModel):
    """Shard the training state over the processes with DeepSpeed: configs/deepspeed/ has what is handed over."""

    zero: Literal[0, 1, 2, 3] = 2
    """What is sharded: 0 nothing, 1 the optimizer's state, 2 gradients too, 3 weights too."""
    offload: Literal["none", "optimizer", "all"] = "none"
    """What lies in the host's memory: the optimizer's state, or (with zero 3) the weights too."""
    config: Path | None = None
    """A DeepSpeed JSON of your own instead; "auto" values are filled in."""

    @model_validator(mode="after")
    def _offload_has_something(self) -> DeepSpeedKeys:
        if self.offload == "all" and self.zero != 3:
            raise ValueError("offload: all needs zero: 3; weights are whole on every GPU below that")
        if self.offload == "optimizer" and self.zero == 0:
            raise ValueError("offload: optimizer needs zero: 1 or more")
        return self


class _Launch(StrictModel):
    """What every launcher has."""

    restarts: int = Field(default=0, ge=0)
    """How often a run that lost a process is started again from its newest complete checkpoint."""


class LocalLaunch(_Launch):
    """One process: this one."""

    kind: Literal["local"] = "local"


class TorchrunLaunch(_Launch):
    """Processes by torchrun, on this machine or on the hosts of a file, with a supervisor of ours around them."""

    kind: Literal["torchrun"]
    processes: int = Field(default=1, ge=1)
    """Per host; one for each GPU."""
    hostfile: Path | None = None
    """Lines of `host slots=N`, as DeepSpeed reads them; reached by ssh. The checkout and the output are shared."""
    port: int | None = Field(default=None, ge=1024, le=65535)
    """Of the rendezvous; by default a free one, another one at each restart."""
    interface: str | None = None
    """Network interface of NCCL and gloo."""


class RayLaunch(_Launch):
    """Ray Train: workers on a cluster that runs already, or on this machine."""

    kind: Literal["ray"]
    processes: int = Field(default=1, ge=1)
    """Workers in all."""
    address: str | None = None
    """`auto` or host:port; by default Ray starts here and stops with the run."""
    gpus: float = Field(default=0, ge=0)
    """Per worker."""
    cpus: int = Field(default=1, ge=1)
    """Per worker."""


class SlurmLaunch(_Launch):
    """A batch script, written and submitted; it requeues itself and resumes."""

    kind: Literal["slurm"]
    nodes: int = Field(default=1, ge=1)
    """Machines."""
    processes: int = Field(default=8, ge=1)
    """Per node; one for each GPU."""
    partition: Name | None = None
    """Slurm's partition."""
    account: Name | None = None
    """Slurm's account."""
    time: str = Field(default="24:00:00", pattern=r"^(\d+-)?\d{1,3}(:\d{2}){0,2}$")
    """Limit of one job."""
    lines: list[str] = Field(default_factory=list)
    """Further `#SBATCH` lines, without that word."""


Launch = Annotated[LocalLaunch | TorchrunLaunch | RayLaunch | SlurmLaunch, Field(discriminator="kind")]


class TrainingConfig(RunConfig):
    """How a model is trained, whatever the loss."""

    placement: ClassVar[frozenset[str]] = RunConfig.placement | {"launch"}

    model: Path
    """The model to start from: a Hugging Face directory or one of our finished runs."""

    template: str | None = None
    """A shipped chat template by name, or a .jinja file; by default the model's own. It is saved with the model."""

    peft: PeftKeys | None = None
    """Train an adapter; by default all weights."""

    deepspeed: DeepSpeedKeys | None = None
    """Shard with DeepSpeed; by default each process holds everything (DDP)."""

    launch: Launch = LocalLaunch()
    """Who starts the processes. It decides where, never what."""

    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    """`auto`: flash attention where its package and a GPU are there, else sdpa."""

    kernels: bool = True
    """Use Liger's fused kernels where its package and a GPU are there."""

    epochs: float = Field(default=1.0, gt=0)
    """Passes over the data; `max_steps` overrides it."""

    max_steps: int | None = Field(default=None, ge=1)
    """Optimizer steps in all, instead of epochs."""

    learning_rate: float = Field(gt=0)
    """Peak learning rate, reached after the warm-up."""

    scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    """How the learning rate falls after the warm-up."""

    warmup_ratio: float = Field(default=0.0, ge=0, lt=1)
    """Share of all steps in which the learning rate rises from 0."""

    warmup_steps: int | None = Field(default=None, ge=0)
    """The same in steps, instead of the share."""

    final_learning_rate: float = Field(default=0.0, ge=0, lt=1)
    """Cosine: where it ends, as a share of the peak."""

    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW weight decay, not applied to norms and biases."""

    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW moments."""

    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""

    batch_size: int = Field(default=8, ge=1)
    """Rows per process in one forward pass."""

    gradient_accumulation: int = Field(default=1, ge=1)
    """Forward passes per optimizer step."""

    max_length: int = Field(default=2048, ge=8)
    """Longest sequence in tokens."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """bf16 and fp16 are mixed precision: weights stay fp32."""

    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, a third more time."""

    save_steps: int = Field(default=100, ge=1)
    """Steps between checkpoints; with `eval`, also between evaluations."""

    keep_checkpoints: int = Field(default=3, ge=2)
    """Newest checkpoints to keep. Two at least: a broken one must have one before it."""

    logging_steps: int = Field(default=1, ge=1)
    """Steps between lines of `metrics.jsonl`."""

    keep_best: bool = False
    """With held-out rows: keep the checkpoint with the lowest loss on them as well, as `best`."""

    trackers: list[Literal["tensorboard", "mlflow"]] = Field(default_factory=list)
    """Where numbers go beside `metrics.jsonl`; a tracker that fails is warned of and left out, never waited for."""

    spike: float | None = Field(default=None, gt=1)
    """Stop when the loss exceeds this many times its running median, `bad_steps` times in a row."""

    bad_steps: int = Field(default=1, ge=1)
    """How many bad steps in a row (spikes; not finite ones are skipped till then) end the run."""

    hang_s: float | None = Field(default=1800, gt=0)
    """Seconds without a finished step after which the run ends with the stacks of its threads; null: never."""

    def files(self) -> list[Path]:
        """Return the user's own files, besides model and data, that decide what is trained: inputs of the run."""
        template = [Path(self.template)] if self.template and self.template.endswith(".jinja") else []
        own = [self.deepspeed.config] if self.deepspeed and self.deepspeed.config else []
        return [*template, *own]
