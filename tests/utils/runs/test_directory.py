"""A run directory touches nothing that is not its own, and survives what others did to its files."""

import pytest

from utils.errors import UserError
from utils.runs.commit import replace_json
from utils.runs.config import RunConfig
from utils.runs.control import status_of
from utils.runs.directory import Run


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
    from utils.runs.directory import Key

    with pytest.raises(UserError, match="not JSON"):
        run.check_key(Key({}, [], {}), accept_changes=False)


def test_what_an_accepted_input_supersedes_is_set_aside(run):
    from utils.runs.directory import Key

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
