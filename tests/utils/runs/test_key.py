"""What is said of a key that changed: the keys that did, not all that they hold."""

from utils.runs.key import Key


def said(old, new):
    return Key(new, [], {}).differences({"config": old, "inputs": [], "code": {}})


def test_only_what_changed_is_named_by_its_path():
    rules = [{"rule": "html", "name": None, "entities": True}, {"rule": "url", "name": None, "links": [1, 2]}]
    old = {"policy": rules, "duplicates": {"near": None, "exact": True}, "seed": 1}
    changed = [rules[0], {**rules[1], "links": [1, 3]}, {"rule": "width", "name": "w" * 70}]
    new = {"policy": changed, "duplicates": {"near": {"threshold": 0.7}, "exact": True}, "seed": 1}
    found = said(old, new)
    assert found[:2] == ["config policy.url.links.1: 2 → 3", f"config policy.{'w' * 70}: nothing → {found[1][-60:]}"]
    assert found[2:] == ["config duplicates.near: None → {'threshold': 0.7}"]


def test_rules_that_went_or_were_put_in_another_order():
    one, two = {"rule": "a", "x": 1}, {"rule": "b", "x": 2}
    assert said({"policy": [one, two]}, {"policy": [two, one]}) == ["config policy: in another order"]
    assert said({"policy": [one, two]}, {"policy": [two]}) == ["config policy.a: {'rule': 'a', 'x': 1} → nothing"]
    assert said({"policy": [one, one]}, {"policy": [one]}) == [
        "config policy.0: {'rule': 'a', 'x': 1} → nothing",
        "config policy.1: {'rule': 'a', 'x': 1} → nothing",
        "config policy.a: nothing → {'rule': 'a', 'x': 1}",
    ]


def test_equal_keys_do_not_differ():
    tree = {"a": [1, {"rule": "x"}], "b": {"c": None}}
    assert said(tree, {"b": {"c": None}, "a": [1, {"rule": "x"}]}) == []
    assert said({}, {"new": None}) == ["config new: nothing → None"]
