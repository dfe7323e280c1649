"""Which licence a source, or a model's answers, are under: SPDX identifiers, and `unknown`: never exported (S13)."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import AfterValidator

UNKNOWN = "unknown"
UNKNOWN_LICENCE, UNKNOWN_MODEL = "unknown_licence", "unknown_model_licence"
_MODEL_KEYS = ("model", "models", "model_name", "generator")

# SPDX identifiers of licences that data is found under (https://spdx.org/licenses/), and what Hugging Face calls them.
SPDX = {
    "0BSD": "other",
    "AFL-3.0": "afl-3.0",
    "AGPL-3.0-only": "agpl-3.0",
    "AGPL-3.0-or-later": "agpl-3.0",
    "Apache-2.0": "apache-2.0",
    "BSD-2-Clause": "bsd-2-clause",
    "BSD-3-Clause": "bsd-3-clause",
    "BSL-1.0": "bsl-1.0",
    "C-UDA-1.0": "c-uda",
    "CC-BY-2.0": "cc-by-2.0",
    "CC-BY-2.5": "cc-by-2.5",
    "CC-BY-3.0": "cc-by-3.0",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-NC-2.0": "cc-by-nc-2.0",
    "CC-BY-NC-3.0": "cc-by-nc-3.0",
    "CC-BY-NC-4.0": "cc-by-nc-4.0",
    "CC-BY-NC-ND-3.0": "cc-by-nc-nd-3.0",
    "CC-BY-NC-ND-4.0": "cc-by-nc-nd-4.0",
    "CC-BY-NC-SA-2.0": "cc-by-nc-sa-2.0",
    "CC-BY-NC-SA-3.0": "cc-by-nc-sa-3.0",
    "CC-BY-NC-SA-4.0": "cc-by-nc-sa-4.0",
    "CC-BY-ND-4.0": "cc-by-nd-4.0",
    "CC-BY-SA-3.0": "cc-by-sa-3.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC0-1.0": "cc0-1.0",
    "CDLA-Permissive-1.0": "cdla-permissive-1.0",
    "CDLA-Permissive-2.0": "cdla-permissive-2.0",
    "CDLA-Sharing-1.0": "cdla-sharing-1.0",
    "ECL-2.0": "ecl-2.0",
    "EUPL-1.2": "eupl-1.2",
    "GFDL-1.3-only": "gfdl",
    "GFDL-1.3-or-later": "gfdl",
    "GPL-2.0-only": "gpl-2.0",
    "GPL-2.0-or-later": "gpl-2.0",
    "GPL-3.0-only": "gpl-3.0",
    "GPL-3.0-or-later": "gpl-3.0",
    "ISC": "isc",
    "LGPL-2.1-only": "lgpl-2.1",
    "LGPL-3.0-only": "lgpl-3.0",
    "MIT": "mit",
    "MIT-0": "other",
    "MPL-2.0": "mpl-2.0",
    "MulanPSL-2.0": "other",
    "ODC-By-1.0": "odc-by",
    "ODbL-1.0": "odbl",
    "OGL-UK-3.0": "other",
    "PDDL-1.0": "pddl",
    "Unlicense": "unlicense",
    "WTFPL": "wtfpl",
    "Zlib": "zlib",
}
_OWN = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
_BY_FOLDED = {name.casefold(): name for name in SPDX}


def _licence(value: str) -> str:
    """Return the identifier as SPDX spells it; a name that is none would let rows out by a slip of the pen."""
    if value == UNKNOWN or _OWN.fullmatch(value):
        return value
    if (known := _BY_FOLDED.get(value.casefold())) is not None:
        return known
    near = difflib.get_close_matches(value.casefold(), [*_BY_FOLDED, UNKNOWN], n=1)
    hint = f"nearest: {_BY_FOLDED.get(near[0], UNKNOWN)}; " if near else ""
    raise ValueError(
        f"{value!r} is no licence; {hint}an SPDX identifier, LicenseRef-… for your own terms, or {UNKNOWN}"
    )


Licence = Annotated[str, AfterValidator(_licence)]
Licences = dict[str, Licence]
"""Source, or a glob over sources (`sft_zh/*`), → licence."""


def licence_of(source: str, licences: Mapping[str, str]) -> str:
    """Return the licence of a source: under its own name, else under the longest glob that fits; else `unknown`."""
    if source in licences:
        return licences[source]
    fitting = [pattern for pattern in licences if fnmatchcase(source, pattern)]
    return licences[max(fitting, key=lambda pattern: (len(pattern), pattern))] if fitting else UNKNOWN


def named_for_nothing(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """Return the names and globs that fit none of these sources or models: likely slips of the pen."""
    known = set(names)
    return [one for one in patterns if one not in known and not any(fnmatchcase(name, one) for name in known)]


def models_in(about: Mapping[str, Any]) -> list[str]:
    """Return the models that a row's meta or a pair's provenance says wrote its answers, each once, in order.

    Read are `model`, `models` (as `posttrain pairs` writes it: by side), `model_name` and `generator`; a provenance
    that came along as JSON text is looked into.
    """
    found: list[str] = []
    for key in _MODEL_KEYS:
        value = about.get(key)
        listed = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else [value]
        found += [one for one in listed if isinstance(one, str) and one]
    if isinstance(text := about.get("provenance"), str) and text.startswith("{"):
        with suppress(ValueError, RecursionError):  # a text that only looks like ours
            found += models_in(json.loads(text))
    return list(dict.fromkeys(found))


def held_back(
    source: str, models: Sequence[str], licences: Mapping[str, str], model_licences: Mapping[str, str]
) -> str | None:
    """Return why a row may not go out, None if it may: its source's licence, then that of any model that it names."""
    if licence_of(source, licences) == UNKNOWN:
        return UNKNOWN_LICENCE
    if any(licence_of(model, model_licences) == UNKNOWN for model in models):
        return UNKNOWN_MODEL
    return None


def hugging_face_name(licence: str) -> str:
    """Return what the front matter of a Hugging Face dataset calls a licence."""
    return UNKNOWN if licence == UNKNOWN else SPDX.get(licence, "other")
