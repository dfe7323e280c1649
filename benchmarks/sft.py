"""Tokens per second of SFT: ours and TRL's SFTTrainer used plainly, same model, rows and machine, by turns.

    python -m benchmarks.sft [--case long-rows mixed-short-rows] [--rows N] [--rounds 3] [--write]

A case is a model (random weights, made on the spot) and rows of a shape. Both trainers see every row once, with the
same rows per step, precision and chat template, loss on the answers only. Timed is from the end of the second step to
the end of the last one; counted are tokens that are no padding. TRL plainly is its default: rows in any order, padded
to the longest of a batch; its own packing stands beside it. `benchmarks.gpu_sft` has the cases for a GPU.
`--write`: into docs/BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import posttrain_root  # noqa: F401  first: puts our folder before a foreign utils/
from benchmarks.measure import ROOT, table, write_section

_WORDS = ("water", "number", "people", "house", "table", "answer", "simple", "river", "morning", "because", "under")
_HAN = "请介绍一下北京的历史和文化如何学习编程语言写出三个健康建议计算面积翻译这句话总结全文"


@dataclass(frozen=True, slots=True)
class Case:
    """A model and rows.

    Args:
        name: of the case.
        hidden, layers, heads, kv_heads, intermediate, vocab: of the Llama.
        length: `max_length`, in tokens.
        median: tokens of a row; lengths are lognormal around it, or all the same with `spread` 0.
        spread: σ of the logarithm.
        rows: of the data.
        batch: rows of a forward pass.
        batching: ours.
        lora: train a LoRA on all linear layers.
        precision: of both.
        checkpointing: recompute activations.

    """

    name: str
    hidden: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 4
    intermediate: int = 1024
    vocab: int = 4096
    length: int = 512
    median: int = 512
    spread: float = 0.0
    rows: int = 160
    batch: int = 4
    batching: str = "packed"
    lora: bool = False
    precision: str = "fp32"
    checkpointing: bool = False


CASES = (
    Case("long-rows", rows=96),
    Case("mixed-short-rows", median=80, spread=0.8, rows=800, batch=8),
    Case("mixed-short-rows-by-length", median=80, spread=0.8, rows=800, batch=8, batching="by_length"),
)


def chats(case: Case, lengths: Sequence[int], seed: int = 5) -> Iterator[dict[str, Any]]:
    """Yield conversations of one exchange; a token is a word or a character, nearly."""
    dice = random.Random(seed)
    for number, length in enumerate(lengths):
        words = dice.choices(_WORDS if number % 2 else _HAN, k=max(4, length - 12))
        text = (" " if number % 2 else "").join(words)
        cut = len(text) // 4
        messages = [{"role": "user", "content": text[:cut]}, {"role": "assistant", "content": text[cut:]}]
        yield {"messages": messages}


def lengths_of(case: Case, seed: int = 5) -> list[int]:
    """Return the wanted tokens of each row."""
    dice = random.Random(seed)
    drawn = (dice.lognormvariate(0, case.spread) * case.median for _ in range(case.rows))
    return [max(16, min(round(length), case.length - 16)) for length in drawn]


def make(case: Case, folder: Path) -> None:
    """Write the model and the rows into a folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from utils.models.tiny import make_tiny_model

    rows = list(chats(case, lengths_of(case)))
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    texts = [" ".join(_WORDS), *(_HAN[at : at + 2] for at in range(len(_HAN)))]
    model = make_tiny_model(texts, folder / "model", hidden=32, layers=1, heads=2, vocab_size=600)
    config = LlamaConfig.from_pretrained(model)
    config.update(
        {
            "vocab_size": case.vocab,
            "hidden_size": case.hidden,
            "intermediate_size": case.intermediate,
            "num_hidden_layers": case.layers,
            "num_attention_heads": case.heads,
            "num_key_value_heads": case.kv_heads,
            "head_dim": case.hidden // case.heads,
            "max_position_embeddings": max(2048, case.length),
            "tie_word_embeddings": False,
        }
    )
    torch.manual_seed(1)
    on_gpu = torch.cuda.is_available()
    torch.set_default_dtype(torch.bfloat16 if case.lora and on_gpu else torch.float32)
    with torch.device("cuda" if on_gpu else "cpu"):
        LlamaForCausalLM(config).save_pretrained(model)
    torch.set_default_dtype(torch.float32)


