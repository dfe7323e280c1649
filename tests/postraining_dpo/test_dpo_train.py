"""DPO runs of a tiny model: the loss by hand, the margin measured apart from TRL, a crash."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from postraining_dpo.config import DpoConfig
from postraining_dpo.data import TokenPair, flaws, read_rows, tokenise
from postraining_dpo.train import STAGE, dry_run
from tests.support.tiny import computed, pairs, read_jsonl, weights, write_config, write_jsonl
from utils.data.records import Message, Preference
from utils.models.locate import load_model, load_tokenizer
from utils.models.logprobs import answer_logprobs
from utils.models.templates import ChatTemplate
from utils.runs.config import load_config
from utils.runs.stage import run_stage

pytestmark = pytest.mark.usefixtures("keep_handlers")


@pytest.fixture
def made(tiny_model, tmp_path):
    """Write a config: 14 pairs, 4 per step."""

    def make(name: str, **more) -> Path:
        data = write_jsonl(tmp_path / "pairs.jsonl", pairs())
        config = {
            "model": tiny_model,
            "pairs": [data],
            "output": tmp_path / name,
            "max_steps": 8,
            "batch_size": 4,
            "learning_rate": 1e-3,
            "save_steps": 3,
            "max_length": 128,
            **more,
        }
        return write_config(tmp_path / f"{name}.yaml", config)

    return make


def run(config: Path) -> int:
    return run_stage(STAGE, ["--config", str(config), "--quiet"])


def margins(policy: Path, reference: Path, rows: list[TokenPair]) -> list[float]:
    """Difference of the log-ratios of chosen and rejected, per pair; β times it is the implicit reward margin."""
    chosen = [(pair.prompt, pair.chosen) for pair in rows]
    rejected = [(pair.prompt, pair.rejected) for pair in rows]
    ratios = []
    for answers in (chosen, rejected):
        scores = [answer_logprobs(load_model(path).eval(), answers) for path in (policy, reference)]
        ratios.append([one.logprob - two.logprob for one, two in zip(*scores, strict=True)])
    return [one - two for one, two in zip(*ratios, strict=True)]


def test_loss_starts_at_ln_2_and_the_margin_rises(made, tiny_model, tmp_path):
    assert run(made("dpo")) == 0
    lines = read_jsonl(tmp_path / "dpo" / "metrics.jsonl")
    assert lines[0]["loss"] == pytest.approx(math.log(2), abs=1e-4)  # policy = reference: −log σ(0)
    assert {"rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected", "tokens"} <= lines[0].keys()
    config = load_config(DpoConfig, tmp_path / "dpo.yaml")
    rows = read_rows(config, config.pairs, ChatTemplate(load_tokenizer(tiny_model)))
    assert margins(tiny_model, tiny_model, rows.pairs) == [0.0] * 14
    assert min(margins(tmp_path / "dpo" / "model", tiny_model, rows.pairs)) > 0
    assert {row["status"] for row in pq.read_table(tmp_path / "dpo" / "ledger" / "decisions.parquet").to_pylist()} == {
        "kept"
    }


@pytest.mark.parametrize("more", [{}, {"loss": "robust", "label_smoothing": 0.1}], ids=["sigmoid", "robust"])
def test_trls_margin_is_ours(made, tiny_model, tmp_path, more):
    """One batch of all pairs against another reference: TRL's logged margin and loss, by our log-probs and by hand."""
    assert run(made("other")) == 0
    reference = tmp_path / "other" / "model"
    config = made("one", reference=reference, max_steps=1, batch_size=14, beta=0.3, **more)
    assert run(config) == 0
    line = read_jsonl(tmp_path / "one" / "metrics.jsonl")[0]
    loaded = load_config(DpoConfig, config)
    rows = read_rows(loaded, loaded.pairs, ChatTemplate(load_tokenizer(tiny_model)))
    scaled = [0.3 * margin for margin in margins(tiny_model, reference, rows.pairs)]
    assert line["rewards/margins"] == pytest.approx(sum(scaled) / 14, abs=1e-4)
    flipped = more.get("label_smoothing", 0.0)
    right, wrong = ([math.log1p(math.exp(sign * margin)) for margin in scaled] for sign in (-1, 1))
    losses = [((1 - flipped) * a - flipped * b) / (1 - 2 * flipped) for a, b in zip(right, wrong, strict=True)]
    assert line["loss"] == pytest.approx(sum(losses) / 14, abs=1e-4)


