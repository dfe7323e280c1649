"""What a run would ask, use and cost, before anybody is asked; and the prompts themselves."""

from __future__ import annotations

import math
import sys
from typing import Any

from data_pipeline.self_instruct.config import SelfInstructConfig
from data_pipeline.self_instruct.pool import Pool
from data_pipeline.self_instruct.prompts import check_prompt, decision_prompt, instance_prompt
from data_pipeline.self_instruct.tasks import read_seed_tasks
from data_pipeline.self_instruct.wording import WORDINGS

FIRST = "batch-000000"
SAMPLE = 20  # prompts measured for the forecast
PER_TOKEN = {"en": 4.0, "zh": 1.5}  # characters, roughly, of common tokenizers


def forecast(config: SelfInstructConfig, pool: Pool) -> dict[str, Any]:
    """Return bounds: the least when every reply is whole and every task accepted, the most at `max_prompts`."""
    lengths = [len(pool.shown(FIRST, number).text) for number in range(SAMPLE)]
    prompt = math.ceil(sum(lengths) / len(lengths) / PER_TOKEN[config.lang])
    least = min(math.ceil(config.target / config.tasks_per_prompt), config.max_prompts)
    prices = config.model.limits.prices if config.model.kind == "endpoint" else None
    found: dict[str, Any] = {"seed_tasks": len(pool.seeds), "prompt_tokens_each_about": prompt}
    for name, prompts in (("least", least), ("most", config.max_prompts)):
        found[name] = {
            "prompts": prompts,
            "prompt_tokens_about": prompts * prompt,
            "completion_tokens_up_to": prompts * config.max_tokens,
        }
        if prices is not None:
            found[name]["cost_up_to"] = round(
                (prompts * prompt * prices.prompt + prompts * config.max_tokens * prices.completion) / 1e6, 4
            )
    more = ["a decision and an instance per instruction"] if config.way == "steps" else []
    more += ["a check per answer that is a label or a number"] if config.verify else []
    leaves = config.model.leaves_host
    return found | {"beside_these": more, "leaves_host": leaves and f"{leaves}: seed tasks and tasks of the pool"}


def preview(argv: list[str]) -> int:
    """Print the first prompts, exactly as they would be sent; ask nobody, write nothing."""
    from utils.runs.config import load_config
    from utils.runs.stage import arguments

    options = arguments("self-instruct --preview").parse_args(argv)
    config = load_config(SelfInstructConfig, options.config, options.set)
    for title, text in prompts_of(config):
        sys.stdout.write(f"==== {title} ====\n{text}\n")
    return 0


def prompts_of(config: SelfInstructConfig) -> list[tuple[str, str]]:
    """Return title and text of the first batch's prompts, and of the later ones with a seed task as the new one.

    Those for new tasks are final: the pool is empty when they are sent.
    """
    pool = Pool(config, read_seed_tasks(config.seeds))
    wording = WORDINGS[config.lang]
    count = min(config.prompts_per_batch, config.max_prompts)
    found = [(f"new tasks, prompt {number + 1}", pool.shown(FIRST, number).text) for number in range(count)]
    task = pool.seeds[0].example(0)
    if config.way == "steps":
        examples = pool.instance_examples(FIRST)
        found.append(("decision", decision_prompt(pool.decision_examples(FIRST), task.instruction, wording)))
        for kind, name in ((True, "a classification"), (False, "another task")):
            text = instance_prompt(examples[kind], task.instruction, kind, wording)
            found.append((f"instance of {name}", text))
    if config.verify:
        found.append(("check", check_prompt(task, wording)))
    return found
