"""What an input means: files, globs, folders, runs, lists; what is left aside, and why."""

import os
import zipfile

import pytest

from utils.data.inputs import find_files, kind_of, overlaps, survey
from utils.errors import UserError

ROW = '{"text":"x"}\n'


def fill(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(ROW)


def relatives(source):
    return [file.relative for file in find_files(source)]


def test_file_glob_folder_and_list(tmp_path):
    fill(tmp_path, "b/x.jsonl", "a/x.jsonl", "a/deep/y.json.gz", "README.md", "t.csv", ".hidden/z.jsonl", "a/.h.jsonl")
    assert relatives(tmp_path) == ["a/deep/y.json.gz", "a/x.jsonl", "b/x.jsonl"]
    assert relatives(str(tmp_path / "a/x.jsonl")) == ["x.jsonl"]
    assert relatives(tmp_path / "*/x.jsonl") == ["a/x.jsonl", "b/x.jsonl"]
    assert relatives(tmp_path / "**/*.json*") == ["a/deep/y.json.gz", "a/x.jsonl", "b/x.jsonl"]
    assert relatives(tmp_path / "a*") == ["a/deep/y.json.gz", "a/x.jsonl"]
    assert relatives([tmp_path / "b", tmp_path / "a/x.jsonl"]) == ["b/x.jsonl", "a/x.jsonl"]
    assert sorted(item.path.name for item in survey(tmp_path).ignored) == ["README.md", "t.csv"]
    with pytest.raises(UserError, match="named twice"):
        find_files([tmp_path, tmp_path / "a"])


def test_kinds():
    names = ["a.jsonl", "A.JSON", "a.ndjson", "a.parquet", "a.jsonl.zst", "a.json.gz", "a.zip", "a.parquet.gz", "a.gz"]
    expected = ["jsonl", "json", "jsonl", "parquet", "jsonl.zst", "json.gz", "zip", None, None]
    assert [kind_of(name) for name in names] == expected


def test_missing_and_empty_exit_2(tmp_path):
    for source in (tmp_path / "no", tmp_path / "*.jsonl", tmp_path, []):
        with pytest.raises(UserError) as error:
            find_files(source)
        assert error.value.exit_code == 2 and error.value.where and error.value.mend
    fill(tmp_path, "notes.txt")
    with pytest.raises(UserError, match=r"no rows.*notes\.txt"):
        find_files(tmp_path)


def test_finished_runs(tmp_path):
    run = tmp_path / "cleaned"
    fill(run, "manifest.json", "good/sub/a.jsonl", "good/run/b.jsonl", "bad/sub/a.jsonl", "run/work/x.jsonl")
    assert relatives(run) == ["run/b.jsonl", "sub/a.jsonl"]
    tier = tmp_path / "tiered"
    fill(tier, "manifest.json", "tiers/t1.parquet", "tiers/t1.jsonl", "ledger/decisions.parquet", "seeds/s.parquet")
    assert relatives(tier) == relatives(tier / "tiers") == ["t1.parquet"]
    pairs = tmp_path / "paired"
    fill(pairs, "manifest.json", "pairs.parquet", "pairs.jsonl", "ledger/d.parquet", "run/r.json", "metrics.jsonl")
    assert relatives(pairs) == ["pairs.parquet"]
    assert {i.path.name for i in survey(pairs).ignored} == {
        "manifest.json",
        "metrics.jsonl",
        "pairs.jsonl",
        "ledger",
        "run",
    }


def test_unfinished_run_is_refused(tmp_path):
    fill(tmp_path, "good/a.jsonl", "run/reports/u.json")
    with pytest.raises(UserError, match="posttrain resume"):
        find_files(tmp_path)


def test_symlinks_do_not_lead_out(tmp_path):
    root = tmp_path / "root"
    fill(tmp_path, "outside/secret.jsonl", "root/a.jsonl")
    (root / "out.jsonl").symlink_to(tmp_path / "outside/secret.jsonl")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "in.jsonl").symlink_to(root / "a.jsonl")
    (root / "dead.jsonl").symlink_to(root / "nothing")
    os.mkfifo(root / "pipe.jsonl")
    assert relatives(root) == ["a.jsonl", "in.jsonl"]
    assert {i.path.name for i in survey(root).ignored} == {"out.jsonl", "folder", "dead.jsonl", "pipe.jsonl"}


def test_globs_do_not_follow_symlinks_that_lead_out(tmp_path):
    root = tmp_path / "root"
    fill(tmp_path, "outside/secret.jsonl", "root/a.jsonl", "root/sub/b.jsonl")
    (root / "out.jsonl").symlink_to(tmp_path / "outside/secret.jsonl")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "in.jsonl").symlink_to(root / "a.jsonl")
    for pattern in ("*", "**/*.jsonl"):
        assert relatives(root / pattern) == ["a.jsonl", "in.jsonl", "sub/b.jsonl"]
        found = survey(root / pattern).ignored
        assert {item.reason for item in found} == {"a symlink that leads outside"} and len(found) == 2
    assert not survey(root / "*/*.jsonl").files[1:]


def test_names_that_are_not_utf8_are_left_aside_and_can_be_printed(tmp_path):
    fill(tmp_path, "a.jsonl")
    with open(os.fsencode(tmp_path) + b"/b\xff\n.jsonl", "w") as file:
        file.write(ROW)
    assert relatives(tmp_path) == relatives(tmp_path / "*.jsonl") == ["a.jsonl"]
    (odd,) = survey(tmp_path).ignored
    assert odd.reason == "its name is not UTF-8" and odd.shown.encode().endswith("b\ufffd\ufffd.jsonl".encode())
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(UserError, match="not UTF-8") as error:
        find_files(tmp_path)
    assert str(error.value).encode()


def test_members_of_a_zip_that_are_not_read_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a.jsonl", "t.csv", "__MACOSX/._a.jsonl", "__MACOSX/x.txt", "d/.DS_Store"):
            archive.writestr(name, ROW)
    (item,) = survey(tmp_path).ignored
    assert item.path == tmp_path / "a.zip" / "t.csv" and "member" in item.reason


@pytest.mark.parametrize(
    ("source", "output", "inside"),
    [
        ("w/raw", "w", True),
        ("w/raw", "w/raw", True),
        ("w/raw", "w/raw/out", True),
        ("w/raw", "w/out", False),
        ("w/raw", "w/raw-clean", False),
        ("w/raw/a.jsonl", "w/raw/out", False),
        ("w/raw/*.jsonl", "w/raw/out", False),
        ("w/raw/*.jsonl", "w/raw", True),
        ("w/raw/*", "w/raw/out", True),
        ("w/*/*.jsonl", "w/out", True),
        ("w/r*/*.jsonl", "w/out", False),
        ("w/**/*.jsonl", "w/out", True),
        ("w/raw/[ab].jsonl", "v", False),
    ],
)
def test_input_and_output_inside_each_other(tmp_path, source, output, inside):
    fill(tmp_path, "w/raw/a.jsonl")
    assert overlaps(tmp_path / source, tmp_path / output) is inside
