"""How the tests ask an endpoint: in this process, or in one that may be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

from tests.support.tiny import ROOT
from utils.data.records import Message
from utils.models.chat.config import EndpointConfig
from utils.models.chat.protocol import Request, Sampling

FAST = {"first_wait_s": 0.01, "longest_wait_s": 0.02, "timeout_s": 5}


def ask_for(*texts, **sampling):
    return [Request((Message("user", text),), Sampling(**sampling)) for text in texts]


@contextmanager
def opened(server, run, *, limits=None, **keys):
    config = EndpointConfig.model_validate(
        {"kind": "endpoint", "base_url": server.url, "model": "m", "limits": FAST | (limits or {}), **keys}
    )
    with config.open(run) as model:
        yield model


CHILD = """
import json, os, signal, sys
from pathlib import Path
from utils.data.records import Message
from utils.models.chat import paid
from utils.models.chat.config import EndpointConfig
from utils.models.chat.protocol import Request

url, run, texts, limits, dies = json.loads(sys.argv[1])
real, lines = paid._write_at, []


def write_half(descriptor, line, place):
    lines.append(line)
    if len(lines) == dies:
        os.pwrite(descriptor, line[: len(line) // 2], place)
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor, line, place)


paid._write_at = write_half
config = EndpointConfig.model_validate(dict(kind="endpoint", base_url=url, model="m", limits=limits))
with config.open(Path(run)) as model:
    answers = model.ask([Request((Message("user", text),)) for text in texts])
assert [answer.text for answer in answers] == ["echo " + text for text in texts]
if dies == "before the commit":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def ask_in_child(server, run, texts, limits, dies=None):
    """Ask in a process of its own, which kills itself in the middle of a line (its number) or before the commit."""
    argument = json.dumps([server.url, str(run), texts, FAST | limits, dies])
    return subprocess.Popen([sys.executable, "-c", CHILD, argument], env={**os.environ, "PYTHONPATH": str(ROOT)})


def wait_for(happened, seconds=30):
    limit = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < limit
        time.sleep(0.02)
