"""How much memory a training run will take on each GPU, from published formulas and the model's own files.

States of the model: ZeRO (Rajbhandari et al. 2020, arXiv 1910.02054, section 3.1 and figure 1). Mixed precision with
Adam keeps for each parameter 2 bytes of weight, 2 of gradient and K = 12 of optimizer (fp32 weight, two moments); stage
1 shards the 12, stage 2 also the gradient, stage 3 also the weight. Offload: ZeRO-Offload (Ren et al. 2021).
Activations: Korthikanti et al. 2022 (arXiv 2205.05198), equation 2 and section 5.

What the formulas leave out (fragments, communication buffers, the CUDA context: 1–3 GiB together) comes on top.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.training.config import PeftKeys, TrainingConfig
from utils.training.launch import planned_processes

GIB = 1 << 30
_ATTENTION = ("q_proj", "v_proj", "query_key_value", "c_attn")
_NOT_LINEAR = ("embed", "wte", "wpe", "lm_head", "norm", "ln_")


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model decides its memory.

    Args:
        parameters: number of weights.
        largest: weights of the largest single tensor: ZeRO-3 holds it whole while it computes with it.
        linear: `name → (outputs, inputs)` of every linear layer.
        hidden: width.
        layers: number of blocks.
        heads: attention heads.
        vocabulary: rows of the output layer.

    """

    parameters: int
    largest: int
    linear: dict[str, tuple[int, int]]
    hidden: int
    layers: int
    heads: int
    vocabulary: int


def shape_of(model: Path) -> Shape:
    """Read a model directory's config and the headers of its safetensors files; no weight is loaded.

    Raises:
        UserError: a size that the formulas need is not in config.json.

    """
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    tensors = {name: shape for file in sorted(model.glob("*.safetensors")) for name, shape in _header(file).items()}
    sizes = {name: _product(shape) for name, shape in tensors.items()}

    def value(*names: str) -> int:
        for name in names:
            if isinstance(config.get(name), int):
                return int(config[name])
        raise UserError(f"config.json has none of {', '.join(names)}", where=str(model))

    linear = {
        name: (shape[0], shape[1])
        for name, shape in tensors.items()
        if len(shape) == 2 and not any(part in name for part in _NOT_LINEAR)
    }
    return Shape(
        parameters=sum(sizes.values()),
        largest=max(sizes.values()),
        linear=linear,
        hidden=value("hidden_size", "n_embd", "d_model"),
        layers=value("num_hidden_layers", "n_layer", "num_layers"),
        heads=value("num_attention_heads", "n_head", "num_heads"),
        vocabulary=value("vocab_size"),
    )


