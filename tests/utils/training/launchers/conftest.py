from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.tiny import keep_handlers, tiny_model  # noqa: F401
from tests.utils.training.launchers import runs


@pytest.fixture(autouse=True)
def no_driver_is_left() -> Iterator[None]:
    """End the drivers of a test that failed; their ranks end with them."""
    yield
    while runs.STARTED:
        driver = runs.STARTED.pop()
        if driver.poll() is None:
            driver.kill()
            driver.wait()
