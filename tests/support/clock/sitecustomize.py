"""On the path of a process under test: a clock that is years ahead and jumps back an hour at every other question."""

import itertools
import os
import time

_AHEAD = float(os.environ.get("CLOCK_AHEAD_S", "0"))
_JUMP = itertools.cycle((0, -3600))
_true = time.time

if _AHEAD:
    time.time = lambda: _true() + _AHEAD + next(_JUMP)
    time.time_ns = lambda: int(time.time() * 1e9)
