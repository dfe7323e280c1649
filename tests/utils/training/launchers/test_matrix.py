"""Launchers and ZeRO stages decide where things lie: two real ranks come to the same weights under all of them."""

from __future__ import annotations

import pytest

from tests.utils.training.launchers.runs import apart, finish, start

pytestmark = pytest.mark.deepspeed
FIVE = {"max_steps": 5}


def trained(made, tmp_path, kind: str, zero: int, **more):
    config = made(f"{kind}-{zero}", launch={"kind": kind}, deepspeed={"zero": zero}, **FIVE, **more)
    finish(start(config), config)
    return tmp_path / config.stem


@pytest.mark.ray
@pytest.mark.long
def test_zero_3_by_ray_and_zero_2_by_torchrun(made, tmp_path):
    assert apart(trained(made, tmp_path, "ray", 3), trained(made, tmp_path, "torchrun", 2)) < 1e-5


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "more", [{}, {"peft": {"method": "lora"}}, {"batching": "packed"}], ids=["full", "lora", "packed"]
)
def test_every_launcher_and_stage(made, tmp_path, more):
    out = [trained(made, tmp_path, kind, zero, **more) for kind in ("torchrun", "ray") for zero in (2, 3)]
    plain = made("plain", **FIVE, **more)
    finish(start(plain), plain)
    apart_by = {run.name: apart(tmp_path / "plain", run) for run in out}
    assert max(apart_by.values()) < 1e-5, apart_by
    assert apart(out[0], out[2]) == apart(out[1], out[3]) == 0  # the launcher changes no bit
