"""`{"id", "source", "prompt", "chosen", "reject"}`, also with `rejected`; prompt a text, texts or messages."""

from __future__ import annotations

from utils.data.formats.base import Format, Messages, Row, RowError, Text, Turn, as_messages, one_each, turns


def _matches(row: Row) -> bool:
    return "prompt" in row and "chosen" in row and ("reject" in row or "rejected" in row) and not conversational(row)


def conversational(row: Row) -> bool:
    """Tell whether prompt and chosen are both lists of objects, which is TRL's form."""
    return all(
        isinstance(row[key], list) and row[key] and isinstance(row[key][0], dict) for key in ("prompt", "chosen")
    )


def sides(row: Row) -> tuple[list[Text], list[Text], list[Text]]:
    """Return the texts of prompt, chosen and rejected.

    Raises:
        RowError: a value under both spellings of the rejected key, a prompt that does not end with the user, or an
            answer that begins with the user (then it holds the prompt a second time).

    """
    prompt = turns(row, ("prompt",), "user")
    answers = [turns(row, (key,), "assistant") for key in ("chosen", _rejected_key(row))]
    if prompt[-1][1] != "user":
        raise RowError(f"prompt ends with the {prompt[-1][1]}, not with the user")
    for answer in answers:
        if answer[0][1] != "assistant" or answer[-1][1] != "assistant":
            raise RowError(f"{answer[0][0][0]} must begin and end with the assistant")
    return prompt, answers[0], answers[1]


def _rejected_key(row: Row) -> str:
    """Return the spelling under which the worse answer stands; in merged tables the other one is null."""
    present = [key for key in ("reject", "rejected") if key in row]
    given = [key for key in present if row[key] is not None]
    if len(given) > 1:
        raise RowError("both reject and rejected in the row")
    return (given or present or ["rejected"])[0]


def texts(row: Row) -> list[Text]:
    """Return the texts of all three sides."""
    return [text for side in sides(row) for text in side]


def better(texts: list[Text]) -> list[Turn]:
    """Return the prompt and the chosen answer."""
    return one_each([text for text in texts if text[0][0] in ("prompt", "chosen")])


def preference(row: Row) -> tuple[Messages, Messages, Messages]:
    """Return prompt, chosen and rejected messages."""
    prompt, chosen, rejected = sides(row)
    return as_messages(prompt), as_messages(chosen), as_messages(rejected)


FORMAT = Format("preference", _matches, texts, better, preference)
