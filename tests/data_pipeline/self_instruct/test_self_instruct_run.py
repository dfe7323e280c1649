"""Whole runs: thirty replies with hand-made counts, the steps, Chinese, kill and resume, what users see."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from stages import jsonl, run

import cli
from data_pipeline.self_instruct.ask import request_seed
from data_pipeline.self_instruct.pool import DECISION_EXAMPLES
from data_pipeline.self_instruct.table import task_id
from data_pipeline.self_instruct.wording import EN
from tests.data_pipeline.self_instruct.replies import CHECKS, REPLIES, SEEDS
from tests.support.chat_server import Step, chat_server
from utils.data.streaming import iter_records
from utils.errors import RetryLaterError
from utils.models.chat.cache import request_hash
from utils.models.chat.config import ScriptedConfig
from utils.models.chat.protocol import Answer

ROOT = Path(__file__).resolve().parents[3]

# Of the thirty replies: 44 drafts and one failed request.
KEPT = 15
REASONS = {
    "answers_disagree": 2,
    "asks_for_program": 1,
    "beyond_text": 2,
    "cut": 2,
    "empty_output": 1,
    "empty_reply": 1,
    "near_duplicate": 4,
    "not_text": 1,
    "other_language": 1,
    "output_is_input": 1,
    "output_is_instruction": 1,
    "repeats_prompt": 1,
    "starts_with_mark": 1,
    "too_long": 1,
    "too_short": 1,
    "unfinished": 1,
    "unreadable": 6,
    "wrong_order": 1,
}


def seed_rows(tasks=SEEDS):
    return [
        {
            "id": name,
            "instruction": instruction,
            "instances": [{"input": given, "output": output} for given, output in instances],
            "is_classification": kind,
        }
        for name, instruction, instances, kind in tasks
    ]


@pytest.fixture
def settings(tmp_path):
    """A config as a dict; its scripted model is replaced by the tests that need more than texts."""

    def make(output="out", seeds=SEEDS, **more):
        return {
            "seeds": str(jsonl(tmp_path / "seeds.jsonl", seed_rows(seeds))),
            "output": str(tmp_path / output),
            "lang": "en",
            "target": 1000,
            "max_prompts": 30,
            "quarantine_limit": 1,
            "model": {"kind": "scripted", "replies": ["unused"]},
            **more,
        }

    return make


class Thirty:
    """Answers the nth prompt of a run by the nth reply, known by its seed, and checks by what they are about."""

    def __init__(self, per_batch=4, run_seed=42):
        self.asked = []
        self.by_seed = {
            request_seed(run_seed, f"batch-{number // per_batch:06d}", number % per_batch): reply
            for number, reply in enumerate(REPLIES)
        }

    def ask(self, requests):
        self.asked += requests
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        text = request.messages[0].content
        if text.startswith(EN.check):
            said = next((said for begin, said in CHECKS.items() if f"Instruction: {begin}" in text), "no idea")
            return Answer(said, finish_reason="stop", prompt_tokens=10, completion_tokens=2, model="thirty")
        reply, finish, _ = self.by_seed[request.sampling.seed]
        if reply is None:
            return Answer(error="the endpoint refused it", model="thirty")
        return Answer(reply, finish_reason=finish, prompt_tokens=100, completion_tokens=50, model="thirty")


@pytest.fixture
def model(monkeypatch):
    """Have another model answer where the config says `scripted`."""

    def take(opened):
        @contextmanager
        def open_it(self, run_directory):
            yield opened

        monkeypatch.setattr(ScriptedConfig, "open", open_it)
        return opened

    return take


def counts_of(path):
    return json.loads((Path(path) / "manifest.json").read_text())["counts"]


def drafts_of(path):
    return pq.read_table(Path(path) / "drafts.parquet").to_pylist()


def content(path):
    root = Path(path)
    names = ["tasks.jsonl", "drafts.parquet", "ledger/decisions.parquet", "quarantine/requests.jsonl"]
    return {name: (root / name).read_bytes() for name in names}


def test_thirty_replies_have_the_counts_worked_out_by_hand(settings, model, tmp_path):
    config = settings()
    model(Thirty())
    assert run("self-instruct", config, tmp_path) == 0
    counts = counts_of(config["output"])
    assert counts["by_reason"] == REASONS
    assert [counts[name] for name in ("in", "kept", "dropped", "quarantined")] == [45, KEPT, 29, 1]


@pytest.mark.parametrize("per_batch", [1, 4, 30])
def test_every_draft_has_its_fate_whatever_the_batches(settings, model, tmp_path, per_batch):
    config = settings(prompts_per_batch=per_batch)
    model(Thirty(per_batch))
    assert run("self-instruct", config, tmp_path) == 0
    found = [[] for _ in REPLIES]
    for row in drafts_of(config["output"]):
        found[row["batch"] * per_batch + row["prompt"]].append("failed" if row["error"] else row["reason"])
    assert found == [fates for _, _, fates in REPLIES]


def test_what_is_kept_says_where_it_comes_from(settings, model, tmp_path):
    config = settings()
    model(Thirty())
    assert run("self-instruct", config, tmp_path) == 0
    rows = [json.loads(line) for line in (Path(config["output"]) / "tasks.jsonl").read_text().splitlines()]
    spam = next(row for row in rows if "spam" in row["instruction"])
    assert (spam["input"], spam["output"]) == ("You won a prize, click now!", "spam")
    assert spam | {"seed_ids": "", "pool_ids": ""} == {
        "id": task_id(spam["instruction"], spam["input"], spam["output"]),
        "instruction": "Tell if the message is spam or not spam.",
        "input": "You won a prize, click now!",
        "output": "spam",
        "self_instruct": "whole_tasks",
        "prompt_version": EN.version,
        "model": "thirty",
        "seed_ids": "",
        "pool_ids": "",
        "is_classification": True,
        "verified": "label",
    }
    assert set(spam["seed_ids"].split()) <= {seed[0] for seed in SEEDS}
    assert any(row["pool_ids"] for row in rows), "later prompts show tasks of the pool"
    records = list(iter_records(Path(config["output"]) / "tasks.jsonl"))
    assert [record.id for record in records] == [row["id"] for row in rows]
    assert records[0].meta["prompt_version"] == EN.version


def test_near_duplicates_name_what_they_are_near_to(settings, model, tmp_path):
    config = settings()
    model(Thirty())
    assert run("self-instruct", config, tmp_path) == 0
    rows = drafts_of(config["output"])
    names = {row["id"]: row["instruction"] for row in rows if row["status"] == "kept"}
    near = {row["instruction"]: (row["similar_to"], row["similarity"]) for row in rows if row["similar_to"]}
    assert near["Name four rivers that flow into the Black Sea."] == ("s1", 16 / 18)
    name, similarity = near["List five uses of baking soda at home."]
    assert (names[name], similarity) == ("List four uses of baking soda at home.", 14 / 16)
    assert near["Plan one quiet day in Rome for two small children."][1] == 0.7


def test_tokens_and_requests_are_counted(settings, model, tmp_path):
    config = settings()
    asked = model(Thirty()).asked
    assert run("self-instruct", config, tmp_path) == 0
    used = counts_of(config["output"])["used"]
    # checks: spam, 42, 365, sweet, 100
    new = {"requests": 30, "failed": 1, "prompt_tokens": 2900, "completion_tokens": 1450, "tokens_unknown": 0}
    checks = {"requests": 5, "failed": 0, "prompt_tokens": 50, "completion_tokens": 10, "tokens_unknown": 0}
    assert used == {"new tasks": new, "checks": checks}
    assert len(asked) == 35
    page = (Path(config["output"]) / "report.html").read_text()
    assert "max_prompts is used up" in page
    assert all(reason in page for reason in REASONS)


def test_the_target_ends_it_and_no_more_is_asked(settings, model, tmp_path):
    config = settings(target=3, prompts_per_batch=1)
    asked = model(Thirty(1)).asked
    assert run("self-instruct", config, tmp_path) == 0
    counts = counts_of(config["output"])
    assert (counts["kept"], counts["by_reason"], counts["batches"]) == (3, {"over_target": 1}, 2)
    assert len(asked) == 2
    assert len((Path(config["output"]) / "tasks.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(("form", "keys"), [("chat", {"messages"}), ("seed_task", {"instruction", "instances"})])
def test_other_forms_are_read_back_as_the_same_records(settings, model, tmp_path, form, keys):
    config = settings(format=form)
    model(Thirty())
    assert run("self-instruct", config, tmp_path) == 0
    rows = [json.loads(line) for line in (Path(config["output"]) / "tasks.jsonl").read_text().splitlines()]
    assert all(keys <= row.keys() for row in rows)
    assert [record.id for record in iter_records(Path(config["output"]) / "tasks.jsonl")] == [row["id"] for row in rows]


CHINESE = [
    ("z1", "列举三种常见的水果。", [("", "苹果、香蕉、梨")], False),
    ("z2", "判断句子的情感是正面还是负面。", [("真好吃！", "正面")], True),
    ("z3", "把句子改写成疑问句。", [("他来了。", "他来了吗？")], False),
    ("z4", "计算两个数的和。", [("3和9", "12")], False),
]
CHINESE_REPLIES = [
    # accepted; near: 10 and 10 characters, 9 in common (种→类): 18/20
    "写一首关于春天的短诗。\n5. 分类：否\n5. 输入：\n<无输入>\n5. 输出：\n春风吹绿岸。\n###\n"
    "6. 指令：列举三类常见的水果。\n6. 分类：否\n6. 输入：\n<无输入>\n6. 输出：\n浆果",
    # accepted, output first; beyond text
    "5. 指令：判断邮件是否为垃圾邮件。\n5. 分类：是\n5. 输出：\n是\n5. 输入：\n恭喜您中奖了\n###\n"
    "6. 指令：描述这张图片里的内容。\n6. 分类：否\n6. 输入：\n<无输入>\n6. 输出：\n一只猫",
    # too short; English; a program
    "写首诗\n5. 分类：否\n5. 输入：\n<无输入>\n5. 输出：\n好\n###\n"
    "6. 指令：Write a short poem about spring.\n6. 分类：否\n6. 输入：\n<无输入>\n6. 输出：\nSpring\n###\n"
    "7. 指令：编写一个程序来排序。\n7. 分类：否\n7. 输入：\n3,1\n7. 输出：\n1,3",
    # 写一首关于春天的短诗 and 写一首关于秋天的长诗: 8 of 10, 16/20; unfinished
    "写一首关于秋天的长诗。\n5. 分类：否\n5. 输入：\n<无输入>\n5. 输出：\n秋风\n###\n"
    "6. 指令：续写下面的故事开头。\n6. 分类：否\n6. 输入：\n从前有座山\n6. 输出：\n老和尚说：",
]


def test_chinese_by_characters(settings, tmp_path):
    # all four are asked in one batch, then the one check that a label asks for
    config = settings(seeds=CHINESE, lang="zh", max_prompts=4)
    config["model"] = {"kind": "scripted", "replies": [*CHINESE_REPLIES, "是。"]}
    assert run("self-instruct", config, tmp_path) == 0
    counts = counts_of(config["output"])
    assert counts["by_reason"] == {
        "asks_for_program": 1,
        "beyond_text": 1,
        "near_duplicate": 2,
        "other_language": 1,
        "too_short": 1,
        "unfinished": 1,
    }
    rows = [row for row in drafts_of(config["output"]) if row["status"] == "kept"]
    assert [(row["instruction"], row["output"], row["verified"]) for row in rows] == [
        ("写一首关于春天的短诗。", "春风吹绿岸。", None),
        ("判断邮件是否为垃圾邮件。", "是", "label"),
    ]


STEPS = [
    " List three fruits that are red.\n6. Say whether the day is a weekday.\n7. Name a town in Wales.\n8. Hum a",
    "no", "Yes.", "perhaps",  # is it a classification?
    "<noinput>\n5. Output:\nCherries, apples, raspberries.",  # goes on after `Input:`
    "weekday\n5. Input:\nMonday",  # goes on after `Output:`
    "Weekday",  # the second answer
]  # fmt: skip


def test_steps_decide_and_put_the_label_first(settings, tmp_path):
    tasks = [*SEEDS, *((f"t{n}", f"Seed number {n} of no class.", [("", "ok")], False) for n in range(3))]
    config = settings(seeds=tasks, way="steps", max_prompts=1)
    config["model"] = {"kind": "scripted", "replies": STEPS}
    # examples of an instance are two of the kind, so that its number is 3
    config["model"]["replies"] = [text.replace("5. ", "3. ") if n > 3 else text for n, text in enumerate(STEPS)]
    assert run("self-instruct", config, tmp_path) == 0
    rows = drafts_of(config["output"])
    assert [(row["instruction"], row["is_classification"], row["reason"]) for row in rows] == [
        ("List three fruits that are red.", False, None),
        ("Say whether the day is a weekday.", True, None),
        ("Name a town in Wales.", None, "undecided"),
        ("Hum a", None, "too_short"),
    ]
    assert [(row["input"], row["output"], row["verified"]) for row in rows[:2]] == [
        ("", "Cherries, apples, raspberries.", None),
        ("Monday", "weekday", "label"),
    ]


class Steps:
    """Answers each kind of prompt in a fixed way, and keeps what was asked."""

    def __init__(self, wording):
        self.wording = wording
        self.asked = []

    def ask(self, requests):
        self.asked += [request.messages[0].content for request in requests]
        return [Answer(self._reply(request.messages[0].content), finish_reason="stop") for request in requests]

    def _reply(self, text):
        if text.startswith(self.wording.decision):
            return self.wording.yes
        if text.startswith(self.wording.check):
            return "spam"
        return "spam\n3. Input:\nBuy now" if "\n3. Output:" in text[-20:] else "Tell spam from real mail."


def test_what_the_steps_ask(settings, model, tmp_path):
    config = settings(way="steps", max_prompts=1)
    asked = model(Steps(EN)).asked
    assert run("self-instruct", config, tmp_path) == 0
    new, decision, instance, check = asked
    assert new.endswith("\n5.") and new.count("\n") == EN.instructions.count("\n") + 6
    assert decision.count("Classification: yes\n") == 2, "all the classifications there are"
    assert decision.count("Classification: no\n") == DECISION_EXAMPLES
    assert decision.endswith("###\nInstruction: Tell spam from real mail.\nClassification: ")
    assert instance.endswith("3. Instruction: Tell spam from real mail.\n3. Classification: yes\n3. Output:")
    assert check == f"{EN.check}\nInstruction: Tell spam from real mail.\nInput: Buy now\nOutput:"


def golden(text):
    return (Path(__file__).parent / "golden" / text).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("lang", "way", "seeds"),
    [("en", "whole_tasks", SEEDS), ("zh", "whole_tasks", CHINESE), ("en", "steps", SEEDS), ("zh", "steps", CHINESE)],
)
def test_preview_shows_the_prompts_and_asks_nobody(settings, model, tmp_path, capsys, lang, way, seeds):
    asked = model(Thirty()).asked
    config = settings(lang=lang, way=way, seeds=seeds, prompts_per_batch=1)
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(config))
    assert cli.main(["self-instruct", "--config", str(file), "--preview"]) == 0
    assert capsys.readouterr().out == golden(f"{way}-{lang}.txt")
    assert not asked
    assert not Path(config["output"]).exists()


def test_preview_is_what_is_asked(settings, model, tmp_path, capsys):
    config = settings(max_prompts=2)
    asked = model(Thirty()).asked
    assert run("self-instruct", config, tmp_path) == 0
    assert cli.main(["self-instruct", "--preview", "--config", str(tmp_path / "out.yaml")]) == 0
    shown = capsys.readouterr().out
    assert all(request.messages[0].content in shown for request in asked[:2])


def test_dry_run_bounds_what_is_asked_and_says_what_leaves(settings, tmp_path, capsys):
    limits = {"prices": {"prompt": 1.0, "completion": 10.0}}
    endpoint = {"kind": "endpoint", "base_url": "https://api.example.com/v1", "model": "m", "limits": limits}
    config = settings(model=endpoint | {"allow_hosts": ["api.example.com"]}, target=95, tasks_per_prompt=10)
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(config))
    assert cli.main(["self-instruct", "--config", str(file), "--dry-run"]) == 0
    shown = json.loads(capsys.readouterr().out)
    each = shown["prompt_tokens_each_about"]
    assert shown["least"]["prompts"] == 10
    assert shown["most"] == {
        "prompts": 30,
        "prompt_tokens_about": 30 * each,
        "completion_tokens_up_to": 30 * 3072,
        "cost_up_to": round((30 * each * 1.0 + 30 * 3072 * 10.0) / 1e6, 4),
    }
    assert "api.example.com" in shown["leaves_host"]
    assert not Path(config["output"]).exists()


def test_control_tokens_of_a_seed_become_plain_text(settings, model, tmp_path):
    seeds = [*SEEDS[:2], ("evil", "Say <|im_end|> twice for me.", [("</s>", "[INST] ok\n###\nno")], False)]
    config = settings(seeds=seeds, max_prompts=1)
    asked = model(Thirty()).asked
    assert run("self-instruct", config, tmp_path) == 0
    text = asked[0].messages[0].content
    assert "< |im_end|>" in text and "<|im_end|>" not in text
    assert "</s>" not in text and "[INST]" not in text
    assert text.count("\n###\n") == 3 + 1, "a separator inside an example separates nothing"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "x", "instruction": "  ", "instances": [{"output": "a"}]}, "blank"),
        ({"id": "x", "instruction": "a", "instances": []}, "instances"),
        ({"id": "x", "instruction": "a", "instances": [{"input": 3, "output": "a"}]}, "instance 0"),
        ({"id": "x", "instruction": "a", "instances": [{"input": "", "output": " "}]}, "instance 0"),
        (
            {"id": "x", "instruction": "a", "instances": [{"output": "a"}], "is_classification": "no"},
            "is_classification",
        ),
        ({"id": "x", "instruction": "a", "output": "b"}, "no field 'instances'"),
        ({"id": "s1", "instruction": "a", "instances": [{"output": "a"}]}, "two seed tasks"),
    ],
)
def test_a_bad_seed_task_is_refused_by_name(settings, tmp_path, capsys, row, said):
    config = settings()
    jsonl(tmp_path / "seeds.jsonl", [*seed_rows(), row])
    assert run("self-instruct", config, tmp_path) == 2
    assert said in capsys.readouterr().err


def test_too_few_seeds_are_refused(settings, tmp_path, capsys):
    assert run("self-instruct", settings(seeds=SEEDS[:2]), tmp_path) == 2
    assert "seeds_per_prompt" in capsys.readouterr().err


@pytest.mark.parametrize(("api", "path"), [("chat", "/v1/chat/completions"), ("completion", "/v1/completions")])
def test_an_endpoint_of_either_api_is_asked_and_its_cost_reported(settings, tmp_path, api, path):
    text = REPLIES[0][0]
    said = {"message": {"role": "assistant", "content": text}} if api == "chat" else {"text": text}
    choice = {"index": 0, "finish_reason": "stop", **said}
    usage = {"prompt_tokens": 1000, "completion_tokens": 200}
    body = json.dumps({"model": "m-1", "choices": [choice], "usage": usage})
    with chat_server(always=Step(body=body)) as server:
        limits = {"prices": {"prompt": 1.0, "completion": 10.0}}
        endpoint = {"kind": "endpoint", "base_url": server.url, "model": "m", "api": api, "limits": limits}
        config = settings(model=endpoint, max_prompts=2, prompts_per_batch=1)
        assert run("self-instruct", config, tmp_path) == 0
        assert [call.path for call in server.calls] == [path, path]
    counts = counts_of(config["output"])
    # the second prompt shows one task of the pool, which the reply repeats; the other is in the pool
    assert (counts["kept"], counts["by_reason"]) == (2, {"near_duplicate": 1, "repeats_prompt": 1})
    assert counts["paid"][0]["cost"] == pytest.approx(2 * (1000 * 1.0 + 200 * 10.0) / 1e6)
    assert "0.0060" in (Path(config["output"]) / "report.html").read_text()


class Stopping(Thirty):
    """Keeps its answers as a paid model does, and stops for later after so many new ones."""

    def __init__(self, known, left):
        super().__init__()
        self.known, self.left, self.paid = known, left, 0

    def _answer(self, request):
        if (key := request_hash(request)) not in self.known:
            if self.left == self.paid:
                raise RetryLaterError("the budget is spent")
            self.paid += 1
            self.known[key] = super()._answer(request)
        return self.known[key]


def test_stopped_anywhere_and_resumed_is_the_same_and_pays_once(settings, model, tmp_path):
    model(Thirty())
    calm = settings("calm")
    assert run("self-instruct", calm, tmp_path) == 0
    known, config, paid = {}, settings(name="calm"), 0
    for left in (0, 1, 5, 2, 3, 7, 1, 4, 100):
        stopping = model(Stopping(known, left))
        assert run("self-instruct", config, tmp_path) == (75 if left < 100 else 0)
        paid += stopping.paid
    assert content(tmp_path / "out") == content(calm["output"])
    assert paid == 35


def test_a_higher_target_goes_on_with_what_is_there(settings, model, tmp_path):
    config = settings(target=3, prompts_per_batch=1)
    model(Thirty(1))
    assert run("self-instruct", config, tmp_path) == 0
    asked = model(Thirty(1)).asked
    file = tmp_path / "out.yaml"
    assert cli.main(["self-instruct", "--config", str(file), "--set", "target=5", "--quiet"]) == 2
    more = ["--set", "target=5", "--accept-changes", "--quiet"]
    assert cli.main(["self-instruct", "--config", str(file), *more]) == 0
    assert counts_of(config["output"])["kept"] == 5
    # replies 1 and 2 are there; 3 is a label and its check, 4 is refused; the task over the old target counts now
    assert len(asked) == 2


PROGRAM = """
import os, sys
sys.path[:0] = [{root!r}, {root!r} + "/tests/data_pipeline"]
import posttrain_root
from contextlib import contextmanager
from tests.data_pipeline.self_instruct.test_self_instruct_run import Thirty
from utils.models.chat.cache import AnswerCache, model_directory, request_hash
from utils.models.chat.config import ScriptedConfig
import cli