def _header(file: Path) -> dict[str, list[int]]:
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def _product(shape: list[int]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size


def adapter_parameters(peft: PeftKeys, shape: Shape) -> int:
    """Count what is trained beside frozen weights.

    LoRA adds r × (inputs + outputs) to a layer; prefix tuning a key and a value per layer, position and width; prompt
    tuning a vector per position; p-tuning that and an encoder of three square layers.
    """
    if peft.method == "lora":
        chosen = [sides for name, sides in shape.linear.items() if _targeted(name, peft.target_modules)]
        return sum(peft.r * (outputs + inputs) for outputs, inputs in chosen)
    vectors = peft.virtual_tokens * shape.hidden
    if peft.method == "prefix":
        return 2 * shape.layers * vectors
    return vectors + (3 * (shape.hidden**2 + shape.hidden) if peft.method == "p_tuning" else 0)


def _targeted(name: str, targets: list[str] | str) -> bool:
    if targets == "all-linear":
        return True
    wanted = _ATTENTION if targets == "attention" else targets
    return any(part in wanted for part in name.split("."))


def state_bytes(
    frozen: int, trained: int, *, zero: int | None, processes: int, offload: str, largest: int, mixed: bool
) -> dict[str, float]:
    """Return bytes per GPU, and per process in the host's memory, of weights, gradients and optimizer.

    Args:
        frozen: weights that are not trained (LoRA's base model).
        trained: weights that are.
        zero: DeepSpeed's stage; None without DeepSpeed, where trained weights stay fp32 with 16-bit copies by
            autocast, and frozen ones are loaded in 16 bits.
        processes: over how many GPUs is sharded.
        offload: `none`, `optimizer` or `all`.
        largest: weights of the largest tensor, whole on each GPU under stage 3.
        mixed: 16-bit weights and gradients.

    """
    if zero is None:
        copies = 2 * trained if mixed else 0
        buckets = 4 * trained if processes > 1 else 0  # DDP's own copy of the gradients
        weights, gradients = (2.0 if mixed else 4.0) * frozen + 4.0 * trained + copies, 4.0 * trained + buckets
        return {"weights": weights, "gradients": gradients, "optimizer": 8 * trained, "host": 0}
    each = 2 if mixed else 4
    weights = each * (frozen + trained) / (processes if zero == 3 else 1)
    gradients = each * trained / (processes if zero >= 2 else 1)
    optimizer: float = 12 * trained / (processes if zero >= 1 else 1)
    gathered = 2 * each * largest if zero == 3 else 0  # the tensor in work and its gradient
    host = 0.0
    if offload != "none":  # gradients follow the optimizer, as fp32
        host, optimizer = optimizer + 4 * trained / processes, 0
        gradients = 0 if zero >= 2 else gradients
    if offload == "all":
        host, weights = host + weights, 0
    return {"weights": weights + gathered, "gradients": gradients, "optimizer": optimizer, "host": host}


def activation_bytes(shape: Shape, *, rows: int, length: int, mixed: bool, checkpointing: bool, eager: bool) -> float:
    """Return bytes of activations of one forward pass, without the logits.

    A layer keeps s·b·h·(34 + 5·a·s/h) bytes at 16 bits; the second term is the matrix of attention scores, which flash
    attention and sdpa do not keep. With checkpointing each layer keeps its input, 2·s·b·h, and one layer is whole.
    """
    tokens = rows * length * shape.hidden
    layer = tokens * (34 + (5 * shape.heads * length / shape.hidden if eager else 0))
    kept = 2 * tokens * shape.layers + layer if checkpointing else layer * shape.layers
    return kept if mixed else 2 * kept


def logit_bytes(shape: Shape, *, rows: int, length: int, mixed: bool) -> int:
    """Return bytes of the logits, their fp32 copy for the loss, and its gradient; fused kernels avoid them."""
    return rows * length * shape.vocabulary * (2 + 4 + 4 if mixed else 4 + 4)


def memory(config: TrainingConfig, model: Path) -> dict[str, Any]:
    """Return the estimate for `--dry-run`: GiB per GPU as configured, and what each ZeRO stage would take."""
    shape = shape_of(model)
    trained = adapter_parameters(config.peft, shape) if config.peft else shape.parameters
    frozen = shape.parameters if config.peft else 0
    mixed, processes = config.precision != "fp32", planned_processes(config)
    work = {
        "activations": activation_bytes(
            shape,
            rows=config.batch_size,
            length=config.max_length,
            mixed=mixed,
            checkpointing=config.gradient_checkpointing,
            eager=config.attention == "eager",
        ),
        "logits": logit_bytes(shape, rows=config.batch_size, length=config.max_length, mixed=mixed),
    }

    def of(zero: int | None, offload: str) -> dict[str, float]:
        states = state_bytes(
            frozen, trained, zero=zero, processes=processes, offload=offload, largest=shape.largest, mixed=mixed
        )
        parts = {**states, **work}
        parts["total"] = sum(size for name, size in parts.items() if name != "host")
        return {name: round(size / GIB, 3) for name, size in parts.items()}

    keys = config.deepspeed
    return {
        "parameters": shape.parameters,
        "trained": trained,
        "per_gpu_gib": of(keys.zero, keys.offload) if keys else of(None, "none"),
        "by_zero_stage_gib": {str(zero): of(zero, "none")["total"] for zero in range(4)},
        "assumes": "rows of max_length; 1-3 GiB for buffers, fragments and the CUDA context come on top",
    }
