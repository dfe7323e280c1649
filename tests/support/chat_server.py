"""A chat endpoint that misbehaves as told: a real HTTP server on loopback, in a thread.

Each call takes the next step of the script; after the last step, all calls are answered.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Step:
    """One reply: None as body means a proper answer."""

    status: int = 200
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drip_s: float = 0.0
    """Seconds between the bytes of the body."""
    head_drip_s: float = 0.0
    """Seconds between the bytes of a header without end."""
    declared: int | None = None
    """Content-Length, when it is to be a lie."""
    hang_up: bool = False
    """Close the connection without a word."""
    drop: bool = False
    """Close the connection after the reply, although it said nothing of that."""


@dataclass
class Call:
    """What the server was asked, when, and how many were under way with it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float
    together: int


def proper(body: dict[str, Any], text: str | None = None) -> dict[str, Any]:
    """The answer of a well-behaved server: it repeats the last message."""
    said = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
    text = f"echo {said}" if text is None else text
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    choice |= {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
    if body.get("top_logprobs"):
        listed = [{"token": "8", "logprob": -0.1}, {"token": "9", "logprob": -2.5}]
        choice["logprobs"] = {"content": [{"token": "8", "logprob": -0.1, "top_logprobs": listed}]}
    elif body.get("logprobs"):
        choice["logprobs"] = {"top_logprobs": [{"8": -0.1, "9": -2.5}]}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"id": "x", "model": body["model"], "choices": [choice], "usage": usage}


class ChatServer(ThreadingHTTPServer):
    """The server; `calls` holds what it was asked."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        script: Sequence[Step],
        *,
        always: Step | None = None,
        no_schema: bool = False,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.script = list(script)
        self.always = always or Step()
        self.no_schema = no_schema
        self.calls: list[Call] = []
        self.under_way = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what the tests want."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.server
        with server.lock:
            server.under_way += 1
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.calls.append(Call(self.path, headers, body, time.monotonic(), server.under_way))
            step = server.script.pop(0) if server.script else server.always
            if server.no_schema and "response_format" in body:
                step = Step(400, '{"error": {"message": "response_format is not supported"}}')
        try:
            self._reply(step, body)
        finally:
            with server.lock:
                server.under_way -= 1

    do_GET = do_POST

    def _reply(self, step: Step, body: dict[str, Any]) -> None:
        time.sleep(step.delay_s)
        if step.hang_up:
            self.close_connection = True
            return
        if step.head_drip_s:
            self._drip_head(step.head_drip_s)
            return
        content = (step.body if step.body is not None else json.dumps(proper(body))).encode()
        self.send_response(step.status)
        for name, value in step.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if step.declared is None else step.declared))
        self.end_headers()
        if step.declared is not None or step.drop:
            self.close_connection = True
        for byte in range(len(content)) if step.drip_s else ():
            self.wfile.write(content[byte : byte + 1])
            self.wfile.flush()
            time.sleep(step.drip_s)
        if not step.drip_s:
            self.wfile.write(content)

    def _drip_head(self, pause_s: float) -> None:
        """Begin a header, and go on until the client has had enough."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(1000):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(pause_s)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def chat_server(
    *script: Step,
    always: Step | None = None,
    no_schema: bool = False,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[ChatServer]:
    """Run a server for as long as the context lasts; with a certificate and its key, over https."""
    server = ChatServer(script, always=always, no_schema=no_schema, certificate=certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
