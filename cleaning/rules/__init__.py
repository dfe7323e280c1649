"""The cleaning rules. A new one is one file here and one line in the union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cleaning.rules.blank_lines import BlankLines
from cleaning.rules.html import Html
from cleaning.rules.minimum_length import MinimumLength
from cleaning.rules.personal_data import PersonalData
from cleaning.rules.valid_characters import ValidCharacters

Rule = Annotated[
    ValidCharacters
    | Html
    | PersonalData
    | BlankLines
    | MinimumLength,
    Field(discriminator="rule"),
]  # fmt: skip

__all__ = ["Rule"]
