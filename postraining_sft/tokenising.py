"""Deciding about records, by one process or by several: the outcome and its order are the same."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

from utils.errors import StageFailedError
from utils.execution.executor import cpu_count, environment, thread_environment
from utils.runs.signals import follow_parent

if TYPE_CHECKING:
    from utils.data.records import Record

BATCH = 256
BYTES_PER_WORKER = 64 << 20
"""A worker takes seconds and half a gigabyte to start: fewer bytes are not worth one more."""

MOST_WORKERS = 16

Decided = TypeVar("Decided")
Decide = Callable[["Record"], Decided]

_decide: Decide[object]


def workers_for(text_bytes: int) -> int:
    """Return how many processes tokenise this much text; 1 is this process itself."""
    return max(1, min(cpu_count(), MOST_WORKERS, text_bytes // BYTES_PER_WORKER))


def decided(
    records: Iterable[Record], decide: Decide[Decided], *, workers: int, check: Callable[[], None]
) -> Iterator[tuple[Record, Decided]]:
    """Give every record with what `decide` says of it, in order.

    Args:
        records: read one batch ahead of what is given, or some batches with workers.
        decide: a function of the record alone; with workers it must be picklable.
        workers: 1: this process.
        check: called between batches; raises to end.

    Raises:
        StageFailedError: a worker was killed.

    """
    source = iter(records)
    batches = iter(lambda: list(islice(source, BATCH)), [])
    if workers == 1:
        for batch in batches:
            check()
            yield from ((record, decide(record)) for record in batch)
        return
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(os.getpid(), decide)
    )
    waiting: deque[tuple[list[Record], Future[list[Decided]]]] = deque()
    try:
        for batch in batches:
            with environment(thread_environment(1)):  # submitting is what starts a worker
                waiting.append((batch, pool.submit(_decide_all, batch)))  # type: ignore[arg-type]
            if len(waiting) > 2 * workers:
                check()
                yield from _next(waiting)
        while waiting:
            check()
            yield from _next(waiting)
    except BrokenProcessPool as error:
        mend = "the same command again; if memory is short, fewer cores (taskset) start fewer of them"
        raise StageFailedError("a process that tokenises died", mend=mend) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _next(waiting: deque[tuple[list[Record], Future[list[Decided]]]]) -> Iterator[tuple[Record, Decided]]:
    batch, future = waiting.popleft()
    return zip(batch, future.result(), strict=True)


def _start(parent: int, decide: Decide[object]) -> None:
    global _decide
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    follow_parent(parent)
    _decide = decide


def _decide_all(batch: list[Record]) -> list[object]:
    return [_decide(record) for record in batch]
