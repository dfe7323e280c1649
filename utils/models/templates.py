"""Messages to token ids, through the model's own chat template, with the mask of what the model itself says.

What is trained must be what is seen at inference: there the prompt is tokenised alone and the model goes on from its
last token. A token that straddles the border between prompt and answer (two line breaks merged into one, say) would
never be seen then, so the text is always cut there before it is tokenised: training and inference alike.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from utils.errors import UserError
from utils.models.locate import load_tokenizer, resolve_model
from utils.models.pieces import Pieces
from utils.models.template_files import declared, needed_tokens, shipped, with_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from utils.data.records import Message

GENERATION_MARKER = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
INVISIBLE = re.compile("[\u200b\u2060\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Zero-width and bidirectional controls. The joiners U+200C and U+200D stay: emoji and several scripts need them."""

_QUESTION, _ANSWER = "question", "answer"
_PLACE = "\ue000answer\ue001"  # stands where an answer will; private-use characters, which no template looks for


@dataclass(frozen=True, slots=True)
class Rendered:
    """A row as tokens.

    Args:
        ids: token ids.
        mask: 1 on tokens that are trained on, else 0; as long as `ids`.

    """

    ids: list[int]
    mask: list[int]

    def cut(self, limit: int) -> Rendered:
        """Return the first `limit` tokens."""
        return Rendered(self.ids[:limit], self.mask[:limit])


