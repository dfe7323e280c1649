"""The main job, as a user starts it: three rounds from dirty rows to a report, killed once on the way."""

import json
import os
import signal
import subprocess
import time

import pytest

from rounds.plan import ORDER

ENVIRONMENT = {"OMP_NUM_THREADS": "1"}
MODELS = ["start", *(f"round-{number}-{kind}" for number in (1, 2, 3) for kind in ("sft", "dpo"))]
STEPS = ["sample", "clean", "attributes", "tier", "start", *(f"r{n}-{verb}" for n in (1, 2, 3) for verb in ORDER)]
SMALL = """
profile: spine
output: out
sample: {rows: 240}
clean: {executor: local}
attributes: {executor: local}
tier:
  seeds:
    - {name: round-1, from: easy, rows: 12}
    - {name: round-2, from: middle, rows: 12}
    - {name: round-3, from: hard, rows: 12}
start: {tiny_model: {hidden: 32, layers: 2}}
every_round:
  sft: {max_steps: 8, save_steps: 4}
  dpo: {max_steps: 4, save_steps: 2}
rounds:
  - sft: {data: ["{tier}/tiers/easy.parquet"]}
  - sft: {data: ["{tier}/tiers/easy.parquet", "{tier}/tiers/middle.parquet"]}
"""


def start(root, folder, *arguments):
    command = [
        "bash",
        str(root / "run_posttraining.sh"),
        *(arguments or ("--set", "profile=spine", "--set", "output=out")),
    ]
    return subprocess.Popen(command, cwd=folder, env={**os.environ, **ENVIRONMENT}, stderr=subprocess.PIPE, text=True)


def finish(process):
    err = process.communicate(timeout=900)[1]
    assert process.returncode == 0, err[-3000:]
    return err


def places(run):
    return {name: run / "steps" / place for name, place in json.loads((run / "steps.json").read_text()).items()}


def kill_during(process, run, step, *, after=None):
    """End the driver without warning while a step is at work, after a file of it appeared."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1][-3000:]
        if (run / "steps.json").exists() and list(places(run)[step].glob(after or "run/state.json")):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def finished(run):
    """Return when each finished step was finished."""
    manifests = {name: place / "manifest.json" for name, place in places(run).items()}
    return {name: path.stat().st_mtime_ns for name, path in manifests.items() if path.exists()}


def results(run):
    """Return what two runs of two rounds share when they are equal: every model's numbers, and its weights' hash."""
    found = places(run)
    numbers = [json.loads((found[f"r{n}-evaluate"] / "metrics.json").read_text()) for n in (1, 2)]
    trained = [found[f"r{n}-{kind}"] / "manifest.json" for n in (1, 2) for kind in ("sft", "dpo")]
    seals = [json.loads(path.read_text())["outputs"]["model/model.safetensors"]["sha256"] for path in trained]
    return numbers, seals


@pytest.mark.long
@pytest.mark.ray
def test_the_whole_way_killed_once(root, tmp_path):
    run = tmp_path / "out"
    kill_during(start(root, tmp_path), run, "r1-dpo", after="run/checkpoints/*/complete.json")
    before = finished(run)
    assert list(before) == STEPS[:9]
    finish(start(root, tmp_path))
    after = finished(run)
    assert list(after) == STEPS
    assert {name: after[name] for name in before} == before
    check_cleaning_against_the_truth(places(run))
    check_executors(places(run))
    check_report((run / "report.html").read_text(), run)
    check_story(root, run, tmp_path)


def check_cleaning_against_the_truth(found):
    truth = json.loads((found["sample"] / "truth.json").read_text())
    counts = json.loads((found["clean"] / "manifest.json").read_text())["counts"]
    assert counts["in"] == truth["in"]
    assert counts["quarantined"] == truth["broken"]
    assert counts["by_reason"] == {"exact_duplicate": truth["copy"], "minimum_length": truth["empty"]}


def check_executors(found):
    for name in ("clean", "attributes"):
        execution = json.loads((found[name] / "manifest.json").read_text())["execution"]
        assert execution["executor"] == "ray"
        assert execution["tasks"] > 0
        assert all(len(worker) == 56 for worker in execution["workers"])  # Ray's ids, 28 bytes in hex


def check_report(page, run):
    assert all(model in page for model in MODELS)
    first = json.loads((places(run)["r1-evaluate"] / "metrics.json").read_text())["models"]
    last = json.loads((places(run)["r3-evaluate"] / "metrics.json").read_text())["models"]
    assert [model["name"] for model in first] == MODELS[:3]
    assert last[-1]["loss"] < first[0]["loss"] - 1  # nats: a model that learnt nothing stays where it began


def check_story(root, run, folder):
    pair = json.loads((places(run)["r3-pairs"] / "pairs.jsonl").read_text().splitlines()[0])
    import polars as pl

    provenance = pl.read_parquet(places(run)["r3-pairs"] / "pairs.parquet").filter(pl.col("id") == pair["id"])[
        "provenance"
    ]
    row = json.loads(provenance[0])["prompt_id"]
    command = [str(root / ".venv/bin/posttrain"), "why", row, "--run", "out", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    stages = [event["stage"] for event in json.loads(done.stdout)]
    assert stages[0] == "clean"
    assert {"attributes", "tier", "candidates", "judge", "pairs", "dpo", "checkpoint"} <= set(stages)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_killed_in_every_step_equals_undisturbed(root, tmp_path):
    for name in ("calm", "stormy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "small.yaml").write_text(SMALL)
    finish(start(root, tmp_path / "calm", "small.yaml"))
    run = tmp_path / "stormy" / "out"
    steps = [step for step in STEPS if not step.startswith("r3")]
    for step in steps:
        kill_during(start(root, tmp_path / "stormy", "small.yaml"), run, step)
        before = finished(run)
        assert list(before) in (steps[: steps.index(step)], steps[: steps.index(step) + 1])
    finish(start(root, tmp_path / "stormy", "small.yaml"))
    after = finished(run)
    assert {name: after[name] for name in before} == before
    assert results(run) == results(tmp_path / "calm" / "out")
