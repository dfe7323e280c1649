"""Shared by all tests. Test files may have equal names in different folders: pytest imports them by path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the tests that take minutes first, so that they do not run on alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Turn a skip into a failure for tests whose marker POSTTRAIN_MUST_RUN names (a comma-separated list)."""
    report = yield
    must_run = {name for name in os.environ.get("POSTTRAIN_MUST_RUN", "").split(",") if name}
    marked = must_run.intersection(mark.name for mark in item.iter_markers())
    if report.skipped and marked and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but tests marked {', '.join(sorted(marked))} must run here: {report.longrepr}"
    return report
