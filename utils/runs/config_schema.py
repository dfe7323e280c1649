"""What the keys of a config mean, for its JSON Schema: the docstrings that stand under them in the source.

pydantic can read them itself (`use_attribute_docstrings`), but does so whenever a model is imported: with more than
forty rules that took every process a sixth of a second.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any

from pydantic import BaseModel


def describe(model: type[BaseModel], schema: dict[str, Any]) -> None:
    """Put a description beside each key of a model's JSON Schema that has none and is documented."""
    keys = {name: field.alias or name for name, field in model.model_fields.items()}
    for kind in (kind for kind in model.__mro__ if issubclass(kind, BaseModel) and kind is not BaseModel):
        for name, text in _docstrings(kind).items():
            if name in keys:
                schema["properties"][keys[name]].setdefault("description", text)


def _docstrings(kind: type[BaseModel]) -> dict[str, str]:
    """Return the text under each annotated name in a class body."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body  # type: ignore[attr-defined]
    return {
        line.target.id: inspect.cleandoc(text.value.value)
        for line, text in pairwise(body)
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }
