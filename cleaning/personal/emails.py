"""Addresses of mail: tried only at an `@`, from the beginning of the name before it."""

from __future__ import annotations

import re
import string

from cleaning.personal.found import Found

NEEDS = (r"[A-Za-z0-9_.+%-]@[A-Za-z0-9][A-Za-z0-9-]*\.[A-Za-z0-9]",)
_NAME = string.ascii_letters + string.digits + "_.+%-"
_LONGEST = 64  # RFC 5321, 4.5.3.1.1
# A host, not one of a version (`pkg@4.17.21.tgz`) or a file (`icon@2x.png`); not of a remote (`git@host:path`).
_HOST = re.compile(
    r"@(?!\d{1,2}\.)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}"
    r"(?!(?:png|jpe?g|gif|svg|webp|ico|pdf|jsx?|tsx?|css|html?|json|ya?ml|tar|tgz|gz|zip|whl|exe|jar|apk|txt)(?![\w-]))"
    r"[A-Za-z]{2,24}(?![\w@-]|:(?!\d{2,5}(?![\w/:]))[\w~/]|\.\w)",
    re.ASCII,
)
# A password before a host: `scheme://user:password@host`.
_IN_URL = re.compile(r"://[^\s/@]{1,60}:$")
# RFC 2606 and RFC 6761: names that documentation may use and nobody can have; and `example` under other domains.
_DOCUMENTATION = re.compile(r"[@＠.]example\.[a-z]{2,3}(?:\.[a-z]{2})?$|\.(?:example|test|invalid|localhost)$")


def is_for_documentation(address: str) -> bool:
    """Tell whether nobody can have an address."""
    return _DOCUMENTATION.search(address) is not None


def find(text: str) -> list[Found]:
    """Return where addresses are."""
    found: list[Found] = []
    end, at = 0, text.find("@")
    while at >= 0:
        if host := _HOST.match(text, at):
            before = text[max(end, at - _LONGEST - 1) : at]
            name = before[len(before.rstrip(_NAME)) :].lstrip(".+%-")
            start = at - len(name)
            if name and len(name) <= _LONGEST and not _is_of_an_address(text, start):
                end = host.end()
                found.append(Found(start, end, "email"))
        at = text.find("@", max(at + 1, end))
    return found


def _is_of_an_address(text: str, start: int) -> bool:
    before = text[start - 1 : start]
    return before in ("/", "@") or (before == ":" and _IN_URL.search(text, max(0, start - 80), start) is not None)