class ChatTemplate:
    """A tokenizer with its chat template: conversations, prompts and documents as token ids."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, where: str | None = None) -> None:
        self.tokenizer = tokenizer
        self.where = where or str(tokenizer.name_or_path)
        template = tokenizer.chat_template
        if not isinstance(template, str):
            mend = f"name a shipped one (template: {' | '.join(shipped())}) or add a chat_template.jinja"
            raise UserError("the tokenizer has no chat template", where=self.where, mend=mend)
        self._template = template
        self._marked = bool(GENERATION_MARKER.search(template))
        self._pieces = Pieces(tokenizer)
        added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        special = added | set(map(str, tokenizer.all_special_tokens)) | set(declared(template, "tokens"))
        self._special = tuple(special & set(tokenizer.added_tokens_encoder))
        control = sorted(special | set(declared(template, "marks")), key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, control)) or r"(?!)")

    def require_mask(self, ends: Collection[int] = ()) -> None:
        """Refuse a template that cannot tell what the assistant says, or would train a model that never stops.

        Args:
            ends: tokens at which the model stops, besides the tokenizer's end token.

        Raises:
            UserError: no `{% generation %}` markers, or they are not around the answer and the model's own end token,
                or the template's generation prompt is not what stands before the answer.

        """
        from jinja2 import TemplateError

        mend = (
            "put {% generation %} … {% endgeneration %} around the assistant's content and end token in the template, "
            f"or name a shipped one (template: {' | '.join(shipped())})"
        )
        if not self._marked:
            raise UserError("the chat template has no {% generation %} markers", where=self.where, mend=mend)
        try:
            asked = self._render(_probe()[:1], ask=True)[0]
            text, spans = self._render(_probe())
            probe = self.conversation(_probe())
        except TemplateError as error:
            raise UserError(f"the chat template fails: {error}", where=self.where, mend=mend) from error
        trained = [token for token, on in zip(probe.ids, probe.mask, strict=True) if on]
        last = str(self.tokenizer.convert_ids_to_tokens(trained[-1])) if trained else ""
        if last not in self._special:
            raise UserError("the end token lies outside the {% generation %} markers", where=self.where, mend=mend)
        if trained[-1] not in {self.tokenizer.eos_token_id, *ends}:
            raise UserError(
                f"an assistant's turn ends with {last!r}, at which the model does not stop",
                where=self.where,
                mend=f"end it with eos_token ({self.tokenizer.eos_token}) in the template, or name that as eos_token",
            )
        marked = "".join(text[begin:end] for begin, end in spans)
        if _ANSWER not in marked or _QUESTION in marked:
            raise UserError("the {% generation %} markers are not around the answer", where=self.where, mend=mend)
        if spans[0][0] != len(asked) or not text.startswith(asked):
            raise UserError(
                "the chat template's generation prompt is not what it puts before an answer",
                where=self.where,
                mend="with add_generation_prompt let the template end with the header of the assistant's turn",
            )

    def neutral(self, text: str) -> str:
        """Make control tokens in data plain text: `<|im_end|>` becomes `< |im_end|>`, invisible controls go.

        Invisible characters go first, or a token hidden by one would appear when it goes.
        """
        text = INVISIBLE.sub("", text)
        while self._control.search(text):  # once is enough, unless what came out is a token again
            text = self._control.sub(_broken, text)
        return text

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Token ids up to where the assistant begins to speak."""
        text, spans = self._render(messages, ask=True)
        return self._pieces(text, self._cuts(text, spans))[0]

    def conversation(self, messages: Sequence[Message], *, train_on_inputs: bool = False) -> Rendered:
        """Render a whole conversation, masked to the assistant's turns; what follows the last of them is left out.

        Args:
            messages: the turns.
            train_on_inputs: every token is trained on, the template's own included, as alpaca-lora does. A conversation
                without an assistant's turn has nothing to train on all the same.

        """
        text, spans = self._render(messages)
        ids, starts = self._pieces(text, self._cuts(text, spans))
        mask, length = [0] * len(ids), 0
        for begin, end in spans:
            first, last = bisect_left(starts, begin), bisect_left(starts, end)
            mask[first:last] = [1] * (last - first)
            length = last if first < last else length
        if not length:
            return Rendered(ids, mask)
        return Rendered(ids[:length], [1] * length if train_on_inputs else mask[:length])

    def split(self, messages: Sequence[Message], limit: int, *, train_on_inputs: bool = False) -> list[Rendered]:
        """Render a conversation as rows of whole exchanges, each as long as `limit` tokens allow.

        An exchange is what is said up to the end of the assistant's answer. Every row begins with the system message;
        what came in an earlier row it does not see. What nobody answers is left out.

        Returns:
            The rows in order; none without an assistant's turn. An exchange that is too long alone is a row of its own,
            longer than `limit`: what becomes of it is the caller's rule.

        """
        system, exchanges = exchanges_of(messages)
        rows: list[Rendered] = []
        held: list[Message] = []  # the exchanges of the last row
        for exchange in exchanges:
            longer = self.conversation([*system, *held, *exchange], train_on_inputs=train_on_inputs)
            if held and len(longer.ids) <= limit:
                rows[-1] = longer
                held += exchange
            else:
                alone = [*system, *exchange]
                rows.append(self.conversation(alone, train_on_inputs=train_on_inputs) if held else longer)
                held = list(exchange)
        return [row for row in rows if any(row.mask)]

    def pair(self, prompt: Sequence[Message], answer: Sequence[Message]) -> tuple[list[int], list[int]]:
        """Token ids of the prompt and of the answer to it, end token included."""
        asked = self._render(prompt, ask=True)[0]
        text, spans = self._render([*prompt, *answer])
        if not text.startswith(asked) or not spans or spans[-1][1] <= len(asked):
            raise UserError(
                "the chat template renders a prompt differently once it is answered",
                where=self.where,
                mend="use a template whose generation prompt is the beginning of the assistant's turn",
            )
        answered = text[: spans[-1][1]]
        ids, starts = self._pieces(answered, [*self._cuts(answered, spans[:-1]), len(asked)])
        border = sum(start < len(asked) for start in starts)
        return ids[:border], ids[border:]

    def content(self, prompt: Sequence[Message], answer: str) -> tuple[list[int], list[int]]:
        """Token ids of all that stands before an answer's content, and of the content alone, without its end token.

        Needs no generation markers. Blanks around the content are left out, because templates differ in them; what a
        template puts before the content (an empty `<think>` block) belongs to the first part.

        Raises:
            UserError: the template leaves the answer out.

        """
        from utils.data.records import Message

        text, spans = self._render([*prompt, Message("assistant", _PLACE)])
        before, found, _ = text.rpartition(_PLACE)
        if not found:
            raise UserError("the chat template leaves out what the assistant says", where=self.where)
        cuts = [*self._cuts(before, [span for span in spans if span[1] <= len(before)]), len(before)]
        ids, starts = self._pieces(before + self.neutral(answer).strip(), cuts)
        border = sum(start < len(before) for start in starts)
        return ids[:border], ids[border:]

    def document(self, text: str) -> Rendered:
        """Render a pretraining document: every token is trained on, between the model's own begin and end tokens."""
        begin, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        ids = [*([] if begin is None else [begin]), *self._pieces(self.neutral(text))[0], end]
        return Rendered(ids, [1] * len(ids))

    def _render(self, messages: Sequence[Message], *, ask: bool = False) -> tuple[str, list[tuple[int, int]]]:
        """Text of the conversation, and the character spans of what is trained on."""
        text, spans = self._marks(messages, ask=ask)
        return text, [self._narrowed(text, begin, end) for begin, end in spans]

    def _marks(self, messages: Sequence[Message], *, ask: bool = False) -> tuple[str, list[tuple[int, int]]]:
        """Text of the conversation, and the character spans between the generation markers."""
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        chat = [{"role": self.neutral(message.role), "content": self.neutral(message.content)} for message in messages]
        try:
            rendered: Any = render_jinja_template(
                [chat],
                chat_template=self._template,
                add_generation_prompt=ask,
                return_assistant_tokens_mask=self._marked,
                **cast("dict[str, Any]", self.tokenizer.special_tokens_map),
            )
        except TemplateError:
            raise  # what the template itself says: it may have no place for this conversation
        except Exception as error:
            what = f"the chat template fails: {type(error).__name__}: {error}"
            raise UserError(what, where=self.where, mend="correct the template, or name another one") from error
        texts, spans = rendered
        return texts[0], list(spans[0]) if self._marked else []

    @cached_property
    def _header(self) -> str:
        """What the generation prompt has at its end and the template between its markers: never trained on.

        Such as the line break after `<|im_start|>assistant`, or an empty `<think>` block.
        """
        asked = self._marks(_probe()[:1], ask=True)[0]
        text, spans = self._marks(_probe())
        return asked[spans[0][0] :] if spans and text.startswith(asked) else ""

    def _narrowed(self, text: str, begin: int, end: int) -> tuple[int, int]:
        """Leave out of a span the header before the answer, and blanks after its end token."""
        begin += len(self._header) if text.startswith(self._header, begin, end) else 0
        whole = begin + len(text[begin:end].rstrip())
        return begin, whole if text.endswith(self._special, begin, whole) else end

    def _cuts(self, text: str, spans: Sequence[tuple[int, int]]) -> list[int]:
        """Where the assistant begins to speak, and where it ends unless a special token stands there: that is a cut."""
        ends = [end for _, end in spans if not text.endswith(self._special, 0, end)]
        return [*(begin for begin, _ in spans), *ends]


