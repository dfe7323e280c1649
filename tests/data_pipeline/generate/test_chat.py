"""`posttrain chat`: a conversation through a pipe and on a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

import cli
from data_pipeline.generate.chat import Interrupts, Talk, _answer, main
from tests.support.tiny import ROOT, child_environment
from tests.support.use import KNOWN
from utils.data.records import Message
from utils.errors import UserError
from utils.models.generate import LocalModel

FRANCE, COLOURS, FRUIT, FRUIT_ZH = KNOWN
GREEDY = ["--temperature", "0", "--max-new-tokens", "40"]


def piped(monkeypatch, text: str, *argv: str) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    return cli.main(["chat", *argv])


def test_every_piped_line_is_a_question(trained, monkeypatch, capsys):
    assert piped(monkeypatch, f"{FRANCE}\n\n/reset\n{COLOURS}\n/reset\n{FRUIT_ZH}\n", str(trained), *GREEDY) == 0
    said = capsys.readouterr()
    assert said.out == "".join(f"{KNOWN[question]}\n" for question in (FRANCE, COLOURS, FRUIT_ZH))
    assert "cut after" not in said.err, "its end token ends an answer"


def test_exit_ends_and_what_is_no_command_is_an_error(trained, monkeypatch, capsys):
    assert piped(monkeypatch, f"/foo\n/exit\n{FRANCE}\n", str(trained), *GREEDY) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "no command '/foo'" in said.err
    assert piped(monkeypatch, "/foo\n", str(trained), *GREEDY) == 2


def test_the_conversation_is_asked_whole_and_forgets_when_it_is_full(trained):
    model = LocalModel(trained)
    talk = Talk(model, {"max_new_tokens": 40, "temperature": 0, "seed": 1, "top_p": 1.0}, system="简短回答")
    said: list[str] = []
    talk.ask(FRANCE, said.append, lambda: False)
    assert talk.said == [Message("user", FRANCE), Message("assistant", "".join(said))]
    limit, forgotten = model.model.config.max_position_embeddings, 0
    for number in range(9):
        answer, gone = talk.ask(f"{COLOURS} {number}", said.append, lambda: False)
        forgotten += gone
        length = len(model.template.prompt(talk._whole(talk.said[:-1])))
        assert length + answer.tokens <= limit
    assert forgotten
    assert talk._whole(talk.said)[0] == Message("system", "简短回答")
    before = list(talk.said)
    with pytest.raises(UserError, match=f"leaves no room in the model's {limit} tokens"):
        talk.ask("长" * 3 * limit, said.append, lambda: False)
    assert talk.said == before, "a question that was not asked is not in the history"
    talk.begin(None)
    assert talk._whole(talk.said) == []


def test_a_system_message_that_the_template_refuses(tiny_model, monkeypatch, capsys):
    more = ["--template", "belle", "--max-new-tokens", "2"]
    assert piped(monkeypatch, "/system be brief\nhi\n", str(tiny_model), *more) == 2
    said = capsys.readouterr()
    assert "the chat template refuses that" in said.err
    assert said.out.endswith("\n"), "the question after it is answered"
    assert piped(monkeypatch, "hi\n", str(tiny_model), *more, "--system", "x") == 2


def test_ctrl_c_ends_the_answer_and_the_second_one_the_program():
    interrupts = Interrupts()
    with interrupts.while_answering():
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.pressed
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


class Impatient(io.StringIO):
    """A screen whose reader presses Ctrl-C at the first words."""

    def write(self, text: str) -> int:
        if not self.getvalue():
            os.kill(os.getpid(), signal.SIGINT)
        return super().write(text)


def test_what_was_said_before_ctrl_c_stays_in_the_history(tiny_model, monkeypatch):
    talk = Talk(LocalModel(tiny_model), {"max_new_tokens": 60, "temperature": 0, "seed": 1, "top_p": 1.0})
    screen, interrupts = Impatient(), Interrupts()
    monkeypatch.setattr(sys, "stdout", screen)
    _answer(talk, "hi", interrupts)
    monkeypatch.undo()
    assert interrupts.pressed
    assert screen.getvalue() == talk.said[-1].content + "\n"
    whole = LocalModel(tiny_model).answer([[Message("user", "hi")]], max_new_tokens=60, temperature=0)[0].text
    assert 0 < len(talk.said[-1].content) < len(whole)


def test_control_characters_of_a_model_do_not_reach_the_terminal(trained, monkeypatch, capsys):
    def stream(self, prompt, say, **_):
        from utils.models.generate import Answer

        say("a\x1b]0;title\x07\r\tb\u009b")
        return Answer("a", 1, "stop")

    monkeypatch.setattr(LocalModel, "stream", stream)
    assert piped(monkeypatch, "hi\n", str(trained)) == 0
    assert capsys.readouterr().out == "a]0;title\tb\n"


def test_a_base_model_without_a_template_is_one_error_that_names_the_option(tiny_model, tmp_path, monkeypatch, capsys):
    import shutil

    shutil.copytree(tiny_model, tmp_path / "base")
    (tmp_path / "base" / "chat_template.jinja").unlink()
    assert piped(monkeypatch, "hi\n", str(tmp_path / "base")) == 2
    said = capsys.readouterr().err
    assert "it has no chat template → --template NAME (alpaca, " in said
    assert len(said.strip().splitlines()) == 1
    assert piped(monkeypatch, "hi\n", str(tmp_path / "base"), "--template", "vicuna", "--max-new-tokens", "2") == 0
    assert piped(monkeypatch, "hi\n", str(tmp_path / "base"), "--template", "vicunia") == 2
    assert "nearest: vicuna" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "what"),
    [(["nowhere"], "no such model directory"), (["--load-in-8bit"], "8-bit weights need a CUDA GPU")],
)
def test_wrong_input_is_one_error(tiny_model, monkeypatch, capsys, argv, what):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    argv = argv if argv == ["nowhere"] else [str(tiny_model), *argv]
    assert piped(monkeypatch, "hi\n", *argv) == 2
    assert what in capsys.readouterr().err


def test_options_out_of_range_and_help(capsys):
    for wrong in (["--temperature", "-1"], ["--top-p", "2"], ["--max-new-tokens", "0"]):
        with pytest.raises(SystemExit) as ended:
            main(["m", *wrong])
        assert ended.value.code == 2
        assert "number" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("/system", "/reset", "/exit", "--template", "--temperature"))


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *argv: str) -> None:
        self.master, slave = pty.openpty()
        script = "import posttrain, sys, cli; sys.exit(cli.main(sys.argv[1:]))"
        environment = child_environment() | {"TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, "chat", *argv],
            stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, pattern: str, seconds: float = 90) -> str:
        """Read until the pattern comes; return what came up to its end."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < deadline, self.seen
            try:
                self.seen += os.read(self.master, 4096).decode(errors="surrogateescape")
            except OSError:
                raise AssertionError(f"ended: {self.seen}") from None
        before, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return before

    def interrupt(self) -> None:
        os.kill(self.process.pid, signal.SIGINT)


def test_on_a_terminal(trained):
    terminal = Terminal(str(trained), "--temperature", "0", "--max-new-tokens", "200")
    try:
        terminal.until(r"> ")
        terminal.type(f"{FRUIT_ZH}\n")
        assert KNOWN[FRUIT_ZH] in terminal.until(r"🍎\r?\n.*> ")
        terminal.type("/system 简短\n")
        terminal.until(r"begun anew, with that system message\r?\n.*> ")
        terminal.type("/reset\n")
        terminal.until(r"begun anew\r?\n.*> ")
        terminal.interrupt()
        terminal.until(r"Ctrl-C once more, or /exit, ends\r?\n.*> ")
        terminal.type(f"{FRANCE}\n")  # something was said: the next Ctrl-C is a first one again
        terminal.until(r"\n.*> ")
        terminal.interrupt()
        terminal.until(r"once more.*\r?\n.*> ")
        terminal.interrupt()
        assert terminal.process.wait(30) == 130
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)