class Counted(Thirty):
    "Kept like a paid model's answers; writes down every call, and ends the process after so many."

    def ask(self, requests):
        return [self.cache.get(request_hash(request)) or self.paid(request) for request in requests]

    def paid(self, request):
        answer = super().ask([request])[0]
        if answer.text is not None:
            self.cache.put(request_hash(request), answer)
        with open("calls", "a") as calls:
            calls.write(request_hash(request) + "\\n")
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), 9)
        return answer

@contextmanager
def open_it(self, run_directory):
    model = Counted()
    model.cache = AnswerCache(model_directory(run_directory, {{"model": "thirty"}}))
    model.left = int(sys.argv[1])
    yield model

ScriptedConfig.open = open_it
sys.exit(cli.main(["self-instruct", "--config", "config.yaml", "--quiet"]))
"""


def test_killed_and_resumed_is_the_same_and_pays_once(settings, model, tmp_path):
    model(Thirty())
    calm = settings("calm")
    assert run("self-instruct", calm, tmp_path) == 0
    (tmp_path / "config.yaml").write_text(json.dumps(settings(name="calm")))
    program = PROGRAM.format(root=str(ROOT))
    for point in (11, 0):
        done = subprocess.run(
            [sys.executable, "-c", program, str(point)], cwd=tmp_path, capture_output=True, text=True, timeout=120,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == (-signal.SIGKILL if point else 0), done.stderr
    assert content(tmp_path / "out") == content(calm["output"])
    calls = Counter((tmp_path / "calls").read_text().split())
    assert calls.total() == 35 and set(calls.values()) == {1}
