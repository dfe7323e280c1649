"""The config of a whole post-training: what the rows are, where the model starts, what each round does.

Without rounds it is the production of data alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

import posttrain_root
from utils.runs.config import Name, RunConfig, StrictModel
from utils.runs.config_file import merged, read_yaml

Keys = dict[str, Any]
"""Keys of another stage's config. Strings may name an earlier step's output: see `rounds.plan`."""


class Round(StrictModel):
    """What one round does; keys not given come from `every_round`."""

    sft: Keys = Field(default_factory=dict)
    candidates: Keys = Field(default_factory=dict)
    judge: Keys = Field(default_factory=dict)
    pairs: Keys = Field(default_factory=dict)
    dpo: Keys = Field(default_factory=dict)
    evaluate: Keys = Field(default_factory=dict)


class Start(StrictModel):
    """Where the first round starts: an existing model, or a tiny one made here."""

    model: Path | None = None
    """A model directory, or a finished training run."""
    tiny_model: Keys | None = None
    """Keys of `posttrain init tiny-model`."""

    @model_validator(mode="after")
    def _one(self) -> Start:
        if (self.model is None) == (self.tiny_model is None):
            raise ValueError("give one of start.model and start.tiny_model")
        return self


class RoundsConfig(RunConfig):
    """`posttrain rounds`: cleaned rows → tiers, a map and a card of them → rounds of SFT and DPO → a report."""

    profile: Name | None = None
    """A shipped config, `configs/rounds/<profile>.yaml`, whose keys stand under this file's own."""
    sample: Keys | None = None
    """Keys of `posttrain init sample`: rows made here, with planted dirt."""
    clean: Keys | None = None
    """Keys of `posttrain clean`; leave out when `rows` are clean already."""
    rows: Path | None = None
    """A finished cleaning run, or clean rows in any format. Without it: what `clean` makes."""
    attributes: Keys = Field(default_factory=dict)
    tier: Keys = Field(default_factory=dict)
    view: Keys | None = None
    """Keys of `posttrain view`; without them no map is drawn. `{}` draws one by its defaults."""
    card: Keys | None = None
    """Keys of `posttrain card`; without them no card is written."""
    start: Start | None = None
    """Needed by rounds."""
    every_round: Round = Round()
    """Keys that all rounds share."""
    rounds: list[Round]
    """One entry a round: the keys in which it differs. `[]` makes the data and trains nothing."""

    @model_validator(mode="before")
    @classmethod
    def _under_profile(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("profile"), str):
            return data
        path = posttrain_root.ROOT / "configs" / "rounds" / f"{Path(data['profile']).name}.yaml"
        if not path.is_file():
            known = sorted(p.stem for p in path.parent.glob("*.yaml") if p.stem != "default")
            raise ValueError(f"no profile {data['profile']!r}; there are: {', '.join(known)}")
        return merged(read_yaml(path)[0], data)

    @model_validator(mode="after")
    def _rows_from_somewhere(self) -> RoundsConfig:
        if (self.rows is None) == (self.clean is None):
            raise ValueError("give one of rows (clean already) and clean (keys of posttrain clean)")
        return self

    @model_validator(mode="after")
    def _rounds_start_somewhere(self) -> RoundsConfig:
        if self.rounds and self.start is None:
            raise ValueError("rounds need start.model or start.tiny_model")
        return self
