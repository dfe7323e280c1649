"""The column kernel against a comparison character by character."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.differences import differences

TEXTS = st.text(st.sampled_from("ab中丮、é\u0080è😀😁\n"), max_size=8)


def plain(before: str, after: str) -> list[int]:
    """Do the same, slowly."""
    least = min(len(before), len(after))
    start = next((at for at in range(least) if before[at] != after[at]), least)
    back = next((at for at in range(least - start) if before[-1 - at] != after[-1 - at]), least - start)
    return [start, len(before) - back, len(after) - back]


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
def test_a_column_is_compared_as_its_texts_are(pairs: list[tuple[str, str]]) -> None:
    before, after = (pa.array([pair[at] for pair in pairs], pa.large_string()) for at in (0, 1))
    assert differences(before, after).tolist() == [plain(*pair) for pair in pairs]
