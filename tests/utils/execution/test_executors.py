"""Local and Ray keep the same promises: order-free, retried, stoppable, resources held."""

import http.client
import itertools
import os
import subprocess
import sys
import threading
import time
import urllib.request

import psutil
import pytest

from utils.errors import InterruptedRunError, StageFailedError, UserError
from utils.execution.ray import RayExecutor
from utils.runs.config import ParallelConfig
from utils.runs.directory import Run

JOB = "tests.support.jobs:write"
BOTH = pytest.mark.parametrize("executor", ["local", pytest.param("ray", marks=pytest.mark.ray)])


@pytest.fixture(scope="module")
def started():
    """The executors, each started once: Ray takes seconds."""
    kept = {}
    yield kept
    for executor in kept.values():
        executor.__exit__(None, None, None)


@pytest.fixture
def run(tmp_path, executor, started):
    run = Run(ParallelConfig(output=tmp_path / "run", executor=executor, workers=2), "demo")
    run.open()
    run._executor = started.get(executor)
    yield run
    if run._executor is not None:
        started[executor], run._executor = run._executor, None
        run.processes.note(ray_directory=None)  # its Ray goes on
    run.close("done")


def tasks(*names, **extra):
    return [{"unit": name, **extra} for name in names]


@BOTH
def test_reports_come_in_the_order_of_tasks_and_committed_units_are_not_run_again(run):
    reports = run.map(JOB, tasks("a", "b", "c"), "demo")
    assert [report["unit"] for report in reports] == ["a", "b", "c"]
    assert {report["threads"] for report in reports} == {"1"}
    stamp = (run.path / "out" / "a.txt").stat().st_mtime_ns
    (run.path / "out" / "b.txt").unlink()
    assert run.map(JOB, tasks("a", "b", "c"), "demo") == reports
    assert (run.path / "out" / "a.txt").stat().st_mtime_ns == stamp
    assert (run.path / "out" / "b.txt").read_text() == "b"
    assert run.execution["executor"] == run.config.executor
    assert run.execution["tasks"] >= 4
    assert run.execution["workers"]


@BOTH
def test_a_failing_task_is_tried_again_and_given_up_by_name(run):
    reports = run.map(JOB, [{"unit": "a", "fail_until": 2}, {"unit": "b"}], "demo")
    assert [report["attempt"] for report in reports] == [2, 0]
    with pytest.raises(StageFailedError, match=r"unit c failed 3 times.*ValueError: attempt 2"):
        run.map(JOB, [{"unit": "c", "fail_until": 9}], "demo")


@BOTH
def test_a_users_error_is_not_tried_again(run):
    with pytest.raises(UserError, match="a: a bad row → mend it"):
        run.map(JOB, [{"unit": "a", "refuse": True}], "demo")


@BOTH
def test_a_dead_worker_costs_its_attempt_only(run):
    reports = run.map(JOB, [{"unit": "a", "die_until": 1}, {"unit": "b"}], "demo")
    assert [report["unit"] for report in reports] == ["a", "b"]


@BOTH
def test_what_is_given_up_is_committed_in_another_way_and_the_others_go_on(run):
    hopeless = [{"unit": "a", "die_until": 4}, {"unit": "b", "fail_until": 3}, {"unit": "e", "die_until": 6}]
    reports = run.map(JOB, [*hopeless, *tasks("c", "d")], "demo", give_up=[JOB, JOB])
    died = "given up after 3 tries: worker died"
    assert [report.get("given_up", []) for report in reports] == [
        [died],
        ["given up after 3 tries: ValueError: attempt 2"],
        [died, died],
        [],
        [],
    ]
    assert [report["attempt"] for report in reports] == [4, 3, 6, 0, 0], "a dead worker takes no other task along"


@pytest.mark.parametrize("executor", ["local"])
@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ({"refuse": True}, UserError, "a bad row"),
        ({"no_device": True}, StageFailedError, "failed 3 times, last by OSError"),
        ({"die_until": 9}, StageFailedError, "unit a failed 6 times"),
    ],
)
def test_what_no_other_way_could_mend_ends_the_run(run, fault, error, said):
    with pytest.raises(error, match=said):
        run.map(JOB, [{"unit": "a", **fault}], "demo", give_up=[JOB])


