"""Keys to services: by the prefix that their makers give them, behind a word that says so, or as a block."""

from __future__ import annotations

import re

from cleaning.personal.found import Found

# `sk-` and the like need a digit: `sk-learn-contrib` is a name.
_PREFIXED = re.compile(
    r"[sALghxrpe](?<![\w-].)(?:(?<=s)k-(?:[a-z]+[0-9]*-){0,3}[A-Za-z0-9_-]{20,200}|(?<=A)(?:KIA|SIA)[A-Z0-9]{16}"
    r"|(?<=L)TAI[A-Za-z0-9]{12,26}"
    r"|(?<=g)h[pousr]_[A-Za-z0-9]{36,251}|(?<=g)ithub_pat_[A-Za-z0-9_]{22,251}|(?<=g)lpat-[A-Za-z0-9_-]{20,64}"
    r"|(?<=h)f_[A-Za-z0-9]{30,64}|(?<=A)Iza[A-Za-z0-9_-]{33,40}|(?<=x)ox[abeoprs]-[A-Za-z0-9-]{10,250}"
    r"|(?<=[srp])k_(?:live|test)_[A-Za-z0-9]{16,250}"
    r"|(?<=e)yJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{16,2000})(?![\w-])",
    re.ASCII,
)
# Opaque and long, behind `Bearer`, or behind a name and a sign.
_NAMED = re.compile(
    r"[BbAaSsTtCc](?i:(?<=b)(?<![a-z].)earer {1,2}"
    r"|(?:(?<=a)(?:pi|ccess|uth)|(?<=s)ecret|(?<=c)lient)[ _-]?(?:key|token|secret)[\"']? ?[:=：] ?[\"']?"
    r"|(?:(?<=t)oken|(?<=s)ecret)(?:\"|')?[:=：] ?[\"']?)"
    r"(?P<value>[A-Za-z0-9_-][A-Za-z0-9_+/.~-]{19,4000}={0,2})(?![\w@-])",
    re.ASCII,
)
NAMES = (
    "bearer ",
    *(f"{one}{gap}{two}" for one in ("api", "access", "auth", "client", "secret") for gap in ("", "_", "-", " ")
      for two in ("key", "token", "secret")),
    *(f"{name}{sign}" for name in ("token", "secret") for sign in ("=", ":", "：", '"', "'")),
)  # fmt: skip
"""Of these one is before each."""
_BLOCK = re.compile(
    r"-----BEGIN (?P<of>(?:[A-Z]{2,9} ){0,2})PRIVATE KEY-----(?:[^-]|-(?!----)){32,12000}+-----END "
    r"(?P=of)PRIVATE KEY-----"
)
NEEDS = (
    r"(?:sk-|A[KS]IA|LTAI|gh[pousr]_|github_pat_|glpat-|hf_|AIza|xox[abeoprs]-|[srp]k_(?:live|test)_|eyJ)[A-Za-z0-9_-]{8}"
    "|PRIVATE KEY-----",
    r"(?i:bearer|key|token|secret)[\"']?(?: ?[:=：])? ?[\"']?[A-Za-z0-9_+/.~-]{20}",
)
_NO_DIGIT = re.compile(r"\D+")
_TURN = re.compile(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])|[a-z](?=[A-Z])")
_STANDS_FOR_ONE = re.compile(r"your|example|placeholder|xxxx|1234567890|://|\.(?:com|html?|js|py)\b", re.IGNORECASE)


def find(text: str) -> list[Found]:
    """Return where keys are, those of a block first."""
    found: list[Found] = []
    for expression, is_meant in ((_BLOCK, _is_anything), (_PREFIXED, _is_key), (_NAMED, _is_opaque)):
        for match in expression.finditer(text):
            start, end = match.span("value" if expression is _NAMED else 0)
            if is_meant(text[start:end]) and all(end <= other.start or other.end <= start for other in found):
                found.append(Found(start, end, "api_key"))
    return sorted(found)


def _is_anything(key: str) -> bool:
    return True


def _is_key(key: str) -> bool:
    """Leave what is written in place of a key: one letter over and over, words."""
    return len(set(key)) >= 8 and (key.startswith(("AKIA", "ASIA")) or not _NO_DIGIT.fullmatch(key))


def _is_opaque(key: str) -> bool:
    """Tell whether characters are of many sorts and spell no words: small and large letters and digits in turn."""
    if len(set(key)) < 10 or _STANDS_FOR_ONE.search(key) or _NO_DIGIT.fullmatch(key):
        return False
    return len(_TURN.findall(key)) >= 4
