"""Each answer is paid once over a crash (F18)."""

from __future__ import annotations

import signal

from tests.support.chat_server import chat_server
from tests.utils.models.chat.asking import ask_for, ask_in_child, opened
from utils.models.chat.cost import ledger


def test_killed_in_the_middle_of_writing_an_answer_only_that_one_is_asked_again(tmp_path):
    texts = [f"q{n}" for n in range(10)]
    with chat_server() as server:
        assert ask_in_child(server, tmp_path, texts, {"concurrency": 1}, dies=6).wait(60) == -signal.SIGKILL
        assert len(server.calls) == 6
        assert ask_in_child(server, tmp_path, texts, {"concurrency": 1}).wait(60) == 0
        asked = [call.body["messages"][0]["content"] for call in server.calls]
    assert asked == [*texts[:6], *texts[5:]]
    assert len(next(tmp_path.rglob("answers.jsonl")).read_text().splitlines()) == 11
    assert ledger(tmp_path)[0]["answers"] == 10


def test_killed_between_the_answers_and_the_commit_nothing_is_asked_again(tmp_path):
    texts = [f"q{n}" for n in range(6)]
    with chat_server() as server:
        child = ask_in_child(server, tmp_path, texts, {"concurrency": 3}, dies="before the commit")
        assert child.wait(60) == -signal.SIGKILL
        assert len(server.calls) == 6
        assert ask_in_child(server, tmp_path, texts, {}).wait(60) == 0
        assert len(server.calls) == 6


def test_two_processes_share_answers(tmp_path):
    with chat_server() as server, opened(server, tmp_path) as model:
        model.ask(ask_for("a"))
        assert ask_in_child(server, tmp_path, ["a", "b"], {}).wait(60) == 0
        assert model.ask(ask_for("b"))[0].cached
        assert len(server.calls) == 2
