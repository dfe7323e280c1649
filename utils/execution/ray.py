"""Tasks on Ray core: one per unit, on a cluster that is there or on one started here for this run; actors with GPUs.

Ray Data would re-cut the blocks, and costs seconds per job; plain tasks cost nothing measurable. The module is named
after the library on purpose; `from __future__` imports are absolute, so `import ray` below is the library.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import posttrain_root
from utils.errors import PosttrainError, UserError
from utils.execution.executor import Done, cpu_count, environment, thread_environment
from utils.execution.retry import Attempts, fault_of
from utils.runs.config import ParallelConfig
from utils.runs.processes import ProcessRecord
from utils.runs.signals import StopFlag

# Read by Ray's core when it is imported, so they are set before. Usage statistics would be a connection that no
# config names; token authentication is what keeps other users of this host out of the cluster (S7).
# Metrics would be served to anybody who asks.
_BEFORE_IMPORT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_DOCKER_CPU_WARNING": "1",
    "RAY_DEDUP_LOGS": "0",
    "RAY_enable_metrics_collection": "0",
}


class RayExecutor:
    """Ray core tasks, retried by us."""

    def __init__(self, config: ParallelConfig, stop: StopFlag, processes: ProcessRecord, log: logging.Logger) -> None:
        self._config = config
        self._stop = stop
        self._processes = processes
        self._log = log
        self._workers: set[str] = set()
        self._nodes: set[str] = set()
        self._tasks = 0
        self._directory: Path | None = None
        self._slots = 1
        self._workplaces: _Tasks | _Actors

    def __enter__(self) -> RayExecutor:
        """Join the named cluster, or start one here."""
        os.environ.update({name: os.environ.get(name, value) for name, value in _BEFORE_IMPORT.items()})
        threads = thread_environment(self._config.resources.cpus)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if self._config.ray_address:
            options |= {"address": self._config.ray_address, "runtime_env": {"env_vars": threads}}
        else:
            options |= self._own_cluster()
        import ray

        # Workers of our own cluster inherit our environment: a runtime_env would start each of them a second time.
        with environment(threads):
            ray.init(**options)
        self._stop.install()  # ray.init puts its own SIGTERM handler in
        self._processes.add_children("ray")
        cpus = int(ray.cluster_resources().get("CPU", 1)) // self._config.resources.cpus
        self._slots = max(1, min(self._config.workers or cpus, max(1, cpus)))
        if self._config.resources.gpus:
            self._slots = min(self._slots, self._gpu_slots(ray.cluster_resources().get("GPU", 0)))
        self._workplaces = _Actors(self._config) if self._config.resources.gpus else _Tasks(self._config)
        return self

    def _gpu_slots(self, gpus: float) -> int:
        """Return how many workers the cluster's GPUs are enough for.

        Raises:
            UserError: for none. Ray would wait for a GPU for ever.

        """
        needed = self._config.resources.gpus
        if (slots := int(gpus / needed)) < 1:
            mend = "leave out resources.gpus, or name a cluster that has some (ray_address)"
            self.__exit__()
            raise UserError(
                f"a task wants {needed:g} GPUs, the cluster has {gpus:g}", where="resources.gpus", mend=mend
            )
        return slots

    def _own_cluster(self) -> dict[str, Any]:
        """Return the options of a cluster of our own: private directory, private token, no dashboard.

        Ray takes 127.0.0.1 for the machine's own address and listens there too; without the token it answers nobody.
        """
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # Outside the run directory, because a socket's path may not exceed 107 bytes.
        self._directory = Path(tempfile.gettempdir()) / f"pt-{secrets.token_hex(4)}"
        self._processes.note(ray_directory=str(self._directory))
        self._directory.mkdir(mode=0o700)
        cpus = max(cpu_count(), (self._config.workers or 1) * self._config.resources.cpus)
        return {
            "address": "local",
            "num_cpus": cpus,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": str(self._directory),
        }

    def __exit__(self, *_: object) -> None:
        """Leave the cluster; stop it and remove its directory when it is ours."""
        import ray

        ray.shutdown()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def map(self, jobs: Sequence[str], tasks: list[dict[str, Any]]) -> Iterator[Done]:
        """Yield reports as tasks finish."""
        import ray

        attempts = Attempts(jobs, tasks, self._config.attempts, self._log)
        running: dict[Any, dict[str, Any]] = {}
        while running or attempts.waiting:
            while attempts.waiting and len(running) < self._slots and not self._stop.requested:
                job, task = attempts.take()
                running[self._workplaces.begin(job, task)] = task
            if not running:
                return
            finished, _ = ray.wait(list(running), timeout=0.5)
            self._processes.add_children("ray")
            for reference in finished:
                yield from self._settle(reference, running.pop(reference), attempts)

    def _settle(self, reference: Any, task: dict[str, Any], attempts: Attempts) -> Iterator[Done]:
        import ray

        lost = ray.exceptions
        died = (lost.WorkerCrashedError, lost.OutOfMemoryError, lost.NodeDiedError, lost.RayActorError)
        try:
            report, worker, node = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            if isinstance(cause, PosttrainError):
                raise cause from error
            attempts.failed(task, cause, fault_of(cause))
        except ray.exceptions.RayError as error:
            self._workplaces.lost(reference)
            attempts.failed(task, error, "worker" if isinstance(error, died) else "machine")
        else:
            self._workers.add(worker)
            self._nodes.add(node)
            self._tasks += 1
            yield Done(task, report)
        finally:
            self._workplaces.end(reference)

    def describe(self) -> dict[str, Any]:
        """Return what the manifest says of the execution: real ids of Ray workers."""
        return {
            "executor": "ray",
            "workers": sorted(self._workers),
            "nodes": sorted(self._nodes),
            "tasks": self._tasks,
            "cpus_per_task": self._config.resources.cpus,
        }


class _Tasks:
    """Each job is a task of Ray, which finds a process for it and uses that again."""

    def __init__(self, config: ParallelConfig) -> None:
        import ray

        self._remote = ray.remote(max_retries=0, **_needs(config))(posttrain_root.ray_call)

    def begin(self, job: str, task: dict[str, Any]) -> Any:
        """Start a job; return the reference to its result."""
        return self._remote.remote(job, task)

    def lost(self, reference: Any) -> None:
        """Nothing is held."""

    def end(self, reference: Any) -> None:
        """Nothing is held."""


class _Actors:
    """Each job goes to an actor, which keeps its GPUs and its model.

    Ray ends a process after each task on a GPU, and with it the model; kept alive, it could be given another GPU than
    the one that its model is on.
    """

    def __init__(self, config: ParallelConfig) -> None:
        import ray

        self._actor: Any = ray.remote(max_restarts=0, **_needs(config))(posttrain_root.RayActor)
        self._idle: list[Any] = []
        self._busy: dict[Any, Any] = {}

    def begin(self, job: str, task: dict[str, Any]) -> Any:
        """Start a job on an actor that is idle, else on a new one; return the reference to its result."""
        actor = self._idle.pop() if self._idle else self._actor.remote()
        reference = actor.call.remote(job, task)
        self._busy[reference] = actor
        return reference

    def lost(self, reference: Any) -> None:
        """Give up the actor of a job that ended with its process."""
        import ray

        ray.kill(self._busy.pop(reference))

    def end(self, reference: Any) -> None:
        """Take the actor of a finished job for the next one."""
        if (actor := self._busy.pop(reference, None)) is not None:
            self._idle.append(actor)


def _needs(config: ParallelConfig) -> dict[str, Any]:
    """Return the declared resources of a job."""
    needs = config.resources
    options: dict[str, Any] = {"num_cpus": needs.cpus, "num_gpus": needs.gpus}
    return options | ({"memory": int(needs.memory_gib * (1 << 30))} if needs.memory_gib else {})
