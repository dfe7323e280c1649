"""Dirt, put into the last turn of a clean row, and the truth about it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from cleaning.sample_maker.banks import joined
from cleaning.sample_maker.carriers import HEAD_ADS, TAIL_ADS, URL_NOTES
from cleaning.sample_maker.pieces import Draft

Dice = random.Random
Soil = Callable[[Draft, list[str], Dice], str]

_DIGIT = re.compile(r"\d")
_INVISIBLE = ("\u200b", "\u200e", "\ufeff", "\u00ad", "\u202e", "\u2060", "\x07", "\x7f")
_RUNS = {"zh": ("！！！！！！！！", "。。。。。。。。", "？？？？？？？？"), "en": ("!!!!!!!!", "????????", "........")}
_TYPOGRAPHIC = (
    "That’s the short answer – the “long” one fills whole books.",
    "It’s a question I’m asked in every café – and I’m always glad to answer.",
    "If you’re in a hurry – “vis-à-vis” a deadline, say – that’s all you’ll need.",
)


def soil(draft: Draft, kind: str, sentences: list[str], dice: Dice) -> Draft:
    """Put one kind of dirt into the last turn, which consists of these sentences; return the draft."""
    draft.turns[-1] = KINDS[kind](draft, sentences, dice)
    draft.dirt.append(kind)
    return draft


def _markup(draft: Draft, sentences: list[str], dice: Dice) -> str:
    """Leave tags, entities and comments as careless extraction from pages does."""
    first, *others = sentences
    style = dice.randrange(5)
    if style == 0:
        pieces, planted = [f"<p>{first}</p>", *(f"<p>{other}</p>" for other in others)], ["<p>", "</p>"]
    elif style == 1:
        pieces, planted = [f"<b>{first}</b><br>", *(f"{other}<br/>" for other in others)], ["<b>", "<br>", "<br/>"]
    elif style == 2:
        opening = '<span style="color:#333">'
        pieces, planted = [f"{opening}{first}</span>&nbsp;", *others], [opening, "</span>", "&nbsp;"]
    elif style == 3:
        end, entity = ("。", "&#12290;") if draft.lang == "zh" else (".", "&#46;")
        pieces, planted = [sentence.replace(end, entity) for sentence in sentences], [entity]
    else:
        pieces, planted = [f'<div class="para">{sentence}</div>' for sentence in sentences], ["<div", "</div>"]
    text = joined(draft.lang, pieces)
    draft.vanish += [("markup", one) for one in planted if one in text]
    draft.survive += [("text", sentence) for sentence in sentences]
    return text


def _comment(draft: Draft, sentences: list[str], dice: Dice) -> str:
    """Leave a comment; not in instructions, where it may be what the row is about."""
    comment = "<!-- 广告位 -->" if draft.lang == "zh" else "<!-- ad slot 3 -->"
    at = dice.randrange(1, len(sentences))
    draft.vanish.append(("comment", comment))
    draft.survive += [("text", sentence) for sentence in sentences]
    return joined(draft.lang, [*sentences[:at], comment, *sentences[at:]])


def _invisible(draft: Draft, sentences: list[str], dice: Dice) -> str:
    """Scatter characters that nobody sees, inside words too."""
    text = joined(draft.lang, sentences)
    planted = dice.sample(_INVISIBLE, 3)
    for character in planted:
        at = dice.randrange(2, len(text) - 2)
        text = text[:at] + character + text[at:]
    draft.vanish += [("invisible", character) for character in planted]
    draft.survive += [("text", sentence) for sentence in sentences]
    return text


def _mojibake(draft: Draft, sentences: list[str], dice: Dice) -> str:
    """Read the UTF-8 bytes of the text as Latin-1 or Windows-1252, as a wrong declaration of the charset does."""
    text = joined(draft.lang, sentences)
    if draft.lang == "en":  # what is beyond ASCII in English: typographic marks, accents
        tail = dice.choice(_TYPOGRAPHIC)
        text = draft.plain[-1] = f"{text} {tail}"
    wrong = dice.choice([_as_windows, _as_latin])
    damaged = "".join(map(wrong, text.encode()))
    draft.vanish.append(("mojibake", damaged[:60] if draft.lang == "zh" else "".join(map(wrong, "’".encode()))))
    draft.survive.append(("repaired", text if draft.lang == "zh" else tail))
    return damaged


def _as_latin(byte: int) -> str:
    return chr(byte)


def _as_windows(byte: int) -> str:
    """Return the character of a byte in Windows-1252; bytes without one stay as they are, as browsers read them."""
    return bytes([byte]).decode("cp1252", errors="ignore") or chr(byte)


def _punctuation(draft: Draft, sentences: list[str], dice: Dice) -> str:
    """Repeat a mark."""
    run = dice.choice(_RUNS[draft.lang])
    at = dice.randrange(len(sentences))
    draft.vanish.append(("punctuation", run))
    draft.survive += [("text", sentence[:-1]) for sentence in sentences]
    soiled = [sentence[:-1] + run if place == at else sentence for place, sentence in enumerate(sentences)]
    return joined(draft.lang, soiled)


def _repetition(draft: Draft, sentences: list[str], dice: Dice) -> str:
    """Say one sentence again and again, as a stuck generator does; one without a figure, as those are left alone."""
    at = dice.choice([at for at, sentence in enumerate(sentences) if not _DIGIT.search(sentence)])
    again = joined(draft.lang, [sentences[at]] * dice.choice([5, 6, 8]))
    draft.vanish.append(("repetition", joined(draft.lang, [sentences[at]] * 2)))
    draft.survive += [("text", sentence[:-1]) for sentence in sentences]
    return joined(draft.lang, [*sentences[:at], again, *sentences[at + 1 :]])


def _blanks(draft: Draft, sentences: list[str], dice: Dice) -> str:
    """Windows line ends, blanks before them, empty lines."""
    draft.vanish += [("blanks", "\r"), ("blanks", "\n\n\n")]
    draft.survive += [("text", sentence) for sentence in sentences]
    return f"{sentences[0]}  \r\n" + "\r\n\r\n\r\n\r\n".join(sentences[1:]) + dice.choice(["\r\n", " \t\n\n"])


def _ads(draft: Draft, sentences: list[str], dice: Dice) -> str:
    """Advertise before, after or on both sides."""
    ends = dice.choice(["head", "tail", "both"])
    head = [dice.choice(HEAD_ADS[draft.lang])] if ends != "tail" else []
    tail = dice.sample(TAIL_ADS[draft.lang], dice.choice([1, 2])) if ends != "head" else []
    draft.vanish += [("ads", ad) for ad in head + tail]
    draft.survive += [("text", sentence) for sentence in sentences]
    return "\n".join([*head, joined(draft.lang, sentences), *tail])


def _url(draft: Draft, sentences: list[str], dice: Dice) -> str:
    """Point to a page in the middle of the text."""
    word = dice.choice(["notes", "archive", "gallery", "paper", "guide"])
    url = f"https://{word}.demo-site.org/p/{dice.randrange(100, 999)}?id={dice.randrange(10, 99)}&from=list"
    note = dice.choice(URL_NOTES[draft.lang]).format(url)
    draft.vanish.append(("url", url))
    draft.survive += [("text", sentence) for sentence in sentences]
    at = dice.randrange(1, len(sentences))
    return joined(draft.lang, [*sentences[:at], note, *sentences[at:]])


KINDS: dict[str, Soil] = {
    "markup": _markup,
    "comment": _comment,
    "invisible": _invisible,
    "mojibake": _mojibake,
    "punctuation": _punctuation,
    "repetition": _repetition,
    "blanks": _blanks,
    "ads": _ads,
    "url": _url,
}
