"""A rubric: what a judge is told, as a versioned Markdown file.

Its front matter holds `version`, `target`, `lang`, `scale` (two whole numbers), `sees` (`conversation`, or `question`:
without the last answer) and the two ways to ask for the form of the reply, `number` and `json`. Its text becomes the
system message, which never holds data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

import posttrain_root
from utils.errors import UserError
from utils.runs.config import Name, StrictModel, validated
from utils.runs.config_file import parse_value

SHIPPED = posttrain_root.ROOT / "configs" / "attributes" / "rubrics"
Digit = Annotated[int, Field(ge=0, le=9)]


class Rubric(StrictModel):
    """A rubric as read."""

    version: int = Field(ge=1)
    """Raised by whoever changes the text: scores of two versions are not compared."""
    target: Name
    """What is rated."""
    lang: Literal["zh", "en"]
    """The language it is written in."""
    scale: tuple[Digit, Digit]
    """Lowest and highest score: one digit each, so that the first answered token is the score."""
    sees: Literal["conversation", "question"]
    """What is shown: all turns, or those before the last answer."""
    number: str = Field(min_length=1)
    """Asks for a bare number."""
    json_: str = Field(min_length=1, alias="json")
    """Asks for a JSON object."""
    text: str = Field(min_length=1)
    """The rubric itself."""

    @model_validator(mode="after")
    def _rising(self) -> Rubric:
        if self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale {list(self.scale)} does not rise")
        return self


def load_rubric(path: Path) -> Rubric:
    """Read a rubric.

    Raises:
        UserError: there is none, or it lacks something, with the key.

    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"no rubric: {error}", where=str(path)) from error
    parts = content.split("---\n", 2)
    if len(parts) != 3 or parts[0].strip():
        raise UserError("a rubric begins with front matter between two lines of ---", where=str(path))
    front = parse_value(parts[1])
    if not isinstance(front, dict):
        raise UserError("the front matter is no mapping", where=str(path))
    return validated(Rubric, {**front, "text": parts[2].strip()}, where=str(path))
