"""Timing, memory and tables for benchmarks. Numbers are printed and written down, never asserted."""

from __future__ import annotations

import gc
import importlib.metadata
import itertools
import platform
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "BENCHMARKS.md"


class Timed(NamedTuple):
    """Processor seconds of one thread, the median of some rounds, and what the last one returned."""

    seconds: float
    result: Any


def cpu_time(job: Callable[[], Any], rounds: int = 3) -> Timed:
    """Run a job that was run once before (so that it is compiled); take the median."""
    found, result = [], None
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        result = job()
        found.append(time.process_time() - start)
    return Timed(statistics.median(found), result)


def memory_added(job: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a job returns, and by how many GiB this process grew at most while it ran (looked at every 20 ms)."""
    gc.collect()
    me, done = psutil.Process(), threading.Event()
    before = highest = me.memory_info().rss

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.02):
            highest = max(highest, me.memory_info().rss)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        return job(), (highest - before) / 2**30
    finally:
        done.set()
        watching.join()


class Ran(NamedTuple):
    """A finished command: wall seconds, the largest resident set of its main process and of any other, in bytes."""

    seconds: float
    driver_rss: int
    worker_rss: int


def run(command: Sequence[str], *, cwd: Path = ROOT) -> Ran:
    """Run a command to its end and watch the memory of its processes.

    Raises:
        subprocess.CalledProcessError: it failed.

    """
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = {"driver": 0, "worker": 0}
    watching = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
    watching.start()
    _, errors = process.communicate()
    seconds = time.perf_counter() - start
    watching.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    return Ran(seconds, peak["driver"], peak["worker"])


def _watch(pid: int, peak: dict[str, int]) -> None:
    """Keep the largest resident sets, ten times a second."""
    try:
        driver = psutil.Process(pid)
        while driver.is_running() and driver.status() != psutil.STATUS_ZOMBIE:
            peak["driver"] = max(peak["driver"], driver.memory_info().rss)
            for child in driver.children(recursive=True):
                peak["worker"] = max(peak["worker"], _resident(child))
            time.sleep(0.1)
    except psutil.NoSuchProcess:
        return


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def copy_lines(source: Path, target: Path, number: int) -> None:
    """Copy the first lines of a file."""
    with source.open("rb") as lines, target.open("wb") as out:
        out.writelines(itertools.islice(lines, number))


def bytes_below(folder: Path) -> int:
    """Return the sizes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Peer(NamedTuple):
    """Another tool: its name and the command that measures it, with `{corpus}` and `{rows}` to fill in."""

    name: str
    command: list[str]


def peer(text: str) -> Peer:
    """Read `NAME=COMMAND …` from the command line."""
    name, _, command = text.partition("=")
    return Peer(name, command.split())


def run_peer(peer: Peer, corpus: Path, rows: int, folder: Path, without: Sequence[str] = ()) -> float:
    """Return the rows per second that a peer's own script prints.

    A script that prints `STEP … N us/row` lines is taken as the sum of its steps, those in `without` left out; else
    the last `N rows/s` counts, behind the word `total` where there are several.
    """
    (folder / ".bench").mkdir(parents=True, exist_ok=True)
    command = [part.format(corpus=corpus.resolve(), rows=rows) for part in peer.command]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    steps = {name: float(cost) for name, cost in re.findall(r"^(\S+)\s+([\d.]+) us/row", done.stdout, re.M)}
    if steps:
        return 1e6 / sum(cost for name, cost in steps.items() if name not in without)
    total = re.findall(r"total ([\d.]+)", done.stdout) or re.findall(r"([\d.]+) rows/s", done.stdout)
    return float(total[-1])


def machine() -> str:
    """Return what was measured on, and with which versions."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (found := re.search(r"model name\s*:\s*(.+)", info.read_text())):
        model = found[1]
    memory = psutil.virtual_memory().total / 2**30
    names = ("numba", "polars", "pyarrow", "numpy", "datasketch")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return f"{model}, {psutil.cpu_count()} cores, {memory:.0f} GiB; Python {platform.python_version()}, {versions}"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Put text between `<!-- NAME -->` and `<!-- /NAME -->` of a page."""
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(opening)
    if not found:
        raise SystemExit(f"{page} has no {opening}")
    _, _, after = rest.partition(closing)
    stamp = time.strftime("%Y-%m-%d")
    page.write_text(f"{before}{opening}\n{stamp}; {machine()}\n\n{text}\n{closing}{after}", encoding="utf-8")
