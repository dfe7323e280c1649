"""F4: exit code 75 before the work when it cannot fit, in the middle when the disk fills up; then the run goes on."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import cli
from tests.faults.conftest import ROOT, clean_arguments, content
from utils.errors import RetryLaterError
from utils.runs import space

# The same command on a disk that holds nothing, less than the estimate, the estimate but not the run (of many small
# partitions, whose files take more than their rows), and all of it.
ON_A_SMALL_DISK = """
set -u
mkdir disk
for size in 12k "$1" "$2" 64m; do
  mount -t tmpfs -o size="$size" none disk 2>&1
  [[ $size == 12k ]] || cp -r kept/. disk
  "${@:3}" >"told-$size" 2>&1
  echo $?
  ls disk/out/run/reports 2>/dev/null | wc -l
  find disk -name '*.tmp.*' | wc -l
  rm -rf kept && cp -r disk kept && umount disk
done
"""


def test_a_disk_that_fills_up_at_any_time(tmp_path, rows, calm, capsys):
    own = ["unshare", "-Urm"]
    if not shutil.which("unshare") or subprocess.run([*own, "mount", "-t", "tmpfs", "none", tmp_path]).returncode:
        pytest.skip("this machine lets nobody mount a small disk of his own")
    assert cli.main([*clean_arguments(rows), "--dry-run"]) == 0
    needed = json.loads(capsys.readouterr().out)["disk_needed_bytes"]
    sizes = [str(needed - 9000), str(needed + 60_000)]
    command = [sys.executable, "-P", str(ROOT / "posttrain.py"), *clean_arguments(rows, "output=disk/out")]
    done = subprocess.run(
        [*own, "bash", "-c", ON_A_SMALL_DISK, "bash", *sizes, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    numbers = [int(word) for word in done.stdout.split()]
    codes, committed, left = numbers[::3], numbers[1::3], numbers[2::3]
    assert codes == [75, 75, 75, 0], done
    assert committed[:2] == [0, 0] and 0 < committed[2] < committed[3]
    assert left == [0, 0, 0, 0]
    told = [(tmp_path / f"told-{size}").read_text() for size in ("12k", *sizes)]
    assert all("Traceback" not in text and "→ free space" in text.splitlines()[-1] for text in told)
    assert "MB of disk" in told[1]
    assert content(tmp_path / "kept" / "out") == content(calm)


def test_a_worker_that_finds_the_disk_full_ends_the_run_at_once(tmp_path, rows, dying, capfd):
    arguments = [*clean_arguments(rows, f"output={tmp_path / 'out'}"), "--quiet"]
    dying(**{"second-b": "full"})
    assert cli.main(arguments) == 75
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1 and "no space left on the device → free space, same command" in told[0]


def test_what_is_there_already_needs_no_room_again(tmp_path, monkeypatch):
    monkeypatch.setattr(space, "free_bytes", lambda path: 1000)
    space.check_space(tmp_path, 1500, there=500)
    with pytest.raises(RetryLaterError, match=r"needs about 0.0 MB of disk, 0.0 MB are free → free space"):
        space.check_space(tmp_path, 1501, there=500)
    assert RetryLaterError.exit_code == os.EX_TEMPFAIL


def test_too_little_room_is_found_before_any_work(tmp_path, rows, monkeypatch, capfd):
    arguments = [*clean_arguments(rows, f"output={tmp_path / 'out'}"), "--quiet"]
    monkeypatch.setattr(space, "free_bytes", lambda path: 1000)
    assert cli.main(arguments) == 75
    assert "MB of disk, 0.0 MB are free" in capfd.readouterr().err
    assert not (tmp_path / "out" / "run" / "reports").exists()
    assert json.loads((tmp_path / "out" / "run" / "state.json").read_text())["state"] == "interrupted"
