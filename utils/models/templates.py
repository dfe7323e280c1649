"""Messages to token ids, through the model's own chat template, with the mask of what the model itself says.

What is trained must be what is seen at inference: there the prompt is tokenised alone and the model goes on from its
last token. A token that straddles the border between prompt and answer (two line breaks merged into one, say) would
never be seen then, so the text is cut there before it is tokenised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from utils.errors import UserError
from utils.models.locate import load_tokenizer, resolve_model

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from utils.data.records import Message

GENERATION_MARKER = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
INVISIBLE = re.compile("[\u200b\u2060\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Zero-width and bidirectional controls. The joiners U+200C and U+200D stay: emoji and several scripts need them."""

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


class ChatTemplate:
    """A tokenizer's own chat template, checked once: it marks the assistant's tokens, the end token among them."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, where: str | None = None) -> None:
        self.tokenizer = tokenizer
        self.where = where or str(tokenizer.name_or_path)
        added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
        special = sorted(added | set(map(str, tokenizer.all_special_tokens)), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, special)) or r"(?!)")
        self._special_ids = frozenset(tokenizer.added_tokens_encoder[token] for token in special)
        template = tokenizer.chat_template
        if not isinstance(template, str):
            raise UserError("the tokenizer has no chat template", where=self.where, mend="add a chat_template.jinja")
        self._template = template

    def require_mask(self) -> None:
        """Refuse a template that cannot tell what the assistant says, or would train a model that never stops.

        Raises:
            UserError: no `{% generation %}` markers, or the end token lies outside of them.

        """
        from utils.data.records import Message

        mend = "put {% generation %} … {% endgeneration %} around the assistant's content and end token in the template"
        if not GENERATION_MARKER.search(self._template):
            raise UserError("the chat template has no {% generation %} markers", where=self.where, mend=mend)
        probe = self.conversation([Message("user", "a"), Message("assistant", "b")])
        trained = [token for token, on in zip(probe.ids, probe.mask, strict=True) if on]
        if not trained or trained[-1] not in self._special_ids:
            raise UserError("the end token lies outside the {% generation %} markers", where=self.where, mend=mend)

    def neutral(self, text: str) -> str:
        """Make control tokens in data plain text: `<|im_end|>` becomes `< |im_end|>`, invisible controls go.

        Invisible characters go first, or a token hidden by one would appear when it goes.
        """
        text = INVISIBLE.sub("", text)
        while self._special.search(text):  # once is enough, unless what came out is a token again
            text = self._special.sub(_broken, text)
        return text

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Token ids up to where the assistant begins to speak."""
        return self._encode(self._render(messages, ask=True)[0], borders=())[0]

    def conversation(self, messages: Sequence[Message]) -> Rendered:
        """Render a whole conversation, masked to the assistant's turns; what follows the last of them is left out."""
        text, spans = self._render(messages)
        ids, starts = self._encode(text, borders=[border for span in spans for border in span])
        mask = [int(any(begin <= start < end for begin, end in spans)) for start in starts]
        length = max((place + 1 for place, on in enumerate(mask) if on), default=len(ids))
        return Rendered(ids[:length], mask[:length])

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
        ids, starts = self._encode(text[: spans[-1][1]], borders=[len(asked)])
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

        before, found, _ = self._render([*prompt, Message("assistant", _PLACE)])[0].rpartition(_PLACE)
        if not found:
            raise UserError("the chat template leaves out what the assistant says", where=self.where)
        ids, starts = self._encode(before + self.neutral(answer).strip(), borders=[len(before)])
        border = sum(start < len(before) for start in starts)
        return ids[:border], ids[border:]

    def document(self, text: str) -> Rendered:
        """Render a pretraining document: every token is trained on, between the model's own begin and end tokens."""
        begin, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        ids = [*([] if begin is None else [begin]), *self._encode(self.neutral(text), borders=())[0], end]
        return Rendered(ids, [1] * len(ids))

    def _render(self, messages: Sequence[Message], *, ask: bool = False) -> tuple[str, list[tuple[int, int]]]:
        """Text of the conversation, and the character spans between the generation markers."""
        from transformers.utils.chat_template_utils import render_jinja_template

        chat = [{"role": self.neutral(message.role), "content": self.neutral(message.content)} for message in messages]
        marked = bool(GENERATION_MARKER.search(self._template))
        rendered: Any = render_jinja_template(
            [chat],
            chat_template=self._template,
            add_generation_prompt=ask,
            return_assistant_tokens_mask=marked,
            **cast("dict[str, Any]", self.tokenizer.special_tokens_map),
        )
        texts, spans = rendered
        return texts[0], list(spans[0]) if marked else []

    def _encode(self, text: str, borders: Iterable[int]) -> tuple[list[int], list[int]]:
        """Token ids and the character that each begins at, with no token across a border."""
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets = encoded["offset_mapping"]
        cuts = sorted({border for border in borders if any(start < border < end for start, end in offsets)})
        if not cuts:
            return list(encoded["input_ids"]), [start for start, _ in offsets]
        ids: list[int] = []
        starts: list[int] = []
        for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            piece_ids, piece_starts = self._encode(text[begin:end], borders=())
            ids += piece_ids
            starts += [begin + start for start in piece_starts]
        return ids, starts


def _broken(found: re.Match[str]) -> str:
    """Put a space after the first character of a control token; one that a space cannot break is removed."""
    token = found[0]
    return f"{token[0]} {token[1:]}" if len(token) > 1 and not token.isspace() else ""


def open_template(model: Path) -> ChatTemplate:
    """Load a model's tokenizer and check that its chat template marks what the assistant says.

    Args:
        model: a Hugging Face model directory or one of our finished training runs.

    """
    template = ChatTemplate(load_tokenizer(resolve_model(model)), where=str(model))
    template.require_mask()
    return template
