"""How fast a run is: tokens, FLOPs, memory, and what it waits for.

FLOPs of a model, by its weights in matrix products and its attention (Kaplan et al. 2020, arXiv:2001.08361; PaLM,
arXiv:2204.02311, appendix B; here attention counts its causal half only):

    forward              2·N per token                 + 2·L·w·Σ s²
    backward             2·N + 2·T per token           + 4·L·w·Σ s²

with N weights in matrix products (the output layer counts, looking up embeddings does not), T those of them that are
trained (T = N makes it 6·N per token), L layers, w the width of all heads of a layer together, s the tokens of each
row. Padding is no token. Recomputation by gradient checkpointing is another forward: MFU leaves it out, HFU counts it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

PEAKS = {
    "B200": 2250.0,
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "H800": 989.0,
    "H20": 148.0,
    "A100": 312.0,
    "A800": 312.0,
    "A30": 165.0,
    "A10G": 70.0,
    "A10": 125.0,
    "L40S": 362.0,
    "L40": 181.0,
    "L4": 121.0,
    "V100": 125.0,
    "T4": 65.0,
    "RTX 4090": 165.2,
    "RTX 3090": 71.0,
}
"""Peak TFLOPs of a device for dense 16-bit products with fp32 sums, from the makers' data sheets; by part of its name,
the longer name first."""

TIMED = frozenset(
    {
        "tokens_per_s", "tgs", "tflops", "tflops_recomputed", "mfu", "hfu", "memory_gb", "stall", "step_s",
    }
)  # fmt: skip
"""What depends on the clock and the machine: the same run gives other numbers each time."""


def peak_tflops(device: str, precision: str) -> float | None:
    """Return a device's peak; None when it is not in the table, or the run computes in fp32."""
    if precision == "fp32":
        return None
    words = f" {device} ".replace("-", " ")
    by_length = sorted(PEAKS, key=len, reverse=True)
    return next((PEAKS[name] for name in by_length if f" {name} " in words), None)


@dataclass(frozen=True, slots=True)
class Flops:
    """What a model computes for a token.

    Args:
        weights: in matrix products.
        trained: of these.
        layers: with attention.
        width: of all heads of a layer.
        recomputes: whether the backward pass runs the forward pass again.

    """

    weights: int
    trained: int
    layers: int
    width: int
    recomputes: bool = False

    def step(self, tokens: float, squares: float) -> float:
        """Return the FLOPs of one forward and backward pass, without recomputation.

        Args:
            tokens: in all rows.
            squares: Σ s² over the rows.

        """
        return tokens * (4 * self.weights + 2 * self.trained) + 6 * self.layers * self.width * squares

    def recomputed(self, tokens: float, squares: float) -> float:
        """Return the FLOPs of the passes that are run twice."""
        return tokens * 2 * self.weights + 2 * self.layers * self.width * squares if self.recomputes else 0.0


def flops_of(model: PreTrainedModel, *, recomputes: bool = False) -> Flops | None:
    """Measure a model, before it is wrapped; None for a mixture of experts, which does not use all of its weights."""
    config = model.config.get_text_config()
    if any(getattr(config, name, None) for name in ("num_experts", "num_local_experts", "n_routed_experts")):
        return None
    tied = bool(config.tie_word_embeddings)
    looked_up = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    if tied:
        looked_up.discard(id(model.get_input_embeddings().weight))  # the output layer is the same matrix
    sizes = [
        (getattr(weight, "ds_numel", weight.numel()), weight.requires_grad)
        for weight in model.parameters()
        if (len(getattr(weight, "ds_shape", weight.shape)) >= 2 and id(weight) not in looked_up)
    ]
    heads = config.num_attention_heads
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    trained = sum(size for size, on in sizes if on)
    return Flops(sum(size for size, _ in sizes), trained, config.num_hidden_layers, width, recomputes)