class Clock:
    """Time and tokens from the end of the second step to the end of the last, as a callback of the trainer."""

    def __new__(cls) -> Any:
        """Return a TrainerCallback; transformers is imported by the worker only."""
        from transformers import TrainerCallback

        class _Clock(TrainerCallback):
            def __init__(self) -> None:
                self.marks: list[tuple[float, float, int]] = []

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                import torch

                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                self.marks.append((time.perf_counter(), time.process_time(), int(state.num_input_tokens_seen)))

        return _Clock()


def ours(case: Case, folder: Path, output: Path) -> tuple[Any, Any]:
    """Train as `posttrain sft` does; return clock and trainer."""
    import postraining_sft.train as sft

    clock, made = Clock(), []
    make_trainer = sft.make_trainer

    def with_clock(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        trainer, flops = make_trainer(*args, **kwargs)
        trainer.add_callback(clock)
        made.append(trainer)
        return trainer, flops

    sft.make_trainer = with_clock
    sets = {
        "output": output,
        "model": folder / "model",
        "data": [str(folder / "rows.jsonl")],
        "learning_rate": 1e-5,
        "batch_size": case.batch,
        "max_length": case.length,
        "batching": case.batching,
        "over_length": "keep",
        "precision": case.precision,
        "gradient_checkpointing": case.checkpointing,
        "save_steps": 100_000,
        "kernels": False,
        **({"peft": {"method": "lora"}} if case.lora else {}),
    }
    path = output.with_suffix(".yaml")
    path.write_text(json.dumps(sets, default=str), encoding="utf-8")
    from utils.runs.stage import run_stage

    if run_stage(sft.STAGE, ["--config", str(path), "--quiet"]):
        raise RuntimeError("our run failed")
    return clock, made[0]


def plain(case: Case, folder: Path, output: Path, *, packing: bool) -> tuple[Any, Any]:
    """Train with TRL as its documentation shows it; return clock and trainer."""
    import torch
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    on_cpu = not torch.cuda.is_available()
    dtype = torch.bfloat16 if case.lora and not on_cpu else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    rows = load_dataset("json", data_files=str(folder / "rows.jsonl"), split="train", cache_dir=str(output / "cache"))
    args = SFTConfig(
        output_dir=str(output),
        num_train_epochs=1,
        learning_rate=1e-5,
        per_device_train_batch_size=case.batch,
        max_length=case.length,
        packing=packing,
        assistant_only_loss=True,
        bf16=case.precision == "bf16",
        gradient_checkpointing=case.checkpointing,
        use_cpu=on_cpu,
        save_strategy="no",
        include_num_input_tokens_seen="non_padding",
        report_to="none",
        disable_tqdm=True,
        logging_steps=1,
    )
    peft = None
    if case.lora:
        from peft import LoraConfig

        peft = LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    clock = Clock()
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder / "model", dtype=dtype, attn_implementation="sdpa"),
        args=args,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=peft,
        callbacks=[clock],
    )
    trainer.train()
    return clock, trainer


def worker(kind: str, case: Case, folder: Path, output: Path) -> dict[str, float]:
    """Train once in this process; return seconds, tokens, steps, memory and FLOPs."""
    import torch

    from utils.training.meters import flops_of, memory_gb, peak_tflops

    clock, trainer = (
        ours(case, folder, output) if kind == "ours" else plain(case, folder, output, packing=kind == "trl-packing")
    )
    (begin, cpu_begin, before), (end, cpu_end, after) = clock.marks[1], clock.marks[-1]
    lengths = [length + 1 for length in lengths_of(case)]
    squares = (after - before) * sum(n * n for n in lengths) / sum(lengths)
    found = {
        "seconds": end - begin,
        "cpu_seconds": cpu_end - cpu_begin,
        "tokens": after - before,
        "steps": len(clock.marks),
        "memory_gb": memory_gb(),
    }
    flops = flops_of(trainer.model)
    if flops is not None:
        found["tflops"] = flops.step(after - before, squares) / (end - begin) / 1e12
        peak = peak_tflops(torch.cuda.get_device_name(), case.precision) if torch.cuda.is_available() else None
        if peak:
            found["mfu"] = found["tflops"] / peak
    return found


