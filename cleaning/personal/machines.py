"""Addresses of machines on the public network (IPv4)."""

from __future__ import annotations

import ipaddress
import re

from cleaning.personal.surroundings import before

_IP = re.compile(
    r"(?<![\w.#-])(?:(?<!:)|(?<=[^\d:]:)(?<!:[\da-fA-F]{4}:))(?:(?<!/)|(?<=//))(?:(?<!@)|(?<=\w@))"
    r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w-]|\.\w)",
    re.ASCII,
)
_WORD = re.compile(
    r"(?:\bip|地址|服务器|主机|网关|\bhost|server|\bping|\bdns|address|登录|访问|来自|from|ssh|telnet|://)[^\n\d]{0,12}$"
)
_PORT = re.compile(r":\d{2,5}(?!\d)|,? ?(?:on |at )?port\b|[，,]?端口")
_VERSION = re.compile(
    r"(?:版本|固件|版|version|\bver|\bv|release|firmware|build|章|节|条|款|表|图|例|比|section|chapter|table|figure|ratio)"
    r"[^\n\d]{0,6}$"
)
# Addresses of public name servers, which stand in manuals and are nobody's own.
_RESOLVERS = frozenset(
    ["8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "114.114.114.114", "223.5.5.5", "223.6.6.6"]
)


def address_end(text: str, at: int) -> int | None:
    """Return where the public address that begins here ends: no private, local or documentation range, no version.

    Without a word or a port, its first number is 30 or more and one is 100 or more: so are most addresses, and few
    versions, chapters and ratios.
    """
    match = _IP.match(text, at)
    if match is None:
        return None
    number = match.group()
    try:
        is_global = ipaddress.IPv4Address(number).is_global
    except ValueError:
        return None
    earlier = before(text, at)
    if number in _RESOLVERS or not is_global or _VERSION.search(earlier):
        return None
    parts = [int(part) for part in number.split(".")]
    told = _WORD.search(earlier) or _PORT.match(text, match.end())
    return match.end() if told or (parts[0] >= 30 and max(parts) >= 100) else None