def test_a_crash_in_the_middle_of_an_epoch_changes_nothing(made, tmp_path, monkeypatch):
    assert run(made("straight")) == 0
    from utils.training.metrics import WriteMetrics

    log = WriteMetrics.on_log

    def die_at_step_5(self, args, state, control, **more):
        if state.global_step == 5:
            raise RuntimeError("crash two steps after the checkpoint")
        return log(self, args, state, control, **more)

    monkeypatch.setattr(WriteMetrics, "on_log", die_at_step_5)
    config = made("crashed")
    assert run(config) == 1
    monkeypatch.undo()
    assert run(config) == 0
    assert weights(tmp_path / "crashed") == weights(tmp_path / "straight")
    assert computed(tmp_path / "crashed") == computed(tmp_path / "straight")


def test_over_long_and_equal_pairs_are_dropped_with_a_reason(made, tmp_path):
    rows = [*pairs(3), {**pairs(1)[0], "chosen": pairs(1)[0]["rejected"]}]
    rows.append({**pairs(1)[0], "rejected": [{"role": "assistant", "content": "long " * 200}]})
    data = write_jsonl(tmp_path / "mixed.jsonl", rows)
    assert run(made("mixed", pairs=[data], max_steps=1)) == 0
    counts = json.loads((tmp_path / "mixed" / "manifest.json").read_text())["counts"]
    assert (counts["in"], counts["kept"]) == (5, 3)
    assert counts["by_reason"] == {"over_length": 1, "same_answers": 1}


def test_nothing_left_is_an_error_of_the_user(made):
    assert run(made("none", max_length=8)) == 2


def test_answers_end_and_follow_the_prompt(tiny_model):
    tokenizer = load_tokenizer(tiny_model)
    user, good, bad = Message("user", "Hi"), Message("assistant", "你好"), Message("assistant", "Hello<|im_end|>")
    pair = tokenise(Preference("0" * 32, "s", (user,), (good,), (bad,)), ChatTemplate(tokenizer))
    assert tokenizer.decode(pair.prompt).endswith("<|im_start|>assistant\n")
    assert tokenizer.decode(pair.chosen) == "你好<|im_end|>"
    assert tokenizer.decode(pair.rejected) == "Hello< |im_end|><|im_end|>"
    assert flaws(pair, len(pair)) == []
    assert flaws(pair, len(pair) - 1) == ["over_length"]


def test_a_pair_that_the_template_refuses_is_dropped(made, tiny_model, tmp_path):
    tokenizer = load_tokenizer(tiny_model)
    refuse = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    tokenizer.chat_template = refuse + str(tokenizer.chat_template)
    bad = pairs(1)[0] | {"prompt": [{"role": "system", "content": "be kind"}, *pairs(1)[0]["prompt"]]}
    data = write_jsonl(tmp_path / "mixed.jsonl", [bad, *pairs(2)])
    config = load_config(DpoConfig, made("refused"))
    rows = read_rows(config, [data], ChatTemplate(tokenizer))
    assert [decision.reasons for decision in rows.decisions] == [("template_refuses",), (), ()]
    assert len(rows.pairs) == 2


def test_smoothing_without_effect_is_refused():
    with pytest.raises(ValidationError, match="no effect with loss: sigmoid"):
        DpoConfig(model="m", output="o", pairs=["p"], label_smoothing=0.1)


def test_a_template_with_tokens_of_its_own(made, tmp_path):
    assert run(made("dolly", template="dolly", max_steps=2)) == 0
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "dolly" / "model")
    assert "### End" in tokenizer.get_vocab()
    assert "### Instruction" in tokenizer.chat_template
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "dolly" / "model")
    assert model.get_input_embeddings().weight.shape[0] == len(tokenizer)


@pytest.mark.parametrize("more", [{"peft": {"method": "lora"}}, {"keep_best": True}])
def test_keys_without_effect_are_refused(made, more):
    assert run(made("none", **more)) == 2


def test_dry_run(made):
    said = dry_run(load_config(STAGE.model(), made("dry")))
    assert (said["pairs"], said["steps"]) == (14, 8)
