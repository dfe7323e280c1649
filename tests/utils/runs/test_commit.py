"""The commit protocol: whole or not at all, done or not done."""

import json
import os

import pytest

from utils.errors import RetryLaterError, StageFailedError, UserError
from utils.runs import commit
from utils.runs.commit import Unit, check_name, committed, publish, read_json, replace_json
from utils.runs.directory import _TEMPORARY


def own(root, token):
    replace_json(root / "run" / "owner.json", {"token": token})


def write_unit(root, text, token="t1", name="u"):
    own(root, token)
    with Unit(root, name, token) as unit:
        with unit.file("data/a.txt") as temporary:
            temporary.write_text(text)
        return unit.commit({"in": 1})


def names(root):
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.name != "owner.json")


def test_publish_never_overwrites(tmp_path):
    for text in ("first", "second"):
        (tmp_path / "tmp").write_text(text)
        published = publish(tmp_path / "tmp", tmp_path / "final")
        assert published == (text == "first")
        assert not (tmp_path / "tmp").exists()
    assert (tmp_path / "final").read_text() == "first"


def test_publish_without_links(tmp_path, monkeypatch):
    def no_link(*_):
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", no_link)
    test_publish_never_overwrites(tmp_path)


def test_unit_is_done_when_its_report_is_there(tmp_path):
    report = write_unit(tmp_path, "hello")
    assert names(tmp_path) == ["data/a.txt", "run/reports/u.json"]
    assert committed(tmp_path, "u") == report
    assert report["files"]["data/a.txt"]["bytes"] == 5


def test_unit_without_commit_is_not_done(tmp_path):
    own(tmp_path, "t1")
    with Unit(tmp_path, "u", "t1") as unit, unit.file("a.txt") as temporary:
        temporary.write_text("x")
    assert committed(tmp_path, "u") is None


@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_unit_whose_file_changed_is_not_done(tmp_path, damage):
    write_unit(tmp_path, "hello")
    path = tmp_path / "data" / "a.txt"
    {"flip": lambda: path.write_text("jello"), "cut": lambda: path.write_text("hel"), "delete": path.unlink}[damage]()
    assert committed(tmp_path, "u") is None
    write_unit(tmp_path, "hello", token="t2")
    assert path.read_text() == "hello"
    assert committed(tmp_path, "u") is not None


def test_leftover_with_other_content_is_moved_aside_not_deleted(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("from a killed attempt")
    write_unit(tmp_path, "hello")
    assert (tmp_path / "data" / "a.txt").read_text() == "hello"
    assert (tmp_path / "run" / "rejected" / "t1" / "data" / "a.txt").read_text() == "from a killed attempt"


def test_worker_of_a_dead_driver_cannot_replace_what_the_new_one_published(tmp_path):
    write_unit(tmp_path, "new", token="new")
    with Unit(tmp_path, "u", "old") as orphan, pytest.raises(StageFailedError), orphan.file("data/a.txt") as temporary:
        temporary.write_text("old")
    assert (tmp_path / "data" / "a.txt").read_text() == "new"
    assert not list(tmp_path.rglob("*.tmp.*"))


def test_error_while_writing_leaves_nothing(tmp_path):
    with Unit(tmp_path, "u", "t") as unit, pytest.raises(ValueError, match="boom"), unit.file("a.txt") as temporary:
        temporary.write_text("half")
        raise ValueError("boom")
    assert names(tmp_path) == []


def test_directory_publishes_every_file(tmp_path):
    with Unit(tmp_path, "u", "t") as unit:
        with unit.directory("model") as temporary:
            (temporary / "sub").mkdir()
            (temporary / "a").write_text("a")
            (temporary / "sub" / "b").write_text("b")
        report = unit.commit({})
    assert set(report["files"]) == {"model/a", "model/sub/b"}
    assert names(tmp_path) == ["model/a", "model/sub/b", "run/reports/u.json"]


@pytest.mark.parametrize("name", ["a" * 249 + ".jsonl", "长" * 83 + ".jsonl", "b" * 240])
def test_a_name_as_long_as_a_file_system_takes(tmp_path, name):
    other = "x" + name[1:]
    with Unit(tmp_path, "u", "0123abcd", 11) as unit:
        with unit.file(f"data/{name}") as one, unit.file(f"data/{other}") as two:
            assert one != two and all(_TEMPORARY.fullmatch(path.name) for path in (one, two))
            one.write_text("one")
            two.write_text("two")
        unit.commit({})
    assert committed(tmp_path, "u") is not None
    assert names(tmp_path) == sorted([f"data/{name}", f"data/{other}", "run/reports/u.json"])
    assert (tmp_path / "data" / name).read_text() == "one"


def test_full_disk_is_exit_75_and_leaves_no_temporary(tmp_path):
    with Unit(tmp_path, "u", "t") as unit, pytest.raises(RetryLaterError) as caught, unit.file("a.txt") as temporary:
        temporary.write_text("x")
        raise OSError(28, "No space left on device")
    assert caught.value.exit_code == 75
    assert names(tmp_path) == []


def test_replace_json_is_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    replace_json(path, {"a": 1})

    def broken(*_):
        raise OSError(5, "I/O error")

    monkeypatch.setattr(commit, "_flush", broken)
    with pytest.raises(OSError, match="I/O"):
        replace_json(path, {"a": 2})
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["state.json"]


def test_report_holds_no_times(tmp_path):
    first = json.dumps(write_unit(tmp_path / "1", "same"))
    assert first == json.dumps(write_unit(tmp_path / "2", "same", token="other"))


@pytest.mark.parametrize("name", ["a;touch X", "$(x)", "a\nb", "..", ".", "", "a/b", "é"])
def test_unsafe_names_are_refused(name):
    with pytest.raises(UserError):
        check_name(name, where="test")
