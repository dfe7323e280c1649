"""A run directory touches nothing that is not its own, and survives what others did to its files."""

import pytest

from utils.errors import UserError
from utils.runs.commit import read_json, replace_json
from utils.runs.config import RunConfig
from utils.runs.control import status_of
from utils.runs.directory import Run
from utils.runs.key import Key


@pytest.fixture
def run(tmp_path):
    run = Run(RunConfig(output=tmp_path / "run"), "demo", quiet=True)
    yield run
    run.close("done")


def test_only_temporaries_of_ours_are_removed(run):
    keep = ["good/data.tmp.jsonl", "my.tmp.notes", "steps/s/out.tmp.0123abcd.0"]
    gone = ["good/a.jsonl.tmp.0123abcd.0", "run/state.json.tmp.77.0123abcd", "model.tmp.0123abcd.1/x"]
    for name in keep + gone:
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text("x")
    run.open()
    assert [name for name in keep if not (run.path / name).exists()] == []
    assert [name for name in gone if (run.path / name).exists()] == []


@pytest.mark.parametrize("damage", ["", "{}", "{", "[]", '{"processes": [{}]}'])
@pytest.mark.parametrize("name", ["owner.json", "processes.json", "state.json", "reports/u.json"])
def test_damaged_notes_of_ours_stop_nobody(run, name, damage):
    path = run.inner / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(damage)
    run.open()
    assert run.committed("u") is None
    assert status_of(run.path)["state"] == "running"


def test_a_damaged_key_is_one_clear_error(run):
    (run.inner).mkdir(parents=True)
    (run.inner / "key.json").write_text("{")
    run.open()
    with pytest.raises(UserError, match="not JSON"):
        run.check_key(Key({}, [], {}), accept_changes=False)


def test_what_an_accepted_input_supersedes_is_set_aside(run):
    run.open()
    entry = {"path": "a", "sha256": "1", "bytes": 1, "directory": False}
    run.check_key(Key({}, [entry], {}), accept_changes=False)
    for name, by_content in (("fixed", False), ("batch", True)):
        with run.unit(name) as unit:
            with unit.file(f"out/{name}") as temporary:
                temporary.write_text(name)
            unit.commit({"by_content": by_content})
    replace_json(run.path / "manifest.json", {"outputs": {}})
    assert not run.check_key(Key({}, [entry | {"sha256": "2"}], {}), accept_changes=True)
    assert run.committed("fixed") is None
    assert run.committed("batch") is not None
    assert not (run.path / "out" / "fixed").exists()
    assert list((run.inner / "superseded").rglob("fixed"))


def test_a_config_may_change_until_something_is_done(run, tmp_path):
    run.open()
    assert run.check_key(Key({"seed": 1}, [], {}), accept_changes=False)
    run.close("failed")
    (run.path / "good").mkdir()
    (run.inner / "key.json.tmp.77.0123abcd").write_text("left by a kill")
    again = Run(RunConfig(output=run.path), "demo", quiet=True)
    again.open()
    assert again.check_key(Key({"seed": 2}, [], {"a.py": "1"}), accept_changes=False)
    assert read_json(run.inner / "key.json")["config"] == {"seed": 2}
    assert not (run.inner / "lineage.json").exists()
    (run.path / "good" / "half.jsonl").write_text("published, not committed")
    with pytest.raises(UserError, match="config seed: 2 → 3"):
        again.check_key(Key({"seed": 3}, [], {"a.py": "1"}), accept_changes=False)
    (run.path / "good" / "half.jsonl").unlink()
    with again.unit("u") as unit:
        unit.commit({})
    with pytest.raises(UserError, match="config seed: 2 → 3"):
        again.check_key(Key({"seed": 3}, [], {"a.py": "1"}), accept_changes=False)
    again.close("failed")


def test_of_many_differences_ten_are_told(run):
    run.open()
    run.check_key(Key({str(key): 1 for key in range(13)}, [], {}), accept_changes=False)
    with run.unit("u") as unit:
        unit.commit({})
    with pytest.raises(UserError, match=r"config 0: 1 → 2; (?!.*config 10:).*… 3 more"):
        run.check_key(Key({str(key): 2 for key in range(13)}, [], {}), accept_changes=False)