def _probe() -> list[Message]:
    from utils.data.records import Message

    return [Message("user", _QUESTION), Message("assistant", _ANSWER)]


def exchanges_of(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    """Return the system messages at the beginning, and the exchanges: turns up to the end of an assistant's answer."""
    first = next((place for place, message in enumerate(messages) if message.role != "system"), len(messages))
    exchanges: list[list[Message]] = []
    answered = True
    for message in messages[first:]:
        if answered and message.role != "assistant":
            exchanges.append([])
        answered = message.role == "assistant"
        exchanges = exchanges or [[]]  # the assistant speaks first
        exchanges[-1].append(message)
    return list(messages[:first]), exchanges


def _broken(found: re.Match[str]) -> str:
    """Put a space after the first character of a control token; one that a space cannot break is removed."""
    token = found[0]
    return f"{token[0]} {token[1:]}" if len(token) > 1 and not token.isspace() else ""


def open_template(model: Path, template: str | None = None) -> ChatTemplate:
    """Load a model's tokenizer with a chat template, and check that this marks what the assistant says.

    A template that is named gets the special tokens that it needs: where the tokenizer lacked any, the model needs
    `template_files.fit_embeddings`.

    Args:
        model: a Hugging Face model directory or one of our finished training runs.
        template: a shipped name or a `.jinja` file; by default the model's own.

    Raises:
        UserError: an unknown name, a template without usable marks, or the model's own needs tokens that it lacks.

    """
    directory = resolve_model(model)
    tokenizer = load_tokenizer(directory)
    where = str(model) if template is None else f"template: {template}"
    if template is not None:
        with_tokens(tokenizer, template)
    opened = ChatTemplate(tokenizer, where=where)
    if lacking := needed_tokens(tokenizer, str(tokenizer.chat_template)):
        raise UserError(
            f"the chat template needs special tokens that the tokenizer lacks: {', '.join(map(repr, lacking))}",
            where=where,
            mend="name the template in the config (template: …): then they are added",
        )
    opened.require_mask(_ends(directory))
    return opened


def _ends(directory: Path) -> list[int]:
    """Return the tokens at which the model's generation config stops."""
    file = directory / "generation_config.json"
    if not file.is_file():
        return []
    said = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id")
    return said if isinstance(said, list) else [] if said is None else [said]