def measured(case: Case, kind: str, folder: Path, work: Path) -> dict[str, float]:
    """Train once in a process of its own."""
    output = Path(tempfile.mkdtemp(dir=work)) / kind
    output.parent.mkdir(exist_ok=True)
    said = output.with_suffix(".json")
    command = [sys.executable, "-m", "benchmarks.sft", "--worker", kind, "--case", json.dumps(asdict(case))]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [*command, "--folder", str(folder), "--output", str(output), "--said", str(said)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{kind} on {case.name}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(said.read_text(encoding="utf-8"))
    return {**found, "tgs": found["tokens"] / found["seconds"]}


def compare(case: Case, kinds: Sequence[str], rounds: int, work: Path) -> list[dict[str, Any]]:
    """Measure the kinds by turns; return a line for each."""
    folder = work / case.name
    folder.mkdir()
    make(case, folder)
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            found[kind].append(measured(case, kind, folder, work))
            print(f"{case.name} {kind}: {found[kind][-1]}", file=sys.stderr, flush=True)
    return [_line(case, kind, found[kind], found.get("trl")) for kind in kinds]


def _line(case: Case, kind: str, runs: list[dict[str, float]], beside: list[dict[str, float]] | None) -> dict[str, Any]:
    speeds = [run["tgs"] for run in runs]
    ratios = [run["tgs"] / other["tgs"] for run, other in zip(runs, beside or [], strict=bool(beside))]
    shown = f"ours, {case.batching}" if kind == "ours" else {"trl": "TRL", "trl-packing": "TRL, packing"}[kind]
    line: dict[str, Any] = {
        "case": case.name,
        "trainer": shown,
        "steps": f"{runs[0]['steps']:.0f}",
        "TGS": f"{statistics.median(speeds):,.0f} ({min(speeds):,.0f}–{max(speeds):,.0f})",
        "× TRL": f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else "",
        "tokens per CPU second": f"{statistics.median(run['tokens'] / run['cpu_seconds'] for run in runs):,.0f}",
        "memory GB": f"{max(run['memory_gb'] for run in runs):.2f}",
    }
    if "mfu" in runs[0]:
        line["MFU"] = f"{100 * statistics.median(run['mfu'] for run in runs):.1f} %"
    return line


def benchmark(
    argv: Sequence[str], cases: Sequence[Case], section: str, kinds: Sequence[str], text: str | None = None
) -> int:
    """Compare cases as the command line says, and print or write the table."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--case", nargs="*", help="names of cases; all by default")
    parser.add_argument("--rows", type=int, help="rows, instead of the case's own")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    for hidden in ("worker", "folder", "output", "said"):
        parser.add_argument(f"--{hidden}", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.worker:
        case = Case(**json.loads(options.case[0]))
        found = worker(options.worker, case, Path(options.folder), Path(options.output))
        Path(options.said).write_text(json.dumps(found), encoding="utf-8")
        return 0
    lines = []
    with tempfile.TemporaryDirectory() as work:
        for case in cases:
            if options.case and case.name not in options.case:
                continue
            sized = Case(**{**asdict(case), "rows": options.rows or case.rows})
            lines += compare(sized, kinds, options.rounds, Path(work))
    head = list(dict.fromkeys(name for line in lines for name in line))
    drawn = table(head, [[line.get(name, "") for name in head] for line in lines])
    print(drawn)
    if options.write:
        write_section(section, drawn)
    return 0


def main(argv: Sequence[str]) -> int:
    """Run the benchmark; return the exit code."""
    return benchmark(argv, CASES, "sft", ("ours", "trl", "trl-packing"), __doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
