"""One run directory, one owner (F22)."""

import subprocess
import sys
import time

import psutil
import pytest

from utils.errors import UserError
from utils.runs.commit import read_json, replace_json
from utils.runs.owner import Owner
from utils.runs.processes import identity

CONTENDER = """
import sys, time
from pathlib import Path
from utils.errors import UserError
from utils.runs.owner import Owner
owner = Owner(Path(sys.argv[1]), sys.argv[2])
while time.time() < float(sys.argv[3]):
    pass
try:
    owner.take("demo")
except UserError as error:
    print(error)
    sys.exit(error.exit_code)
print("won")
sys.stdout.flush()
time.sleep(float(sys.argv[4]))
"""


def contend(root, where, count, hold_s):
    start = str(time.time() + 3)
    command = [sys.executable, "-c", CONTENDER, str(where)]
    return [
        subprocess.Popen([*command, f"t{n}", start, str(hold_s)], cwd=root, stdout=subprocess.PIPE, text=True)
        for n in range(count)
    ]


def test_twenty_parallel_starts_have_one_winner(tmp_path, root):
    outcomes = [(p.communicate()[0].strip(), p.returncode) for p in contend(root, tmp_path, 20, 8)]
    assert sorted(code for _, code in outcomes) == [0] + [2] * 19
    losers = [text for text, code in outcomes if code == 2]
    assert all("in use by" in text and "posttrain stop" in text for text in losers)


def test_a_killed_owner_is_replaced_by_one(tmp_path, root):
    first = contend(root, tmp_path, 1, 60)[0]
    assert first.stdout.readline().strip() == "won"
    first.kill()
    first.wait()
    outcomes = [(p.communicate()[0].strip(), p.returncode) for p in contend(root, tmp_path, 6, 4)]
    assert sorted(code for _, code in outcomes) == [0] + [2] * 5


def test_release_lets_the_next_one_in(tmp_path):
    first = Owner(tmp_path, "a")
    assert first.take("demo") is None
    with pytest.raises(UserError, match=r"in use by pid \d+"):
        Owner(tmp_path, "b").take("demo")
    first.release()
    assert Owner(tmp_path, "b").take("demo") is None


def test_an_owner_on_another_host_stays(tmp_path):
    elsewhere = {**identity(psutil.Process(), "driver"), "host": "elsewhere", "verb": "clean", "token": "x"}
    replace_json(tmp_path / "run" / "owner.json", elsewhere)
    with pytest.raises(UserError, match="elsewhere"):
        Owner(tmp_path, "b").take("demo")
    assert read_json(tmp_path / "run" / "owner.json")["token"] == "x"
