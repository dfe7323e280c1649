"""F23: an input, a config or our code that changed before a resume is refused with the difference."""

import json
import shutil

import pytest

from tests.faults.conftest import clean_arguments, content, copy_checkout, run_here


@pytest.fixture(scope="module")
def made(tmp_path_factory, rows):
    """A folder with a copy of the rows, and their finished run in `out`."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(rows, folder / "rows")
    run_here(clean_arguments(folder / "rows", f"output={folder / 'out'}"))
    return folder


@pytest.fixture
def finished(made, rows, tmp_path):
    """The run in `out` of this test, and the rows as they were before it."""
    shutil.copytree(made / "out", tmp_path / "out")
    shutil.rmtree(made / "rows")
    return shutil.copytree(rows, made / "rows")


def test_same_again_is_done_already(finished, tmp_path, here):
    before = content(tmp_path / "out")
    code, _, err = here(*clean_arguments(finished))
    assert code == 0
    assert "is done already" in err
    assert content(tmp_path / "out") == before


def test_where_and_how_fast_may_change(finished, here):
    assert here(*clean_arguments(finished, "workers=3", "executor=ray"))[0] == 0


def test_changed_config_is_named(finished, here):
    code, _, err = here(*clean_arguments(finished, "seed=7"))
    assert code == 2
    assert "config seed: 42 → 7" in err
    assert "--accept-changes" in err


@pytest.mark.parametrize("change", ["content", "name", "new file"])
def test_changed_input_is_named(finished, tmp_path, here, change):
    before = content(tmp_path / "out")
    if change == "content":
        (finished / "a.jsonl").write_text('{"instruction": "new", "output": "row"}\n')
    elif change == "name":
        (finished / "a.jsonl").rename(finished / "c.jsonl")
    else:
        (finished / "d.jsonl").write_text('{"instruction": "new", "output": "row"}\n')
    code, _, err = here(*clean_arguments(finished))
    assert code == 2
    assert f"input {finished}" in err
    assert content(tmp_path / "out") == before


def test_accepted_input_is_read_anew_and_what_was_made_of_the_old_is_set_aside(finished, tmp_path, here):
    (finished / "b.jsonl").unlink()
    with (finished / "a.jsonl").open("a") as stream:
        stream.write('{"instruction": "new", "output": "row"}\n')
    assert here(*clean_arguments(finished), "--accept-changes")[0] == 0
    assert here(*clean_arguments(finished, "output=fresh"))[0] == 0
    assert content(tmp_path / "out") == content(tmp_path / "fresh")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["counts"]["in"] == 1502
    assert manifest["outputs"] == json.loads((tmp_path / "fresh" / "manifest.json").read_text())["outputs"]
    assert any(name.startswith("input ") for name in manifest["lineage"][0]["accepted"])
    assert list((tmp_path / "out" / "run" / "superseded").rglob("b.jsonl"))


def test_changed_code_is_named_and_can_be_accepted(tmp_path, start):
    program = copy_checkout(tmp_path / "house")

    def sample(*more):
        process = start("init", "sample", "--set", "output=out", *more, program=program)
        return process.communicate(timeout=60)[1], process.returncode

    assert sample()[1] == 0
    with (program.parent / "rounds" / "sample.py").open("a") as stream:
        stream.write("\n# changed\n")
    err, code = sample()
    assert code == 2
    assert "code rounds/sample.py" in err
    assert sample("--accept-changes")[1] == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["lineage"][0]["accepted"] == ["code rounds/sample.py"]
    assert manifest["lineage"][0]["units_before"] == ["sample"]
    assert list((tmp_path / "out" / "run").glob("manifest.before-*.json"))
