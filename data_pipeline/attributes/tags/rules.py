"""Keyword rules of tags: what a file of them holds, and which tags they find in a column of texts."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from pydantic import Field, field_validator

import posttrain_root
from utils.errors import UserError
from utils.runs.config import Name, StrictModel, load_config

SHIPPED = posttrain_root.ROOT / "configs" / "attributes" / "tags"


class TagRule(StrictModel):
    """When a row has a tag. Patterns are regular expressions of polars' linear-time engine, without look-around."""

    prompt: tuple[str, ...] = ()
    """One of these is found in the first line of what the user wrote, which mostly is the instruction, or"""
    anywhere: tuple[str, ...] = ()
    """one of these in all of it, or"""
    answer: tuple[str, ...] = ()
    """one of these in what the assistant wrote;"""
    unless: tuple[str, ...] = ()
    """and none of these in the first line of what the user wrote."""
    alone: bool = False
    """A row with this tag has no other."""

    @field_validator("prompt", "anywhere", "answer", "unless")
    @classmethod
    def _compiles(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                pl.select(pl.lit("").str.contains(pattern))
            except pl.exceptions.ComputeError as error:
                reason = str(error).strip().splitlines()[-1]
                raise ValueError(f"{pattern!r} is no regular expression: {reason}") from error
        return patterns


class TagRules(StrictModel):
    """A file of tags."""

    language: str | None = None
    """Rows of this language (`zh`, `en`) only; by default all."""
    tags: dict[Name, TagRule] = Field(min_length=1)
    """In this order: of the tags that fit, the first is a row's main tag."""


def load_rules(name: str | Path) -> TagRules:
    """Read a shipped file by its name (`zh`, `en`), or a file by its path.

    Raises:
        UserError: neither is there, or the file is none of tag rules.

    """
    shipped = SHIPPED / f"{name}.yaml"
    path = shipped if shipped.is_file() else Path(name)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise UserError(f"no tag rules {str(name)!r}", where="rules", mend=f"give a path or one of: {known}")
    return load_config(TagRules, path)


def find_tags(texts: pl.DataFrame, rules: TagRules) -> pl.Series:
    """Return the tags of each row in the rules' order, list[str]; the empty list where none fits.

    Args:
        texts: `prompt, answer`: folded texts.
        rules: the tags.

    """
    lines = texts.with_columns(first=pl.col("prompt").str.extract(r"^([^\n]*)"))
    fits = lines.select(_fits(rule).alias(tag) for tag, rule in rules.tags.items())
    alone = [tag for tag, rule in rules.tags.items() if rule.alone]
    some_alone = pl.any_horizontal([pl.lit(False), *map(pl.col, alone)])
    found = [
        pl.when(pl.col(tag) & (pl.lit(tag in alone) | ~some_alone)).then(pl.lit(tag)).alias(tag) for tag in rules.tags
    ]
    return fits.select(tags=pl.concat_list(found).list.drop_nulls())["tags"]


def _fits(rule: TagRule) -> pl.Expr:
    wanted = _any("first", rule.prompt) | _any("prompt", rule.anywhere) | _any("answer", rule.answer)
    return wanted & ~_any("first", rule.unless)


def _any(column: str, patterns: tuple[str, ...]) -> pl.Expr:
    """Return whether one of the patterns is found; one expression each, for flags and anchors keep to their own."""
    return pl.any_horizontal([pl.lit(False), *(pl.col(column).str.contains(pattern) for pattern in patterns)])
