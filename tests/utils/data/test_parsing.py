"""One defined answer to all that JSON leaves open."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.data.parsing import REPLACED_SURROGATE, REPLACED_UTF8, dump_row, parse_row, parse_rows

BAD = {
    b'{"a":1,"a":2}': "duplicate key 'a'",
    b'{"a" :1,"a":2}': "duplicate key 'a'",
    b'{"x":{"a":1,"b":"t","a" \t: 2}}': "duplicate key 'a'",
    b'{"x":[{"k":"\\":","k":2}]}': "duplicate key 'k'",
    b'{"a\\\\":1,"a\\\\":2}': "duplicate key",
    b'{"a":1,"\\u0061":2}': "duplicate key 'a'",
    b'{"a":NaN}': "NaN is not JSON",
    b'{"a":-Infinity}': "-Infinity is not JSON",
    b'{"a":1e999}': "beyond any float",
    b'{"a":': "invalid JSON",
    b"{'a':1}": "invalid JSON",
    b'{"a":1} x': "invalid JSON",
    b"[1]": "not an object but an array",
    b'"text"': "not an object but a string",
    b"null": "not an object but null",
    b"3": "not an object but a number",
    b"true": "not an object but a boolean",
    b'{"a":"\xff"}': "invalid UTF-8 at byte 6",
    b'{"a":"\xed\xa0\x80"}': "invalid UTF-8 at byte 6",
    b"[" * 100_000: "nested too deeply",
    b'{"a":' * 100_000: "nested too deeply",
    b'{"a":' + b"9" * 5000 + b"}": "Exceeds the limit",
    b'{"a\\ud800":1,"a\\ufffd":2}': "duplicate key",
}


@pytest.mark.parametrize("raw", BAD, ids=lambda raw: repr(raw[:20]))
def test_bad_rows_say_why(raw):
    row, error, _ = parse_row(raw)
    assert row is None and BAD[raw] in error


def test_big_integers_stay_exact():
    for number in (2**63, 2**64, 10**30, -(2**63) - 1, -(10**25)):
        raw = b'{"a":[%d]}' % number
        row = parse_row(raw).row
        assert row == {"a": [number]} and type(row["a"][0]) is int
        assert dump_row(row) == raw
    assert parse_row(b'{"a":1e30}').row == {"a": 1e30}


def test_repairs_are_told():
    assert parse_row(b'{"a":"\\ud800 \\ud83d\\ude00"}') == ({"a": "\ufffd 😀"}, None, (REPLACED_SURROGATE,))
    assert parse_row(b'{"a":"\xff"}', "replace") == ({"a": "\ufffd"}, None, (REPLACED_UTF8,))
    assert parse_row(b'{"a":1}\r') == ({"a": 1}, None, ())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4) | st.sampled_from(['":', '\\":', " :"]), values), st.booleans())
def test_equals_the_standard_library(row, spaced):
    raw = json.dumps(row, separators=(" , ", " : ") if spaced else None).encode(errors="surrogatepass")
    parsed = parse_row(raw)
    if not any(f"\\ud{c}" in raw.decode().lower() for c in "89abcdef"):
        assert parsed.row == json.loads(raw) and parsed.repairs == ()
        assert list(parsed.row) == list(json.loads(raw))
    else:
        assert parsed.row is not None or "duplicate key" in parsed.error


@given(st.lists(st.tuples(st.sampled_from(["a", 'b"', "c:", '":']), values), max_size=4), st.sampled_from([":", " :"]))
def test_duplicate_keys_are_always_found(pairs, colon):
    raw = "{" + ",".join(json.dumps(k) + colon + json.dumps(v, allow_nan=False) for k, v in pairs) + "}"
    keys = [key for key, _ in pairs]
    parsed = parse_row(raw.encode())
    assert (parsed.row is None) == (len(set(keys)) < len(keys))


def test_the_place_of_a_fault_is_said_once():
    assert parse_row(b'{"a": "open').error == "invalid JSON: Unterminated string starting at column 7"


raws = st.sampled_from(
    [*BAD, b'{"a":"\xff"}', b'{"a":"x: y"}', b'{"a":1e30,"b" :[1.5]}', b'{"a":"\\ud800"}']
) | values.map(lambda value: json.dumps({"k": value, '":': 1}, ensure_ascii=False).encode())


@given(st.lists(raws.filter(lambda raw: len(raw) < 1000), max_size=8), st.sampled_from(["quarantine", "replace"]))
def test_many_rows_are_parsed_as_each_alone(many, policy):
    rows, errors, repairs = parse_rows(many, policy)
    for i, raw in enumerate(many):
        assert (rows[i], errors.get(i), repairs.get(i, ())) == parse_row(raw, policy)
    assert len(rows) == len(many) and {*errors, *repairs} <= {*range(len(many))}
