from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.tiny import keep_handlers, tiny_model  # noqa: F401
from tests.utils.training.launchers import runs


@pytest.fixture(autouse=True)
def no_driver_is_left() -> Iterator[None]:
    """End the drivers of a test that failed, and their ranks."""
    yield
    runs.end_drivers()


@pytest.fixture
def made(tiny_model: Path, tmp_path: Path) -> Callable[..., Path]:  # noqa: F811
    """Write configs for two ranks."""
    return partial(runs.make, tiny_model, tmp_path)