def row_sums(inputs: dict[str, Any]) -> torch.Tensor | None:
    """Return (tokens, Σ s², places) of a batch as (3,) fp64, on its device; None when it is no batch of tokens."""
    ids = inputs.get("input_ids")
    if ids is None:
        return None
    places = torch.tensor(float(ids.numel()), dtype=torch.float64, device=ids.device)
    if (mask := inputs.get("attention_mask")) is not None:
        lengths = mask.sum(-1).double()
        return torch.stack([lengths.sum(), (lengths**2).sum(), places])
    positions = inputs.get("position_ids")
    if positions is None:
        return torch.stack([places, places * ids.shape[-1], places])
    document = inputs.get("document")
    real = torch.ones_like(positions, dtype=torch.bool) if document is None else document >= 0
    # 0 + 1 + … + (s − 1) = s(s − 1)/2, so Σ s² comes from the sum of positions without looking for borders
    tokens, positions_sum = real.sum().double(), (positions * real).sum().double()
    return torch.stack([tokens, 2 * positions_sum + tokens, places])


class Meters(TrainerCallback):
    """Adds speeds to every line of the log. Evaluations, checkpoints and the log itself are not on the clock.

    Args:
        trainer: made `careful`, which counts and takes the time of waiting for data.
        flops: of the model; None: no FLOPs are told.
        precision: of the run, for the device's peak.

    """

    def __init__(self, trainer: Trainer, flops: Flops | None, precision: str) -> None:
        self.trainer: Any = trainer
        self.flops = flops
        on_gpu = torch.cuda.is_available()
        self.peak = peak_tflops(torch.cuda.get_device_name(), precision) if on_gpu else None
        self._reset()

    def _reset(self) -> None:
        self.trainer.row_sums = None
        self.trainer.waited_s = 0.0
        self.busy_s = 0.0
        self.steps = 0

    def carried(self) -> dict[str, Any]:
        """Return the time and the steps since the last line."""
        return {"busy_s": self.busy_s, "steps": self.steps}

    def carry_on(self, kept: dict[str, Any]) -> None:
        """Go on with them."""
        self.busy_s, self.steps = kept["busy_s"], kept["steps"]

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Forget what was before."""
        self._reset()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop the clock, which the trainer started before it asked for data."""
        if control.should_log and torch.cuda.is_available():
            torch.cuda.synchronize()
        self.busy_s += time.perf_counter() - self.trainer.began
        self.steps += 1

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Put the meters into the line of a training step; all ranks call it."""
        logs: dict[str, Any] = kwargs["logs"]
        if "loss" in logs and self.trainer.row_sums is not None and self.busy_s > 0:
            for name, value in self.read(args.device).items():
                logs.setdefault(name, value)
            self._reset()

    def read(self, device: torch.device) -> dict[str, float]:
        """Return the meters since the last line, over all ranks."""
        clock = torch.tensor([self.busy_s, self.trainer.waited_s, memory_gb()], dtype=torch.float64)
        sums = torch.cat([self.trainer.row_sums.to(device), clock.to(device)])
        ranks, peak_gb = 1, clock[2].item()
        if distributed.is_initialized() and (ranks := distributed.get_world_size()) > 1:
            most = sums[5:].clone()
            distributed.all_reduce(most, distributed.ReduceOp.MAX)
            distributed.all_reduce(sums)
            peak_gb = most.item()
        tokens, squares, places, busy, waited, _ = sums.tolist()
        return {**speeds(self.flops, self.peak, tokens, squares, busy, ranks),
                "padding": 1 - tokens / places, "stall": waited / busy, "memory_gb": peak_gb,
                "step_s": busy / ranks / self.steps}  # fmt: skip


def speeds(
    flops: Flops | None, peak: float | None, tokens: float, squares: float, busy_s: float, ranks: int
) -> dict[str, float]:
    """Return tokens per second, and FLOPs per second and process.

    Args:
        flops: of the model.
        peak: TFLOPs of one device.
        tokens: of all ranks.
        squares: Σ s² over the rows of all ranks.
        busy_s: seconds, added up over the ranks.
        ranks: how many.

    """
    found = {"tokens_per_s": tokens / busy_s * ranks, "tgs": tokens / busy_s}
    if flops is None:
        return found
    model = flops.step(tokens, squares) / busy_s / 1e12
    hardware = model + flops.recomputed(tokens, squares) / busy_s / 1e12
    found |= {"tflops": model, "tflops_recomputed": hardware}
    if peak is not None:
        found |= {"mfu": model / peak, "hfu": hardware / peak}
    return found


def memory_gb() -> float:
    """Return the most memory that this process ever held at once: the GPU's, or without one the host's; in GB."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