@pytest.mark.parametrize("executor", ["local"])
def test_a_stop_commits_what_runs_and_starts_nothing(run):
    run.stop_executor()  # it has the stop flag of the run that it was started by
    threading.Timer(2.5, lambda: setattr(run.stop, "requested", True)).start()
    started = time.monotonic()
    with pytest.raises(InterruptedRunError) as caught:
        run.map(JOB, tasks(*"abcdefgh", wait_s=1.5), "demo")
    assert caught.value.exit_code == 143
    assert time.monotonic() - started < 9
    done = sorted(path.stem for path in (run.path / "run" / "reports").glob("*.json"))
    assert 0 < len(done) < 8
    assert done == sorted(path.stem for path in (run.path / "out").glob("*.txt"))
    assert not list(run.path.rglob("*.tmp.*"))


JOIN = "import ray, sys; ray.init(address=sys.argv[1], logging_level='error')"


@pytest.mark.ray
@pytest.mark.parametrize("executor", ["ray"])
def test_ray_answers_nobody_without_the_token(run):
    """S7."""
    import ray

    run.map(JOB, tasks("a"), "demo")
    impatient = {"RAY_gcs_rpc_server_reconnect_timeout_s": "2", "RAY_gcs_server_request_timeout_seconds": "2"}
    stranger = {**os.environ, **impatient, "RAY_AUTH_TOKEN": "0" * 64}
    command = [sys.executable, "-c", JOIN, ray.get_runtime_context().gcs_address]
    done = subprocess.run(command, env=stranger, capture_output=True, text=True, timeout=60)
    assert done.returncode and "InvalidAuthToken" in done.stderr
    open_ports = {
        place.laddr.port
        for process in psutil.Process().children(recursive=True)
        for place in process.net_connections("inet")
        if place.status == psutil.CONN_LISTEN
    }
    assert open_ports and 8265 not in open_ports, "no dashboard"
    assert [port for port in open_ports if not refuses(port)] == []


def refuses(port):
    """Tell whether a port that speaks HTTP gives a stranger nothing, or no more than counters."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/jobs/", timeout=5) as answer:
            return answer.read().startswith(b"# HELP")
    except (OSError, http.client.HTTPException):
        return True


@pytest.mark.ray
@pytest.mark.parametrize("executor", ["ray"])
def test_ray_leaves_nothing_behind(run):
    run.stop_executor()
    run.map(JOB, tasks("a"), "demo")
    record = (run.path / "run" / "processes.json").read_text()
    directory = record.split('"ray_directory": "')[1].split('"')[0]
    assert os.path.basename(directory).startswith("pt-")
    run.stop_executor()
    assert not os.path.exists(directory)
    left = [p for p in psutil.Process().children(recursive=True) if "ray" in " ".join(p.cmdline()[:3])]
    assert psutil.wait_procs(left, timeout=10)[1] == []


def gpu_run(tmp_path, monkeypatch, *, there, needed=1):
    own = RayExecutor._own_cluster
    monkeypatch.setattr(RayExecutor, "_own_cluster", lambda self: own(self) | {"num_gpus": there, "num_cpus": 3})
    config = ParallelConfig(output=tmp_path / "run", executor="ray", resources={"gpus": needed})
    run = Run(config, "demo")
    run.open()
    return run


@pytest.mark.ray
def test_a_worker_with_a_gpu_loads_once_and_shares_it_with_nobody(tmp_path, monkeypatch):
    """Two GPUs that Ray only believes in; three processor cores."""
    run = gpu_run(tmp_path, monkeypatch, there=2)
    try:
        first = run.map("tests.support.jobs:hold", [{"unit": f"a{n}"} for n in range(6)], "demo")
        dying = [{"unit": "b0", "die_until": 1}, *({"unit": f"b{n}"} for n in range(1, 4))]
        second = run.map("tests.support.jobs:hold", dying, "demo")
    finally:
        run.close("done")
    assert len({report["pid"] for report in first}) == 2
    assert len({report["pid"] for report in [*first, *second]}) == 3, "one died"
    assert {path.read_text() for path in run.path.glob("loaded-*")} == {"x"}, "each worker loaded once"
    assert {report["gpu"] for report in [*first, *second]} == {"0", "1"}
    for one, other in itertools.combinations([*first, *second], 2):
        assert one["pid"] != other["pid"] or one["gpu"] == other["gpu"]
        if one["gpu"] == other["gpu"]:
            assert one["ended"] <= other["begun"] or other["ended"] <= one["begun"]


@pytest.mark.ray
def test_a_gpu_that_is_not_there_is_not_waited_for(tmp_path, monkeypatch):
    run = gpu_run(tmp_path, monkeypatch, there=0)
    try:
        with pytest.raises(UserError, match="a task wants 1 GPUs, the cluster has 0"):
            run.map(JOB, tasks("a"), "demo")
    finally:
        run.close("failed")
