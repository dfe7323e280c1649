"""`posttrain chat`: talk with a model in the terminal, or line by line through a pipe.

Answers go to stdout, everything else to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from utils.data.records import Message
from utils.errors import UserError

if TYPE_CHECKING:
    from utils.models.generate import Answer, LocalModel

INTERRUPTED = 130
HELP = "/system TEXT begins anew with that system message, /reset begins anew, /exit ends; Ctrl-C ends an answer"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a model could move the cursor, or set the window's title


@dataclass(slots=True)
class Talk:
    """A conversation so far.

    Args:
        model: who answers.
        options: of `LocalModel.stream`: max_new_tokens, temperature, top_p, seed.
        system: the system message.
        said: questions and answers by turns, without the system message.

    """

    model: LocalModel
    options: dict[str, Any]
    system: str | None = None
    said: list[Message] = field(default_factory=list)

    def begin(self, system: str | None) -> None:
        """Forget everything, and take another system message.

        Raises:
            UserError: the template takes none; then all is as before.

        """
        if system:
            self._tokens([Message("system", system), Message("user", "?")])
        self.system, self.said = system or None, []

    def ask(self, question: str, say: Callable[[str], None], enough: Callable[[], bool]) -> tuple[Answer, int]:
        """Return the answer, and how many old exchanges were forgotten to make room for it.

        Raises:
            UserError: the template refuses the question, or it is too long alone; then it was never asked.

        """
        said, forgotten = [*self.said, Message("user", question)], 0
        wanted = self.options["max_new_tokens"]
        while (room := self._room(said)) is not None and room < min(wanted, self._limit() // 2) and len(said) > 1:
            said, forgotten = said[2:], forgotten + 1
        if room is not None and room < 1:
            raise UserError(f"the question leaves no room in the model's {self._limit()} tokens", mend="shorten it")
        new = wanted if room is None else min(wanted, room)
        answer = self.model.stream(self._whole(said), say, enough=enough, **(self.options | {"max_new_tokens": new}))
        self.said = [*said, Message("assistant", answer.text)]
        return answer, forgotten

    def _room(self, said: list[Message]) -> int | None:
        """Return the tokens that are left for an answer; None for a model without a limit."""
        tokens = self._tokens(self._whole(said))
        return self._limit() - tokens if self._limit() else None

    def _limit(self) -> int:
        from data_pipeline.loaded_model import context_length

        return context_length(self.model) or 0

    def _whole(self, said: list[Message]) -> list[Message]:
        return [*([Message("system", self.system)] if self.system else []), *said]

    def _tokens(self, messages: list[Message]) -> int:
        from jinja2 import TemplateError

        try:
            return len(self.model.template.prompt(messages))
        except TemplateError as error:
            raise UserError(f"the chat template refuses that: {error}") from error


class Interrupts:
    """Ctrl-C ends the answer that is being given; once more, before anything else was said, it ends the program."""

    def __init__(self) -> None:
        self.pressed = False

    @contextlib.contextmanager
    def while_answering(self) -> Iterator[None]:
        """Let the first Ctrl-C end the answer only."""
        before = signal.signal(signal.SIGINT, self._press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _press(self, signum: int, frame: FrameType | None) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    made = argparse.ArgumentParser(
        prog="posttrain chat",
        description="Talk with a model. With a pipe as stdin every line is a question. In the conversation: " + HELP,
        allow_abbrev=False,
    )
    made.add_argument("model", type=Path, help="a Hugging Face or PEFT directory, or a finished training run")
    made.add_argument("--template", metavar="NAME", help="a shipped chat template or a .jinja file; default: its own")
    made.add_argument("--system", metavar="TEXT", help="the system message")
    made.add_argument("--max-new-tokens", type=_above_zero, default=512, metavar="N", help="limit of an answer (512)")
    made.add_argument("--temperature", type=_share(10), default=0.7, metavar="T", help="0: the likeliest token (0.7)")
    made.add_argument("--top-p", type=_share(1), default=0.9, metavar="P", help="nucleus (0.9)")
    made.add_argument("--seed", type=int, default=42, metavar="N", help="the same talk gives the same answers (42)")
    made.add_argument("--dtype", choices=["auto", "fp32", "bf16", "fp16"], default="auto", help="of the weights")
    made.add_argument("--load-in-8bit", action="store_true", help="by bitsandbytes, on a CUDA GPU")
    return made


def _above_zero(text: str) -> int:
    if (value := int(text)) < 1:
        raise ValueError
    return value


_above_zero.__name__ = "number above 0"


def _share(most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        if not 0 <= (value := float(text)) <= most:
            raise ValueError
        return value

    number.__name__ = f"number from 0 to {most:g}"
    return number


def main(argv: list[str]) -> int:
    """Talk; return the exit code: 0, 2 when a piped question could not be asked, 130 after Ctrl-C."""
    options = parser().parse_args(argv)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a broken byte is no reason to end a conversation
    try:
        talk = Talk(_opened(options), _sampling(options))
        talk.begin(options.system)
        return _converse(talk)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED


def _opened(options: argparse.Namespace) -> LocalModel:
    from utils.models.locate import load_tokenizer
    from utils.models.template_files import shipped
    from utils.models.use import find

    if options.template is None and not isinstance(load_tokenizer(find(options.model).tokenizer).chat_template, str):
        names = ", ".join(shipped())
        mend = f"--template NAME ({names}), or a .jinja file"
        raise UserError("a base model: it has no chat template", where=str(options.model), mend=mend)
    from utils.models.generate import LocalModel

    return LocalModel(options.model, template=options.template, dtype=options.dtype, load_in_8bit=options.load_in_8bit)


def _sampling(options: argparse.Namespace) -> dict[str, Any]:
    top_p = options.top_p or 1e-6  # 0: the likeliest token
    names = ("max_new_tokens", "temperature", "seed")
    return {name: getattr(options, name) for name in names} | {"top_p": top_p}


def _converse(talk: Talk) -> int:
    terminal, interrupts, failed = sys.stdin.isatty(), Interrupts(), False
    if terminal:
        _note(HELP)
    for line in _lines(interrupts, terminal=terminal):
        interrupts.pressed = False
        try:
            if line.startswith("/"):
                if not _command(talk, line):
                    return 0
            else:
                _answer(talk, line, interrupts)
        except UserError as error:
            failed = True
            _note(str(error))
    return 2 if failed and not terminal else 0


def _lines(interrupts: Interrupts, *, terminal: bool) -> Iterator[str]:
    """Give what is typed or piped, without blank lines."""
    if not terminal:
        yield from (text for line in sys.stdin if (text := line.strip()))
        return
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  input() edits lines with it
    while True:
        try:
            text = input("> ").strip()
        except EOFError:
            sys.stderr.write("\n")
            return
        except KeyboardInterrupt:
            if interrupts.pressed:
                raise
            interrupts.pressed = True
            _note("\nCtrl-C once more, or /exit, ends")
            continue
        if text:
            yield text


def _command(talk: Talk, line: str) -> bool:
    """Do what a line with a slash says; return whether the conversation goes on."""
    word, _, rest = line.partition(" ")
    if word == "/exit":
        return False
    if word == "/reset":
        talk.begin(talk.system)
        _note("begun anew")
    elif word == "/system":
        talk.begin(rest.strip())
        _note("begun anew, " + ("with that system message" if talk.system else "without a system message"))
    else:
        raise UserError(f"no command {word!r}", mend=HELP)
    return True


def _answer(talk: Talk, question: str, interrupts: Interrupts) -> None:
    def say(text: str) -> None:
        sys.stdout.write(_CONTROL.sub("", text))
        sys.stdout.flush()

    with interrupts.while_answering():
        answer, forgotten = talk.ask(question, say, lambda: interrupts.pressed)
    say("\n")
    if forgotten:
        _note(f"(the oldest {forgotten} exchanges no longer fit and are forgotten)")
    if answer.finish_reason == "length":
        _note(f"(cut after {answer.tokens} tokens)")


def _note(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
