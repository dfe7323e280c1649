"""Where data may go (S10), and the secret that goes with it (S9)."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from utils.errors import UserError

if TYPE_CHECKING:
    from utils.runs.config import SecretRef

MASK = "***"
_SHORTEST_KEY = 8  # characters, as in utils.runs.logs


def check_url(url: str, allow_hosts: Collection[str], *, insecure: bool) -> None:
    """Refuse a URL that may not be called.

    Args:
        url: scheme, host, perhaps a port and a path; no user, query or fragment, where secrets would be seen.
        allow_hosts: hosts that data may be sent to, beside this one.
        insecure: whether plain http may leave this host.

    Raises:
        ValueError: why not, and what would allow it.

    """
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("the URL holds a user, a query or a fragment; a key is given as api_key=env:NAME")
    host, port = parts.hostname, parts.port  # an impossible port raises ValueError
    written = f"[{host}]" if host and ":" in host else host
    plain = parts.netloc.lower().removesuffix(f":{port}") == written  # or others may read another host in it
    plain = plain and url.isprintable() and not any(mark in url for mark in " \\%")
    if parts.scheme not in {"http", "https"} or not host or not plain:
        raise ValueError(f"{url!r} is no http(s) URL with a host")
    if is_loopback(url):
        return
    if host not in {allowed.lower() for allowed in allow_hosts}:
        raise ValueError(f"data would leave this machine for {host}; to allow it: allow_hosts: [{host}]")
    if parts.scheme == "http" and not insecure:
        raise ValueError(f"plain http to {host} could be read by anybody on the way; use https or insecure: true")


def is_loopback(url: str) -> bool:
    """Tell whether a URL's host is this one: `localhost` or a loopback address, never a name that begins like one."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(url: str) -> str:
    """Return scheme, host and port of a checked URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def read_secret(reference: SecretRef | None) -> SecretStr | None:
    """Return the secret, masked in every representation of it.

    Raises:
        UserError: it is missing, empty, or cannot stand in a header.

    """
    if reference is None:
        return None
    secret = reference.reveal().strip()
    if not secret or not secret.isascii() or not secret.isprintable():
        raise UserError(f"what {reference.reference} holds is no key", mend="one line of ASCII, nothing else")
    return SecretStr(secret)


def masked(text: str, secret: SecretStr | None) -> str:
    """Return a text without the secret; one too short to be a key (`EMPTY`, for a server of one's own) stays."""
    value = secret.get_secret_value() if secret is not None else ""
    return text.replace(value, MASK) if len(value) >= _SHORTEST_KEY else text


def masked_tree(value: Any, secret: SecretStr | None) -> Any:
    """Return parsed JSON without the secret, which may have stood escaped in its text."""
    if isinstance(value, str):
        return masked(value, secret)
    if isinstance(value, dict):
        return {masked(name, secret): masked_tree(inner, secret) for name, inner in value.items()}
    return [masked_tree(inner, secret) for inner in value] if isinstance(value, list) else value
